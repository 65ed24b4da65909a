"""Models that are timed, and how much work they are."""

import keras
import numpy as np
import pytest

from seqtasks.bench.shapes import SHAPES, Shape


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_batches_fit_the_shape(shape):
    batches = shape.of(batch=3).batches()
    assert len(batches) == max(1, len(shape.lengths))
    for x, y, lengths in batches:
        assert x.shape == (3, x.shape[1], *(() if shape.vocabulary else (shape.features,)))
        assert y.shape == (x.shape[:2] if shape.sequences else (3,)) and y.max() < shape.outputs
        if lengths is None:
            assert x.shape[1] == shape.time
        else:
            assert x.shape[1] == lengths[0] and (np.diff(lengths) <= 0).all()  # PyTorch packs long rows first
            np.testing.assert_array_equal((x > 0).sum(1), lengths)


def test_padding_is_about_that_of_buckets():
    real = width = 0
    for x, _, lengths in SHAPES["imdb_lengths"].batches():
        real, width = real + lengths.sum(), width + x.size
    assert 0.03 < 1 - real / width < 0.1
    assert SHAPES["imdb_lengths"].flops() == pytest.approx(
        sum(Shape(**{**vars(SHAPES["imdb"]), "time": n}).flops() for n in SHAPES["imdb_lengths"].lengths)
    )


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_operations_are_counted_as_products_are(cell, bidirectional):
    """Two an entry and step forward, four on the way back, but two where the inputs are numbers."""
    shape = Shape(cell=cell, bidirectional=bidirectional, layers=2, time=5, batch=3, features=4, units=6, outputs=7)
    layer = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "simple_rnn": keras.layers.SimpleRNN}[cell]
    total, width = 0, 4
    for number in range(2):
        one = layer(6)
        one.build((None, None, width))
        kernel, recurrent, _ = (int(np.prod(weight.shape)) for weight in one.weights)
        total += (1 + bidirectional) * 15 * (kernel * (4 if number == 0 else 6) + recurrent * 6)
        width = 6 * (1 + bidirectional)
    assert shape.flops() == total + 3 * 6 * width * 7
