"""The page of the playground: a tab for each task, its inputs, and a column for each run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from seqtasks.core.errors import SeqtasksError
from seqtasks.task_types import (
    AnomalyTask,
    AudioTask,
    CaptionTask,
    CTCTask,
    ForecastTask,
    FramesTask,
    GlimpseTask,
    ImageTask,
    LanguageTask,
    ProbeTask,
    SeriesLabelingTask,
    SeriesTask,
    TaggingTask,
    TextTask,
    TranslationTask,
)
from seqtasks.task_types.base import Task
from seqtasks.views import colored_text
from seqtasks.views.playground import markup
from seqtasks.views.playground.opened import OpenedRun
from seqtasks.views.playground.panels.examples import ExamplesPanel
from seqtasks.views.playground.panels.generation import GenerationPanel
from seqtasks.views.playground.panels.images import ImagePanel, VideoPanel
from seqtasks.views.playground.panels.panel import Panel
from seqtasks.views.playground.panels.series import SeriesPanel
from seqtasks.views.playground.panels.sound import SoundPanel
from seqtasks.views.playground.panels.texts import ClassificationPanel, TaggingPanel, TranslationPanel

# The first type that a task has decides; every other task has the panel for any task.
PANELS: Sequence[tuple[type[Task], type[Panel]]] = (
    (LanguageTask, GenerationPanel),
    (TextTask, ClassificationPanel),
    (TaggingTask, TaggingPanel),
    (TranslationTask, TranslationPanel),
    (ImageTask, ImagePanel),
    (GlimpseTask, ImagePanel),
    (CaptionTask, ImagePanel),
    (FramesTask, VideoPanel),
    (AudioTask, SoundPanel),
    (CTCTask, SoundPanel),
    (SeriesTask, SeriesPanel),
    (ForecastTask, SeriesPanel),
    (SeriesLabelingTask, SeriesPanel),
    (AnomalyTask, SeriesPanel),
    (ProbeTask, ExamplesPanel),
)
VISITORS = 20  # number of requests that are worked on at the same time
WAITING = 200  # maximum number of requests in the queue
CLEAN = 600, 1800  # seconds between removals of uploaded files, and their age
log = logging.getLogger(__name__)


def panel_of(task: Task) -> type[Panel]:
    """The panel for a task, by its type.

    Args:
        task: The task.
    """
    for kind, panel in PANELS:
        if isinstance(task, kind):
            return panel
    return ExamplesPanel if type(task).predict is Task.predict else Panel


def panels_of(runs: Sequence[OpenedRun]) -> dict[str, Panel]:
    """Groups runs by task, and makes a panel for each task.

    Args:
        runs: The runs.

    Returns:
        Panels by the name of the task, in the order of the runs.
    """
    groups: dict[str, list[OpenedRun]] = {}
    for run in runs:
        groups.setdefault(run.task.name, []).append(run)
    return {name: panel_of(group[0].task)(group) for name, group in groups.items()}


def build(panels: dict[str, Panel]) -> Any:
    """Builds the page.

    Args:
        panels: Panels by the title of their tabs.

    Returns:
        Gradio's `Blocks`.
    """
    import gradio as gr

    with gr.Blocks(analytics_enabled=False, title="seqtasks", delete_cache=CLEAN) as page:
        if len(panels) == 1:
            _panel(*next(iter(panels.items())))
        else:
            with gr.Tabs():
                for name, panel in panels.items():
                    with gr.Tab(name):
                        _panel(name, panel)
    page.queue(default_concurrency_limit=VISITORS, max_size=WAITING)
    return page


def css() -> str:
    """Style sheet of the answers."""
    return markup.CSS + colored_text.rules()


def _panel(name: str, panel: Panel) -> None:
    """Adds inputs, buttons and the columns of the runs."""
    import gradio as gr

    gr.Markdown(f"### {name}: {_summary(panel.task)}")
    inputs = panel.inputs()
    with gr.Row():
        buttons = {
            label: gr.Button(label, variant="secondary" if number else "primary", elem_id=f"{name}-{number}")
            for number, label in enumerate(panel.actions())
        }
        stop = gr.Button("Stop", variant="stop") if len(buttons) > 1 else None
    events: list[Any] = []
    with gr.Row():
        for number, run in enumerate(panel.runs):
            with gr.Column(min_width=320):
                gr.Markdown(f"**{run.title}**\n\n`{run.folder.path.name}`")
                outputs = panel.outputs(run)
            states = [output for output in outputs if isinstance(output, gr.State)]
            for index, (label, function) in enumerate(panel.actions().items()):
                event = buttons[label].click(
                    guarded(function, run),
                    [*inputs, *(states if index else [])],
                    outputs,
                    api_name=f"{name}_{number}_{label.split()[0].lower()}",
                    show_progress="minimal",
                )
                events.append(event)
    if stop is not None:
        stop.click(None, None, None, cancels=events)


def guarded(function: Callable[..., Iterator[Any]], run: OpenedRun) -> Callable[..., Iterator[Any]]:
    """A function of a panel for one run, whose errors are shown to the visitor on one line.

    Args:
        function: Function of a panel.
        run: The run.
    """
    import gradio as gr

    def answered(*values: Any) -> Iterator[Any]:
        try:
            for outputs in function(run, *values):
                yield outputs if len(outputs) > 1 else outputs[0]
        except SeqtasksError as error:
            raise gr.Error(" ".join(str(error).split()), print_exception=False) from error
        except Exception as error:
            log.exception("%s: the request failed", run.folder.path.name)
            raise gr.Error(f"the run cannot answer this: {type(error).__name__}", print_exception=False) from error

    return answered


def _summary(task: Task) -> str:
    lines = (type(task).__doc__ or "").strip().splitlines()
    return lines[0].rstrip(".") if lines else ""
