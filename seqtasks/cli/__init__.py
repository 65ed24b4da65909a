"""The command line. Modules import Keras inside functions only, to start quickly."""
