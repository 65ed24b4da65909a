"""The command line: reads arguments and prints results; modules import Keras inside functions only."""
