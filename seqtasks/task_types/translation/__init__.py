"""Translation of sentences between two languages."""
