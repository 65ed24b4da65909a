"""Where examples come from: sources, readers, the cache of decoded arrays, splits."""
