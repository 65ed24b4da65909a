"""seqtasks: the RNN laboratory for Keras.

Importing seqtasks does not import Keras, so the command line starts quickly. The public names, listed
in `__init__.pyi`, are imported on first use. The layers are registered with Keras as soon as both
packages are imported, so that `keras.models.load_model` finds them.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import Any

import lazy_loader

from seqtasks.core.keras_import import register_when_imported

_attribute, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

# Top-level names of version 0.1 and their present locations; they work until version 0.3.
_MOVED = {
    "AudioOptions": "task_types.AudioOptions",
    "AudioTask": "task_types.AudioTask",
    "CTCTask": "task_types.CTCTask",
    "CaptionOptions": "task_types.CaptionOptions",
    "CaptionTask": "task_types.CaptionTask",
    "Cell": "cells.Cell",
    "Decoder": "layers.Decoder",
    "Encoder": "layers.Encoder",
    "FramesTask": "task_types.FramesTask",
    "GlimpseTask": "task_types.GlimpseTask",
    "ImageTask": "task_types.ImageTask",
    "LanguageOptions": "task_types.LanguageOptions",
    "LanguageTask": "task_types.LanguageTask",
    "Recurrent": "layers.Recurrent",
    "StringOptions": "task_types.StringOptions",
    "TaggingOptions": "task_types.TaggingOptions",
    "TaggingTask": "task_types.TaggingTask",
    "TextLanguageOptions": "task_types.TextLanguageOptions",
    "TextLanguageTask": "task_types.TextLanguageTask",
    "TextOptions": "task_types.TextOptions",
    "TextTask": "task_types.TextTask",
    "TranslationOptions": "task_types.TranslationOptions",
    "TranslationTask": "task_types.TranslationTask",
    "make_cell": "cells.make_cell",
    "register_cell": "cells.register_cell",
}


def __getattr__(name: str) -> Any:
    if name in _MOVED:
        package, _, attribute = _MOVED[name].rpartition(".")
        warnings.warn(f"seqtasks.{name} is now seqtasks.{_MOVED[name]}", DeprecationWarning, stacklevel=2)
        value = getattr(importlib.import_module(f"seqtasks.{package}"), attribute)
    else:
        value = _attribute(name)
    if "keras" in sys.modules:
        _register_layers()
    return value


def _register_layers() -> None:
    """Imports all layers and cells, which registers them with Keras."""
    ours = [module for name, module in sys.modules.items() if name.startswith("seqtasks.")]
    if any(getattr(module.__spec__, "_initializing", False) for module in ours):
        return  # a module of seqtasks is importing Keras right now; `__getattr__` registers the layers afterwards
    importlib.import_module("seqtasks.layers.registration")


register_when_imported(_register_layers)
