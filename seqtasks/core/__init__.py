"""Errors, configuration, registries and plugins; imports neither Keras nor other parts of seqtasks."""
