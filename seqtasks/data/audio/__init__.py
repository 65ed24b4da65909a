"""Readers and batches of sound."""
