"""Batches of frames: padding, masks, shifts that depend on seed, epoch and position only, shapes for Keras."""

import keras
import numpy as np
import pytest

from seqtasks.data.audio.frame_batches import FrameBatches, Frames, padded
from seqtasks.data.bucketing import Ragged, uneven_width
from seqtasks.data.splits import Examples


def rows(lengths, size=3):
    return [np.full((n, size), i + 1, "float32") + np.arange(n)[:, None] / 100 for i, n in enumerate(lengths)]


def examples(lengths, targets=None):
    return Examples({"sound": Frames.stack(rows(lengths), 3)}, np.arange(len(lengths)) if targets is None else targets)


def test_rows_are_found_again_in_any_order():
    frames = Frames.stack(rows([2, 0, 5]), 3)
    chosen = frames[np.array([2, 1, 0])]
    assert isinstance(chosen, Frames) and chosen.lengths.tolist() == [5, 0, 2]
    for i, row in zip((2, 1, 0), rows([5, 0, 2]), strict=True):
        np.testing.assert_array_equal(chosen.row(2 - i), frames.row(i))
        assert chosen.row(2 - i).shape == row.shape
    assert Frames.stack([], 3).padded().shape == (0, 1, 3)


def test_padding_is_zero_and_the_mask_is_true_at_real_frames():
    inputs = padded(Frames.stack(rows([2, 0, 4]), 3), 6)
    assert inputs["sound"].shape == (3, 6, 3) and inputs["mask"].sum(axis=1).tolist() == [2, 0, 4]
    assert not inputs["sound"][~inputs["mask"]].any()
    np.testing.assert_array_equal(inputs["sound"][2, :4], rows([2, 0, 4])[2])


@pytest.mark.parametrize("time", range(6))
@pytest.mark.parametrize("other", range(6))
def test_the_first_two_batches_never_have_as_many_steps(time, other):
    assert (
        uneven_width(time, 0) != uneven_width(other, 1)
        and uneven_width(time, 0) >= time
        and uneven_width(other, 1) >= other
    )
    assert uneven_width(time, 2) == max(1, time)


def test_shifts_are_the_same_after_seek():
    def batches():
        return FrameBatches(examples([20] * 12), 4, None, True, 7, shift=3)

    one, other = batches(), batches()
    other.seek(1, 2)
    one.seek(1, 0)
    np.testing.assert_array_equal(one[2][0]["mask"], other[0][0]["mask"])
    lengths = np.concatenate([one[i][0]["mask"].sum(axis=1) for i in range(3)])
    assert lengths.min() >= 14 and lengths.max() <= 20 and len(set(lengths.tolist())) > 2
    inputs, _ = one[2]
    for frames, mask in zip(inputs["sound"], inputs["mask"], strict=True):  # a stretch of one recording
        np.testing.assert_allclose(np.diff(frames[mask][:, 0]), 0.01, atol=1e-5)
    assert FrameBatches(examples([20] * 4), 4, shift=3)[0][0]["mask"].sum() == 80  # not when scoring


def test_a_single_batch_has_one_shape_in_all_epochs():
    batches = FrameBatches(examples([20, 10]), 4, None, True, 0, shift=5)
    shapes = set()
    for epoch in range(5):
        batches.seek(epoch, 0)
        shapes.add(batches[0][0]["sound"].shape)
    assert len(shapes) == 1


def test_keras_reads_all_batches_with_targets_of_any_length():
    targets = Ragged.of([[1], [1, 2], [], [2, 2, 2], [1], [1]])
    batches = FrameBatches(examples([3, 4, 4, 6, 2, 9], targets), 2)
    inputs = {"sound": keras.Input((None, 3), name="sound"), "mask": keras.Input((None,), name="mask", dtype="bool")}
    valid = keras.ops.cast(inputs["mask"][..., None], "float32")  # older versions of Keras need all inputs to be used
    model = keras.Model(list(inputs.values()), keras.layers.Dense(3)(inputs["sound"]) * valid)
    model.compile("sgd", keras.losses.CTC())
    assert np.isfinite(model.evaluate(batches, verbose=0))
    assert {batches[i][1].shape[1] for i in range(3)} == {3}
