"""Errors, configuration, registries, plugins. Imports neither Keras nor other folders."""
