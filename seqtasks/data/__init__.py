"""Data: sources, readers, the cache of decoded arrays, splits and batches."""
