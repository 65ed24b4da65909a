"""Benchmark of training steps of recurrent layers: engines of seqtasks, stock Keras, PyTorch."""
