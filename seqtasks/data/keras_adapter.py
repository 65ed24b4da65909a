"""Data adapter without the tuning delay of tf.data at the end of an epoch."""

from __future__ import annotations

from typing import Any

# Keras takes adapters of one's own in place of data, but has no public name for their classes.
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter


class UntunedDataAdapter(PyDatasetAdapter):
    """Batches for `keras.Model.fit`, `evaluate` and `predict`, to be passed in place of a `keras.utils.PyDataset`.

    On TensorFlow Keras reads a `PyDataset` through `tf.data`, whose thread that tunes buffers
    sleeps for 10 ms, then twice as long each time, up to a minute. The end of an iterator wakes
    it before setting the flag that it looks at, so that it may sleep on, and the end waits for
    it: epochs of 7 seconds often took 10, the sum of ten such sleeps. Here nothing is tuned.

    Args:
        batches: a `keras.utils.PyDataset`, in the order that it has.
    """

    def get_tf_dataset(self) -> Any:
        import tensorflow as tf

        options = tf.data.Options()
        options.autotune.enabled = False
        return super().get_tf_dataset().with_options(options)
