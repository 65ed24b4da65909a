"""Benchmark of training steps of recurrent layers: seqtasks, Keras, PyTorch."""
