"""Run folders, result rows, tables and grids of runs; imports no Keras."""
