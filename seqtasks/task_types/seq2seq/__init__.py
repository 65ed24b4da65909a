"""Sequence-to-sequence tasks: loss, scores and search that translation and captioning share."""
