"""The place in the data, which is saved with a model; what is restored after a kill is tested in test_resume.py."""

import numpy as np

from seqtasks.checkpoint import Checkpoint
from seqtasks.data.batching import Batches
from seqtasks.data.splits import Examples


def test_an_epoch_that_keras_only_looked_into_does_not_count(tmp_path):
    batches = Batches(Examples({"x": np.arange(40)}, np.arange(40)), 8, shuffle=True)
    first = [batches[i][1].tolist() for i in range(5)]
    checkpoint = Checkpoint(tmp_path, batches, [], "val_loss", False, 30)
    batches.on_epoch_begin()  # as under JAX, before training
    batches.on_epoch_end()
    assert [batches[i][1].tolist() for i in range(5)] != first
    checkpoint.on_epoch_begin(0)
    assert [batches[i][1].tolist() for i in range(5)] == first
    checkpoint.epoch, checkpoint.step = 0, 2  # restored
    checkpoint.on_epoch_begin(0)
    assert [batches[i][1].tolist() for i in range(len(batches))] == first[2:]
