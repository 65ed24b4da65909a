"""A second loss is added in training only."""

import numpy as np

from seqtasks.layers.losses import AuxiliaryLoss


def test_the_mean_is_added_in_training():
    layer, x = AuxiliaryLoss(), np.array([[1.0, 2.0]], np.float32)
    losses = np.array([[1.0, 2.0, 6.0]], np.float32)
    np.testing.assert_array_equal(layer(x, losses), x)
    assert layer.losses == []
    np.testing.assert_array_equal(layer(x, losses, training=True), x)
    assert [float(loss) for loss in layer.losses] == [3.0]
    layer(x, losses[:, :0], training=True)
    assert [float(loss) for loss in layer.losses] == [0.0]
