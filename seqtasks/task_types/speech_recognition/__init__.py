"""Speech recognition: the words of a recording, without an alignment."""
