"""Sentences about images."""
