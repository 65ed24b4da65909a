"""The version of seqtasks; the packaging reads it here."""

__version__ = "0.2.0"
