"""Cluttered canvases: locations of images, clutter, and dependence on seed, epoch and example only."""

import numpy as np
import pytest
from PIL import Image

from seqtasks.core.errors import ConfigError, DataError
from seqtasks.data.image.cluttered_canvas import Canvas, CanvasBatches, draw_noise, load_canvas
from seqtasks.data.splits import Examples

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(1, 256, (30, 4, 6)).astype(np.uint8)
EXAMPLES = Examples({"image": PICTURES}, np.arange(30) % 3)


def batches(clutter=0, shuffle=True, seed=0, noise="normal", side=12):
    return CanvasBatches(EXAMPLES, Canvas((4, 6), side, clutter, 2), 3, noise, 8, shuffle, seed)


def epoch(read):
    data = [read[i] for i in range(len(read))]
    return [np.concatenate(part) for part in zip(*[(x["image"], x["noise"], y) for x, y in data], strict=True)]


def test_image_is_at_its_location_and_the_rest_is_black():
    read = batches(shuffle=False)
    images, _, targets = epoch(read)
    assert images.shape == (30, 12, 12) and images.dtype == np.uint8
    np.testing.assert_array_equal(targets, EXAMPLES.targets)
    for image, picture, (y, x) in zip(images, PICTURES, read.places.corners, strict=True):
        np.testing.assert_array_equal(image[y : y + 4, x : x + 6], picture)
        assert np.count_nonzero(image) == np.count_nonzero(picture)


def test_clutter_is_of_other_pictures_and_hides_nothing_brighter():
    read = batches(clutter=5, shuffle=False)
    images, _, _ = epoch(read)
    places = read.places
    for row, image in enumerate(images):
        expected = np.zeros((12, 12), int)
        y, x = places.corners[row]
        expected[y : y + 4, x : x + 6] = PICTURES[row]
        for source, top, left, y, x in places.pieces[row]:
            assert source != row
            for i in range(2):
                for j in range(2):
                    expected[y + i, x + j] = max(expected[y + i, x + j], PICTURES[source, top + i, left + j])
        np.testing.assert_array_equal(image, expected)
    assert len({tuple(piece) for row in places.pieces for piece in row}) > 100


def test_all_locations_are_equally_frequent():
    places = Canvas((4, 6), 8, 1, 2).draw(np.random.default_rng(0), 20_000)
    _, counts = np.unique(places.corners, axis=0, return_counts=True)
    assert len(counts) == 5 * 3
    np.testing.assert_allclose(counts / 20_000, 1 / 15, atol=5 * np.sqrt(1 / 15 / 20_000))
    assert places.pieces[..., 1].max() == 2 and places.pieces[..., 2].max() == 4 and places.pieces[..., 3:].max() == 6


def test_only_seed_epoch_and_example_decide():
    one, same, other = batches(2), batches(2), batches(2, seed=1)
    first, again = epoch(one), epoch(same)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.any(epoch(other)[0] != first[0])
    one.on_epoch_begin()
    one.on_epoch_end()
    second = epoch(one)
    assert np.any(second[0] != first[0]) and np.any(second[1] != first[1])
    same.seek(1, 2)  # from the third batch of the second epoch
    for a, b in zip(epoch(same), second, strict=True):
        np.testing.assert_array_equal(a, b[16:])


def test_validation_and_test_are_always_the_same():
    np.testing.assert_array_equal(epoch(batches(3, False, 0))[0], epoch(batches(3, False, 9))[0])
    read = batches(3, False)
    before = epoch(read)
    read.on_epoch_begin()
    read.on_epoch_end()
    np.testing.assert_array_equal(epoch(read)[0], before[0])


def test_noise():
    normal, uniform = (draw_noise(kind, (5000, 2), (0,)) for kind in ("normal", "uniform"))
    assert abs(normal.mean()) < 0.05 and abs(normal.std() - 1) < 0.05
    assert uniform.min() >= -1 and uniform.max() <= 1 and abs(uniform.std() - 1 / np.sqrt(3)) < 0.02
    assert not draw_noise("none", (3, 2), (0,)).any()


def test_a_canvas_that_is_too_small_is_refused():
    with pytest.raises(ConfigError, match=r"a canvas of 5×5 is too small for images of 6×4; set options.canvas to 6"):
        Canvas((4, 6), 5)


def test_a_small_picture_is_not_scaled(tmp_path):
    Image.fromarray(PICTURES[0] // 2).save(tmp_path / "small.png")
    canvas, inverted = load_canvas(tmp_path / "small.png", 12, "no")
    assert not inverted
    np.testing.assert_array_equal(canvas[4:8, 3:9], PICTURES[0] // 2)
    Image.new("L", (40, 20), 255).save(tmp_path / "large.png")
    canvas, inverted = load_canvas(tmp_path / "large.png", 12)
    assert inverted and canvas.shape == (12, 12) and not canvas.any()
    with pytest.raises(DataError, match="does not exist"):
        load_canvas(tmp_path / "none.png", 12)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match="cannot be read"):
        load_canvas(tmp_path / "text.png", 12)


def test_a_photograph_that_lies_on_its_side_is_turned_and_not_scaled(tmp_path):
    picture = Image.fromarray(np.rot90(PICTURES[0]))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.png", exif=exif)
    canvas, _ = load_canvas(tmp_path / "turned.png", 12, "no")
    np.testing.assert_array_equal(canvas[4:8, 3:9], PICTURES[0])
