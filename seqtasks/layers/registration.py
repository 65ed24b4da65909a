"""Imports every class that a saved model may hold, which registers it with Keras."""

import importlib
import pkgutil

from seqtasks import cells, layers
from seqtasks.layers import decoder, encoder, losses, recurrent

for _package in (cells, layers):
    for _module in pkgutil.iter_modules(_package.__path__, f"{_package.__name__}."):
        importlib.import_module(_module.name)

__all__ = ["decoder", "encoder", "losses", "recurrent"]
