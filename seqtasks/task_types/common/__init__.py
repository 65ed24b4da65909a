"""Columns, plots and baselines that several types of task share."""
