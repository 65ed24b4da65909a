"""Language modeling: the next character, word or byte-pair unit of a text."""
