"""Server of trained runs: `seqtasks serve`."""
