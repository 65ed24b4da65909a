"""Run folders, result rows, tables and grids of runs; does not import Keras."""
