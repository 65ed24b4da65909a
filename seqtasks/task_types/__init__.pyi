from .audio_classification.task import AudioOptions, AudioTask
from .base import Baseline, Task, register_task
from .captioning.task import CaptionOptions, CaptionTask
from .image_classification.task import ImageTask
from .language_modeling.labelled_text_task import TextLanguageOptions, TextLanguageTask
from .language_modeling.task import LanguageOptions, LanguageTask
from .speech_recognition.task import CTCTask, StringOptions
from .tagging.task import TaggingOptions, TaggingTask
from .text_classification.task import TextOptions, TextTask
from .translation.task import TranslationOptions, TranslationTask
from .video_labeling.task import FramesTask
from .visual_attention.task import GlimpseTask

__all__ = [
    "AudioOptions",
    "AudioTask",
    "Baseline",
    "CTCTask",
    "CaptionOptions",
    "CaptionTask",
    "FramesTask",
    "GlimpseTask",
    "ImageTask",
    "LanguageOptions",
    "LanguageTask",
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
    "register_task",
]
