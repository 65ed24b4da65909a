"""Metrics for sequence tasks that Keras does not have, over a whole split."""

from seqtasks.layers.metrics import Nats, Perplexity, TagAccuracy, TargetPerplexity

__all__ = ["Nats", "Perplexity", "TagAccuracy", "TargetPerplexity"]
