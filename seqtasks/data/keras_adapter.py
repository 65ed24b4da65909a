"""Keras data adapter without the delay that the autotuning of tf.data causes at the end of an epoch."""

from __future__ import annotations

from typing import Any

# Keras accepts a data adapter in place of data, but does not export the classes of adapters.
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter


class UntunedDataAdapter(PyDatasetAdapter):
    """Data adapter for `keras.Model.fit`, `evaluate` and `predict` that disables tf.data autotuning.

    Pass it in place of a `keras.utils.PyDataset`. On TensorFlow, Keras reads a `PyDataset` through `tf.data`,
    which has a thread that tunes buffers. This thread sleeps for 10 ms, then twice as long each time, up to
    a minute. At its end, an iterator wakes the thread before it sets the flag that stops it; the thread may
    therefore sleep again while the iterator waits for it. Epochs of 7 seconds often took 10, the sum of ten
    such sleeps.

    Args:
        batches: A `keras.utils.PyDataset`; its order is kept.
    """

    def get_tf_dataset(self) -> Any:
        import tensorflow as tf

        options = tf.data.Options()
        options.autotune.enabled = False
        return super().get_tf_dataset().with_options(options)
