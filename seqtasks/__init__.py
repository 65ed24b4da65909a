"""seqtasks: the RNN laboratory for Keras.

Importing it imports no Keras, so that the command line answers at once; the names
below are imported when first used. The layers register with Keras as soon as both are
imported, so `keras.models.load_model` knows them. Only where the very first import is
of a submodule, as in `from seqtasks.recurrent import Recurrent`, the others register
later: `import seqtasks.saved_types` registers all.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqtasks.audio_task import AudioOptions, AudioTask
    from seqtasks.caption_task import CaptionOptions, CaptionTask
    from seqtasks.cells.base import Cell, make_cell, register_cell
    from seqtasks.config import EncoderConfig
    from seqtasks.ctc_task import CTCTask, StringOptions
    from seqtasks.data.cache import fingerprint
    from seqtasks.data.sources import Source
    from seqtasks.data.splits import Examples, Splits
    from seqtasks.decoder import Decoder
    from seqtasks.encoder import Encoder
    from seqtasks.frames_task import FramesTask
    from seqtasks.glimpse_task import GlimpseTask
    from seqtasks.image_task import ImageTask
    from seqtasks.language_task import LanguageOptions, LanguageTask
    from seqtasks.recurrent import Recurrent
    from seqtasks.results import Row
    from seqtasks.settings import setting
    from seqtasks.tagging_task import TaggingOptions, TaggingTask
    from seqtasks.task import Baseline, Task, register_task
    from seqtasks.text_language_task import TextLanguageOptions, TextLanguageTask
    from seqtasks.text_task import TextOptions, TextTask
    from seqtasks.translation_task import TranslationOptions, TranslationTask

__version__ = "0.1.0"

_PUBLIC = {
    "AudioOptions": "seqtasks.audio_task",
    "AudioTask": "seqtasks.audio_task",
    "Baseline": "seqtasks.task",
    "CTCTask": "seqtasks.ctc_task",
    "CaptionOptions": "seqtasks.caption_task",
    "CaptionTask": "seqtasks.caption_task",
    "Cell": "seqtasks.cells.base",
    "Decoder": "seqtasks.decoder",
    "Encoder": "seqtasks.encoder",
    "EncoderConfig": "seqtasks.config",
    "Examples": "seqtasks.data.splits",
    "Splits": "seqtasks.data.splits",
    "Source": "seqtasks.data.sources",
    "fingerprint": "seqtasks.data.cache",
    "FramesTask": "seqtasks.frames_task",
    "GlimpseTask": "seqtasks.glimpse_task",
    "ImageTask": "seqtasks.image_task",
    "LanguageOptions": "seqtasks.language_task",
    "LanguageTask": "seqtasks.language_task",
    "Recurrent": "seqtasks.recurrent",
    "Row": "seqtasks.results",
    "StringOptions": "seqtasks.ctc_task",
    "TaggingOptions": "seqtasks.tagging_task",
    "TaggingTask": "seqtasks.tagging_task",
    "Task": "seqtasks.task",
    "TextLanguageOptions": "seqtasks.text_language_task",
    "TextLanguageTask": "seqtasks.text_language_task",
    "TextOptions": "seqtasks.text_task",
    "TextTask": "seqtasks.text_task",
    "TranslationOptions": "seqtasks.translation_task",
    "TranslationTask": "seqtasks.translation_task",
    "make_cell": "seqtasks.cells.base",
    "register_cell": "seqtasks.cells.base",
    "register_task": "seqtasks.task",
    "setting": "seqtasks.settings",
}

__all__ = [
    "AudioOptions",
    "AudioTask",
    "Baseline",
    "CTCTask",
    "CaptionOptions",
    "CaptionTask",
    "Cell",
    "Decoder",
    "Encoder",
    "EncoderConfig",
    "Examples",
    "FramesTask",
    "GlimpseTask",
    "ImageTask",
    "LanguageOptions",
    "LanguageTask",
    "Recurrent",
    "Row",
    "Source",
    "Splits",
    "StringOptions",
    "TaggingOptions",
    "TaggingTask",
    "Task",
    "TextLanguageOptions",
    "TextLanguageTask",
    "TextOptions",
    "TextTask",
    "TranslationOptions",
    "TranslationTask",
    "__version__",
    "fingerprint",
    "make_cell",
    "register_cell",
    "register_task",
    "setting",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(_PUBLIC[name]), name)
        if "keras" in sys.modules:
            _register_with_keras()
        return value
    raise AttributeError(f"module 'seqtasks' has no attribute {name!r}")


def _register_with_keras() -> None:
    ours = [module for name, module in sys.modules.items() if name.startswith("seqtasks.")]
    if any(getattr(module.__spec__, "_initializing", False) for module in ours):
        return  # one of our modules is importing Keras just now; `__getattr__` does it afterwards
    importlib.import_module("seqtasks.saved_types")


class _AfterKeras(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports our layers right after Keras, whenever that is.

    Keras finds classes of saved models only if they were registered; importing Keras
    here to do so would cost the command line several seconds.
    """

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("keras")
        if spec is None or spec.loader is None:
            return None
        self.wrapped, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: Any) -> Any:
        return self.wrapped.create_module(spec)

    def exec_module(self, module: Any) -> None:
        module.__spec__.loader = module.__loader__ = self.wrapped
        self.wrapped.exec_module(module)
        _register_with_keras()


if "keras" in sys.modules:
    _register_with_keras()
else:
    sys.meta_path.insert(0, _AfterKeras())
