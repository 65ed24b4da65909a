from .anomaly_detection.settings import AnomalyOptions, AnomalySpec
from .anomaly_detection.task import AnomalyTask
from .audio_classification.task import AudioOptions, AudioSpec, AudioTask
from .base import Baseline, Task, register_task
from .captioning.task import CaptionOptions, CaptionSpec, CaptionTask
from .forecasting.settings import ForecastOptions, ForecastPredictOptions, ForecastSpec
from .forecasting.task import ForecastTask
from .image_classification.task import ImageSpec, ImageTask
from .language_modeling.labelled_text_task import TextLanguageOptions, TextLanguageTask
from .language_modeling.task import LanguageOptions, LanguageSpec, LanguageTask
from .probes.recalled import recalled_in_order
from .probes.task import ProbeOptions, ProbeSpec, ProbeTask, StateTrackingOptions
from .series.settings import SeriesOptions, SeriesSpec
from .series.task import SeriesTask
from .series_labeling.settings import SeriesLabelingOptions, SeriesLabelingSpec
from .series_labeling.task import SeriesLabelingTask
from .speech_recognition.task import CTCTask, StringOptions, StringSpec
from .tagging.settings import TaggingOptions, TaggingSpec
from .tagging.task import TaggingTask
from .text_classification.task import TextOptions, TextSpec, TextTask
from .translation.task import TranslationOptions, TranslationSpec, TranslationTask
from .video_labeling.task import FramesSpec, FramesTask
from .visual_attention.task import GlimpseTask

__all__ = [
    "AnomalyOptions",
    "AnomalySpec",
    "AnomalyTask",
    "AudioOptions",
    "AudioSpec",
    "AudioTask",
    "Baseline",
    "CTCTask",
    "CaptionOptions",
    "CaptionSpec",
    "CaptionTask",
    "ForecastOptions",
    "ForecastPredictOptions",
    "ForecastSpec",
    "ForecastTask",
    "FramesSpec",
    "FramesTask",
    "GlimpseTask",
    "ImageSpec",
    "ImageTask",
    "LanguageOptions",
    "LanguageSpec",
    "LanguageTask",
    "ProbeOptions",
    "ProbeSpec",
    "ProbeTask",
    "SeriesLabelingOptions",
    "SeriesLabelingSpec",
    "SeriesLabelingTask",
    "SeriesOptions",
    "SeriesSpec",
    "SeriesTask",
    "StateTrackingOptions",
    "StringOptions",
    "StringSpec",
    "TaggingOptions",
    "TaggingSpec",
    "TaggingTask",
    "Task",
    "TextLanguageOptions",
    "TextLanguageTask",
    "TextOptions",
    "TextSpec",
    "TextTask",
    "TranslationOptions",
    "TranslationSpec",
    "TranslationTask",
    "recalled_in_order",
    "register_task",
]
