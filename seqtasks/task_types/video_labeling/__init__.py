"""Labelling of the frames of a video."""
