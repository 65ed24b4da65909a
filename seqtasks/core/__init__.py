"""Errors, configuration, settings, registries and plugins; imports no Keras and no other folder."""
