"""Metrics that Keras does not have."""

from seqtasks.layers.metrics import Nats, Perplexity, TagAccuracy, TargetPerplexity

__all__ = ["Nats", "Perplexity", "TagAccuracy", "TargetPerplexity"]
