"""Audio data: readers, features and batches."""
