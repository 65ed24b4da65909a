"""Panel of tasks that read sound: record or load it."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from seqtasks.views.playground import markup
from seqtasks.views.playground.opened import Answer, OpenedRun
from seqtasks.views.playground.panels.panel import Panel

RATE = 8000  # samples a second of the example


class SoundPanel(Panel):
    """Panel of sound: a recording by microphone, or a WAV file."""

    LABEL = "Listen"

    def component(self) -> Any:
        import gradio as gr

        return gr.Audio(sources=["upload", "microphone"], type="filepath", format="wav", label="Load a file, or speak")

    @property
    def missing(self) -> str:
        return "there is no sound; allowed: one recording; record or load one"

    def words(self, value: Any, folder: Path) -> list[str]:
        return [value] if value else []

    def present(self, run: OpenedRun, answer: Answer, inputs: Sequence[str]) -> str:
        (row,) = answer.rows
        return markup.block(self.one({key: value for key, value in row.items() if key != "recording"}))

    def predict_example(self, run: OpenedRun) -> None:
        with TemporaryDirectory(prefix="seqtasks-") as folder:
            path = Path(folder) / "noise.wav"
            samples = np.random.default_rng(0).normal(0, 1000, RATE // 2).astype("<i2")
            with wave.open(str(path), "wb") as file:
                file.setparams((1, 2, RATE, len(samples), "NONE", ""))
                file.writeframes(samples.tobytes())
            run.ask([str(path)], {})
