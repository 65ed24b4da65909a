"""Anomaly detection: a score for each step of series, by a model of normal series."""
