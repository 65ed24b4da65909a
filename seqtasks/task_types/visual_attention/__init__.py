"""Images read by glimpses at chosen locations."""
