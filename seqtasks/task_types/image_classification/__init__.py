"""Image classification: a label for an image."""
