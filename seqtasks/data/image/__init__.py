"""Readers and batches of images and videos."""
