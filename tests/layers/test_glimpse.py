"""The sensor against loops over the cells of patches, in pictures enlarged four times; places beyond the border."""

import keras
import numpy as np
import pytest

from seqtasks.layers.glimpse import GlimpseNetwork, GlimpseSensor

FINE = 4  # places at quarters of a pixel are whole in the enlarged picture


def by_hand(picture, place, size, scales):
    """Means of blocks, one after the other; 0 outside."""
    height, width = picture.shape
    fine = np.kron(picture.astype(np.float64), np.ones((FINE, FINE)))
    y, x = [round((p + 1) / 2 * n * FINE) for p, n in zip(place, (height, width), strict=True)]
    patches = np.zeros((scales, size, size))
    for k in range(scales):
        side = 2**k * FINE
        for i in range(size):
            for j in range(size):
                top, left = y - size * side // 2 + i * side, x - size * side // 2 + j * side
                total = 0.0
                for r in range(max(0, top), min(height * FINE, top + side)):
                    for c in range(max(0, left), min(width * FINE, left + side)):
                        total += fine[r, c]
                patches[k, i, j] = total / side**2
    return patches


@pytest.mark.parametrize(("size", "scales"), [(4, 1), (3, 3), (2, 2)])
def test_patches_are_means_of_blocks(size, scales):
    rng = np.random.default_rng(0)
    pictures = rng.random((6, 8, 16)).astype("float32")
    quarters = np.array([[0, 0], [32, 64], [16, 32], [1, 63], [13, 6], [30, 41]])  # of 8 and 16 pixels
    places = (quarters / (np.array([8, 16]) * FINE) * 2 - 1).astype("float32")
    found = keras.ops.convert_to_numpy(GlimpseSensor(size, scales)(pictures, places))
    wanted = [by_hand(*both, size, scales) for both in zip(pictures, places, strict=True)]
    assert found.shape == (6, scales, size, size)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_the_middle_of_whole_pixels_is_the_picture_itself():
    picture = np.random.default_rng(1).random((1, 6, 6)).astype("float32")
    found = keras.ops.convert_to_numpy(GlimpseSensor(4, 2)(picture, np.zeros((1, 2), "float32")))
    np.testing.assert_allclose(found[0, 0], picture[0, 1:5, 1:5], atol=1e-6)


def test_outside_all_is_black():
    seen = GlimpseSensor(4, 2)(np.ones((1, 6, 6), "float32"), np.array([[-9.0, 9.0]], "float32"))
    assert not np.any(keras.ops.convert_to_numpy(seen))


def test_a_glimpse_knows_what_and_where():
    network = GlimpseNetwork(5, 3, 2)
    pictures, places = np.ones((2, 8, 8), "float32"), np.array([[0.0, 0.0], [0.1, 0.0]], "float32")
    one, other = keras.ops.convert_to_numpy(network(pictures, places))
    assert one.shape == (network.output_size,) and np.abs(one - other).max() > 1e-3  # the same seen elsewhere
    w = {weight.path.split("/", 1)[1]: keras.ops.convert_to_numpy(weight) for weight in network.weights}
    patches = by_hand(pictures[0], places[0], 3, 2).transpose(1, 2, 0).ravel()
    what = np.maximum(patches @ w["what/kernel"] + w["what/bias"], 0)
    where = np.maximum(places[0] @ w["where/kernel"] + w["where/bias"], 0)
    both = what @ w["from_what/kernel"] + where @ w["from_where/kernel"] + w["from_what/bias"] + w["from_where/bias"]
    np.testing.assert_allclose(one, np.maximum(both, 0), atol=1e-5)


def test_convolutions_read_the_patches_as_channels():
    network = GlimpseNetwork(5, 6, 2, [4])
    pictures, places = np.random.default_rng(0).random((2, 9, 9)).astype("float32"), np.zeros((2, 2), "float32")
    network(pictures, places)
    assert network.what.kernel.shape == (3 * 3 * 4, 5)
    patches = keras.ops.convert_to_numpy(network.sensor(pictures, places))
    padded = np.pad(patches, ((0, 0), (0, 0), (1, 1), (1, 1)))
    kernel = keras.ops.convert_to_numpy(network.convolutions[0].kernel)
    wanted = np.zeros((2, 6, 6, 4))
    for n, i, j in np.ndindex(2, 6, 6):
        wanted[n, i, j] = np.einsum("cij,ijco->o", padded[n, :, i : i + 3, j : j + 3], kernel)
    wanted = np.maximum(wanted, 0).reshape(2, 3, 2, 3, 2, 4).max(axis=(2, 4))
    w = {weight.path.split("/", 1)[1]: keras.ops.convert_to_numpy(weight) for weight in network.weights}
    what = np.maximum(wanted.reshape(2, -1) @ w["what/kernel"], 0) @ w["from_what/kernel"]
    np.testing.assert_allclose(network(pictures, places), np.maximum(what, 0), atol=1e-4)  # biases and places are 0


def test_it_is_saved_with_its_configuration():
    network = GlimpseNetwork(5, 3, 2, [4])
    assert GlimpseNetwork.from_config(network.get_config()).get_config() == network.get_config()
    sensor = GlimpseSensor.from_config(GlimpseSensor(3, 2).get_config())
    assert (sensor.size, sensor.scales) == (3, 2)
