"""Losses for sequence tasks that Keras does not have."""

from seqtasks.layers.losses import (
    MultiLabelCrossentropy,
    ScaledSquaredError,
    SmoothedCrossentropy,
    TagLoss,
    TokenLoss,
)

__all__ = ["MultiLabelCrossentropy", "ScaledSquaredError", "SmoothedCrossentropy", "TagLoss", "TokenLoss"]
