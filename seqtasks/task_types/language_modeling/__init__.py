"""The next character, word or byte-pair unit of a text."""
