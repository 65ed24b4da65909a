"""Layers that tasks share, each with its mask as an argument."""
