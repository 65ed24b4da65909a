"""Moving digits: motion, bounces, occlusion, and dependence on seed, epoch and number only."""

import numpy as np
import pytest

from seqtasks.core.errors import ConfigError
from seqtasks.data.image.moving_digits import DIRECTIONS, INK, Clips, Video, VideoBatches
from seqtasks.data.splits import Examples

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(1, 256, (20, 3, 4)).astype(np.uint8)
LABELS = np.arange(20) % 4
STEPS = list(DIRECTIONS.values())


def clips(count=30, pictures=PICTURES):
    return Clips(pictures, LABELS, np.arange(count))


def video(label="direction", side=9, noise=0.0, margin=1, lengths=(5, 9)):
    return Video((3, 4), side, label, *lengths, margin, noise)


def batches(shuffle=True, seed=0, count=30, **how):
    return VideoBatches(Examples({"clip": clips(count)}, np.arange(count)), video(**how), 8, shuffle, seed)


def corner(frame):
    """Upper left corner of the only image, which has no black pixels."""
    rows, columns = np.flatnonzero(frame.any(axis=1)), np.flatnonzero(frame.any(axis=0))
    assert len(rows) == 3 and len(columns) == 4
    return np.array([rows[0], columns[0]])


@pytest.mark.parametrize("side", [6, 9, 20])
def test_a_label_is_where_the_picture_goes_next_and_borders_turn_it(side):
    seen = set()
    for number in range(40):
        frames, labels = video(side=side).draw(np.random.default_rng(number), clips(), 12)
        at = [corner(frame) for frame in frames]
        moves = np.diff(at, axis=0)
        speed = np.abs(moves).max()
        assert speed in (1, 2)
        for move, label in zip(moves, labels, strict=False):
            np.testing.assert_array_equal(np.sign(move), STEPS[label])
            assert np.all(np.abs(move)[move != 0] <= speed)
            seen.add(int(label))
        for t in range(1, len(moves)):  # turned only where it would have crossed a border
            for axis, most in enumerate((side - 3, side - 4)):
                if np.sign(moves[t, axis]) != np.sign(moves[t - 1, axis]):
                    ahead = at[t][axis] + speed * np.sign(moves[t - 1, axis])
                    assert ahead < 0 or ahead > most
    assert seen == set(range(8))


def test_the_picture_in_front_hides_what_is_near_its_ink():
    pictures = np.zeros((2, 5, 5), np.uint8)
    pictures[0, 2, 2] = 200  # a dot, with a margin of one pixel around it
    pictures[1] = 100
    both = Clips(pictures, np.array([7, 4]), np.arange(1))
    labels_seen = set()
    for number in range(30):
        frames, labels = Video((5, 5), 7, "front", 6, 6, 1, 0.0).draw(np.random.default_rng(number), both, 6)
        for frame, label in zip(frames, labels, strict=True):
            dot = np.argwhere(frame == 200)
            labels_seen.add(int(label))
            if label == 4:  # the area hides all but what lies outside of it
                assert np.count_nonzero(frame == 100) == 25
            else:
                (y, x) = dot[0]
                near = frame[y - 1 : y + 2, x - 1 : x + 2]
                assert len(dot) == 1 and np.count_nonzero(near) == 1
                assert np.count_nonzero(frame == 100) >= 25 - 9
    assert labels_seen == {4, 7}


def test_faint_pixels_hide_nothing():
    pictures = np.stack([np.full((3, 3), INK - 1, np.uint8), np.full((3, 3), 255, np.uint8)])
    faint = Clips(pictures, np.array([0, 1]), np.arange(1))
    for number in range(5):
        frames, _ = Video((3, 3), 5, "front", 4, 4, 1, 0.0).draw(np.random.default_rng(number), faint, 4)
        assert all(np.count_nonzero(frame == 255) == 9 for frame in frames)


def test_two_classes_and_changes_of_front():
    changes, steps = 0, 0
    for number in range(200):
        _, labels = video("front").draw(np.random.default_rng(number), clips(), 9)
        assert 1 <= len(set(labels)) <= 2
        changes, steps = changes + np.count_nonzero(np.diff(labels)), steps + 8
    assert changes / steps == pytest.approx(0.15, abs=5 * np.sqrt(0.15 * 0.85 / steps))


def test_noise_is_of_that_share():
    wide = Video((3, 4), 60, "direction", 5, 5, 1, 0.25)
    frames, _ = wide.draw(np.random.default_rng(0), clips(), 5)
    assert np.count_nonzero(frames) / frames.size == pytest.approx(0.25, abs=0.02)
    assert np.any(frames[0] != frames[1])


def epoch(read):
    return [(tuple(read.rows(i)), *read[i]) for i in range(len(read))]


def test_batches_are_padded_on_the_right_and_say_what_is_real():
    read = batches(shuffle=False)
    widths, seen = [], []
    for rows, inputs, targets, weights in epoch(read):
        widths.append(targets.shape[1])
        seen += rows
        assert inputs["image"].shape == (len(rows), widths[-1], 9, 9) and inputs["image"].dtype == np.uint8
        np.testing.assert_array_equal(inputs["mask"], weights == 1)
        for row, images, true, mask in zip(rows, inputs["image"], targets, inputs["mask"], strict=True):
            frames, labels = read.one(row)
            assert 5 <= len(frames) <= 9
            np.testing.assert_array_equal(mask, np.arange(widths[-1]) < len(frames))
            np.testing.assert_array_equal(images[mask], frames)
            np.testing.assert_array_equal(true[mask], labels)
            assert not images[~mask].any() and not true[~mask].any()
    assert sorted(seen) == list(range(30)) and widths[0] != widths[1]
    assert len(set(read.lengths)) > 1


def same(one, other):
    return all(
        a[0] == b[0] and np.array_equal(a[1]["image"], b[1]["image"]) and np.array_equal(a[2], b[2])
        for a, b in zip(one, other, strict=True)
    )


def test_only_seed_epoch_and_number_decide():
    one, again, other = batches(noise=0.1), batches(noise=0.1), batches(seed=1, noise=0.1)
    first = epoch(one)
    assert same(first, epoch(again)) and not np.array_equal(first[0][1]["image"], epoch(other)[0][1]["image"])
    one.on_epoch_begin()
    one.on_epoch_end()
    expected = [(tuple(one.rows(i)), *one.make(i)) for i in range(2, len(one))]
    again.seek(1, 2)
    assert same([(tuple(again.rows(i)), *again.make(i)) for i in range(len(again))], expected)
    videos = {row: one.one(row)[0].tobytes() for row in range(30)}
    assert len(set(videos.values())) == 30 and videos != {
        row: batches(noise=0.1).one(row)[0].tobytes() for row in videos
    }


def test_validation_and_test_are_always_the_same_also_in_part():
    whole, part = batches(False, 0), batches(False, 5, count=10)
    for row in range(10):
        np.testing.assert_array_equal(whole.one(row)[0], part.one(row)[0])
    whole.on_epoch_begin()
    whole.on_epoch_end()
    np.testing.assert_array_equal(whole.one(3)[0], part.one(3)[0])


def test_videos_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match=r"on a canvas of 5×5 images of 4×3 cannot move; .*set options.canvas to 6"):
        video(side=5)
    with pytest.raises(ConfigError, match=r"videos of 9 to 5 frames; .*set options.min_length or options.max_length"):
        video(lengths=(9, 5))
