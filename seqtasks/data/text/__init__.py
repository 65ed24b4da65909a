"""Readers and batches of texts."""
