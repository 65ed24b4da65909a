"""Short forms that several tests use."""

from seqtasks.cli.predict_command import split_options
from seqtasks.training import inference


def predict(folder, words, trust=False):
    """What `seqtasks predict RUN WORDS…` predicts."""
    inputs, options = split_options(words)
    return inference.predict(folder, inputs, options, trust)
