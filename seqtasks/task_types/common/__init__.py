"""Prediction columns, plots and baselines that several types of tasks share."""
