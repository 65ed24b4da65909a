"""Registers with Keras all classes that a saved model may contain, also by former names.

Importing this module imports every cell and layer, which registers them.
"""

import importlib
import pkgutil

import keras

from seqtasks import cells, layers
from seqtasks.layers.permute_time import PermuteTime
from seqtasks.layers.recurrent_attention import RecurrentAttention
from seqtasks.layers.softmax_heads import LabelSmoothingHead
from seqtasks.layers.speech import CTCHead, TimeReduction
from seqtasks.layers.vision import FrameEncoder, PositionEmbedding2D

for _package in (cells, layers):
    for _module in pkgutil.iter_modules(_package.__path__, f"{_package.__name__}."):
        importlib.import_module(_module.name)

FORMER_NAMES: dict[str, type[keras.layers.Layer]] = {
    "BlankHead": CTCHead,
    "FilmReader": FrameEncoder,
    "Gaze": RecurrentAttention,
    "JoinSteps": TimeReduction,
    "Places": PositionEmbedding2D,
    "Reorder": PermuteTime,
    "SmoothedHead": LabelSmoothingHead,
}

for _name, _class in FORMER_NAMES.items():
    # A subclass with the former name, because Keras stores weights under the names of classes.
    _former = type(_name, (_class,), {"__doc__": f"`{_class.__name__}` in files saved by seqtasks 0.1.0."})
    keras.saving.register_keras_serializable("seqtasks", _name)(_former)
