"""Batches: every example once, an order determined by seed, epoch and position only, resuming in an epoch."""

import keras
import numpy as np
import pytest

from seqtasks.data.batches import ArrayBatches
from seqtasks.data.splits import Examples


def batches(n=10, size=4, inputs=1, **arguments):
    arrays = {f"x{i}": np.arange(n) * 10**i for i in range(inputs)}
    return ArrayBatches(Examples(arrays, np.arange(n)), size, **arguments)


def epoch(data):
    """Targets of the remaining batches of an epoch, a list for each batch."""
    return [data[i][1].tolist() for i in range(len(data))]


def advance(data):
    """Calls the hooks that Keras calls at the beginning and end of an epoch."""
    data.on_epoch_begin()
    data.on_epoch_end()


def flat(lists):
    return [item for part in lists for item in part]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("n", "size"), [(10, 4), (8, 4), (3, 4), (1, 1)])
def test_no_example_is_lost_or_doubled(n, size, shuffle):
    data = batches(n, size, shuffle=shuffle)
    for _ in range(3):
        parts = epoch(data)
        assert sorted(flat(parts)) == list(range(n))
        assert [len(part) for part in parts[:-1]] == [size] * (data.batches_per_epoch - 1)
        advance(data)


def test_inputs_and_targets_stay_together():
    data = batches(inputs=2, shuffle=True)
    for i in range(len(data)):
        inputs, targets = data[i]
        np.testing.assert_array_equal(inputs["x0"], targets)
        np.testing.assert_array_equal(inputs["x1"], targets * 10)
    single_input, targets = batches(shuffle=True)[0]
    np.testing.assert_array_equal(single_input, targets)


def test_the_order_depends_on_seed_and_epoch_alone():
    def orders(seed):
        data = batches(30, 7, shuffle=True, seed=seed)
        first = epoch(data)
        advance(data)
        return first, epoch(data)

    np.random.seed(1)
    one = orders(5)
    np.random.seed(2)
    assert orders(5) == one
    assert one[0] != one[1] and orders(6)[0] != one[0]
    direct = batches(30, 7, shuffle=True, seed=5)
    direct.seek(1, 0)
    assert epoch(direct) == one[1]
    assert [direct[3][1].tolist(), direct[0][1].tolist()] == [one[1][3], one[1][0]]  # in any order of reading


def test_without_shuffling_every_epoch_is_in_order():
    data = batches()
    for _ in range(2):
        assert epoch(data) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
        advance(data)


@pytest.mark.parametrize("start", [0, 1, 4])
def test_seeking_gives_the_tail_of_the_epoch_and_then_whole_ones(start):
    data = batches(30, 7, shuffle=True)
    data.seek(2, 0)
    whole = epoch(data)
    advance(data)
    following = epoch(data)
    resumed = batches(30, 7, shuffle=True)
    resumed.seek(2, start)
    assert len(resumed) == 5 - start and epoch(resumed) == whole[start:]
    assert resumed.batches_per_epoch == 5
    advance(resumed)
    assert epoch(resumed) == following


class Watched(ArrayBatches):
    """Records the targets that Keras reads during an epoch; before the epoch Keras reads batches for their shapes."""

    def __init__(self, n, size):
        x = np.arange(n, dtype="float32")[:, None]
        super().__init__(Examples({"x": x}, np.arange(n)), size, shuffle=True, seed=3)
        self.running, self.targets_read = False, []

    def on_epoch_begin(self):
        super().on_epoch_begin()
        self.running = True
        self.targets_read.append([])

    def on_epoch_end(self):
        super().on_epoch_end()
        self.running = False

    def __getitem__(self, index):
        inputs, targets = super().__getitem__(index)
        if self.running:
            self.targets_read[-1].append(targets.tolist())
        return inputs, targets


def fitted(data, first, epochs):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(data, initial_epoch=first, epochs=epochs, shuffle=False, verbose=0)
    return data.targets_read


def test_keras_reads_our_orders_epoch_by_epoch():
    expected = []
    for number in range(3):
        data = batches(10, 4, shuffle=True, seed=3)
        data.seek(number, 0)
        expected.append(epoch(data))
    assert fitted(Watched(10, 4), 0, 3) == expected


def test_a_fit_from_the_middle_of_an_epoch_reads_what_is_left():
    whole = fitted(Watched(30, 4), 0, 3)
    data = Watched(30, 4)
    data.seek(1, 5)
    assert fitted(data, 1, 2) == [whole[1][5:]]
    assert fitted(data, 2, 3) == [whole[1][5:], whole[2]]  # and the next fit goes on


def test_predictions_come_in_the_order_of_the_examples():
    x = np.arange(10, dtype="float32")[:, None]
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    plain = ArrayBatches(Examples({"x": x}, np.arange(10)), 4)
    np.testing.assert_allclose(model.predict(plain, verbose=0), model(x), rtol=1e-5)


def test_batches_that_are_done_end_with_the_epoch():
    data = batches(10, 3)  # four batches
    assert [data.done(batch) for batch in (0, 3, 7)] == [1, 4, 4]
    data.seek(0, 2)
    assert [data.done(batch) for batch in (0, 1, 2)] == [3, 4, 4]
