"""Forecasts of series of numbers: task, model, scores, baselines, plots."""
