"""A page in the browser to try trained runs: `seqtasks app`."""
