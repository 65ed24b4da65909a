"""Recordings with a label each."""
