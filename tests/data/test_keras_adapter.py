"""Data adapter: Keras reads the same batches in every epoch, without autotuning."""

import keras
import numpy as np

from seqtasks.data.batches import ArrayBatches
from seqtasks.data.bucketing import Buckets, Ragged
from seqtasks.data.keras_adapter import UntunedDataAdapter
from seqtasks.data.splits import Examples


def model():
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    network.compile("sgd", "mse")
    return network


def batches(n=50, seed=3):
    rng = np.random.default_rng(0)
    examples = Examples({"x": rng.normal(size=(n, 3)).astype("float32")}, rng.normal(size=(n, 2)).astype("float32"))
    return ArrayBatches(examples, 8, shuffle=True, seed=seed)


def test_training_and_predictions_are_those_of_the_batches_themselves():
    plain, adapted = model(), model()
    plain_data, adapted_data = batches(), batches()
    expected = plain.fit(plain_data, epochs=3, validation_data=batches(9), shuffle=False, verbose=0).history
    history = adapted.fit(
        UntunedDataAdapter(adapted_data),
        epochs=3,
        validation_data=UntunedDataAdapter(batches(9)),
        shuffle=False,
        verbose=0,
    ).history
    assert history == expected and len(set(history["loss"])) == 3
    assert (adapted_data.epoch, adapted_data.start) == (plain_data.epoch, plain_data.start) == (3, 0)
    np.testing.assert_array_equal(
        adapted.predict(UntunedDataAdapter(batches()), verbose=0), plain.predict(batches(), verbose=0)
    )


def test_epochs_of_more_and_fewer_batches_are_whole():
    rng = np.random.default_rng(1)
    rows = Ragged.of([rng.integers(1, 9, length) for length in rng.integers(1, 30, 300)])
    data = Buckets(Examples({"x": rows}, rng.integers(2, size=300)), 8, tokens=40, shuffle=True)
    counts, steps = [], []
    for epoch in range(4):
        data.seek(epoch, 0)
        counts.append(data.batches_per_epoch)
    data.seek(0, 0)
    tokens = keras.Input((None,), dtype="int32")
    net = keras.Model(tokens, keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(10, 1)(tokens)))
    net.compile("sgd", "mse")
    recorder = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: steps.append(batch))
    net.fit(UntunedDataAdapter(data), epochs=4, callbacks=[recorder], shuffle=False, verbose=0)
    assert len(set(counts)) > 1, "all epochs have equally many batches, so the test checks nothing"
    assert steps == [number for count in counts for number in range(count)]


def test_nothing_is_tuned():
    assert UntunedDataAdapter(batches()).get_tf_dataset().options().autotune.enabled is False
