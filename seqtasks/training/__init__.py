"""One run, from its configuration to its result row, and the Python interface to runs."""
