"""Losses for sequence tasks that Keras does not have."""

from seqtasks.layers.losses import SmoothedCrossentropy, TagLoss, TokenLoss

__all__ = ["SmoothedCrossentropy", "TagLoss", "TokenLoss"]
