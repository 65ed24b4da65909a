"""Training steps of recurrent layers timed side by side: engines of seqtasks, stock Keras, PyTorch."""
