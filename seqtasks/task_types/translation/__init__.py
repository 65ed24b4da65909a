"""Sentences of one language into another."""
