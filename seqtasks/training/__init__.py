"""Training of a run, from configuration to result row, and the Python interface to runs."""
