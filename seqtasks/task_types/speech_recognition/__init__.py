"""Words of recordings, by connectionist temporal classification."""
