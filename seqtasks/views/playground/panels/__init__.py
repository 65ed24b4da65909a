"""Panels of the playground, one kind for each type of input and output."""
