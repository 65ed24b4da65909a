"""Panel of tasks that read sound: record or load it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from seqtasks.deploy.examples import example_sound
from seqtasks.deploy.inputs import write_file
from seqtasks.deploy.opened_run import Answer
from seqtasks.views.playground import markup
from seqtasks.views.playground.opened import OpenedRun
from seqtasks.views.playground.panels.panel import Panel


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
            run.ask([str(write_file(example_sound(), "sound", Path(folder), 0))], {})
