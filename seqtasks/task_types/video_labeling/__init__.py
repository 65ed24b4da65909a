"""A label for each frame of a video."""
