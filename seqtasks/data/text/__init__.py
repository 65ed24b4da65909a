"""Text data: readers, vocabularies and batches."""
