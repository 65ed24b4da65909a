"""Text classification: a label for a text."""
