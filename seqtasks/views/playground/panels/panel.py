"""Panel for any task: what `seqtasks predict` reads, its options, its rows and pictures."""

from __future__ import annotations

import contextlib
import dataclasses
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Literal

from seqtasks.core.errors import ConfigError, SeqtasksError
from seqtasks.deploy.opened_run import Answer
from seqtasks.views.playground import markup
from seqtasks.views.playground.opened import OpenedRun

Outputs = Iterator[tuple[Any, ...]]


class Panel:
    """Inputs of one task, and the answers of its runs, each in a column.

    A subclass for a kind of task overrides the component of its inputs and the HTML of an answer. No object of a panel
    belongs to a visitor: what a visitor has is in the components and in the states of the page.

    Args:
        runs: Runs of one task.

    Attributes:
        LABEL: Text of the button that asks for an answer.
        HIDDEN: Options of `predict` that the panel does not show.
    """

    LABEL: ClassVar[str] = "Predict"
    HIDDEN: ClassVar[tuple[str, ...]] = ()

    def __init__(self, runs: Sequence[OpenedRun]):
        self.runs, self.task = list(runs), runs[0].task

    @property
    def options(self) -> list[dataclasses.Field[Any]]:
        """Options of `predict` that the visitor sets: all but those that write files."""
        fields = dataclasses.fields(self.task.PredictOptions)
        return [f for f in fields if not f.metadata.get("output") and f.name not in self.HIDDEN]

    def inputs(self) -> list[Any]:
        """Creates the components of the inputs and options."""
        return [self.component(), *self.option_components()]

    def component(self) -> Any:
        """Creates the component of what the task reads: texts, one a line, words or files."""
        import gradio as gr

        if self.task.reads == "paths":
            return gr.File(file_count="multiple", label="Files", height=120)
        if self.task.reads == "texts":
            return gr.Textbox(lines=2, max_lines=8, label="Text, one input on each line", elem_classes="input-text")
        return gr.Textbox(label="Words", elem_classes="input-text")

    def option_components(self) -> list[Any]:
        """Creates a component for each option."""
        return [_option_component(self.task.PredictOptions, option) for option in self.options]

    def outputs(self, run: OpenedRun) -> list[Any]:
        """Creates the components of the answer of a run."""
        import gradio as gr

        return [gr.HTML(elem_classes="column")]

    def actions(self) -> dict[str, Callable[..., Outputs]]:
        """Functions by the text of their buttons, called with a run and the values of the inputs."""
        return {self.LABEL: self.answer}

    def answer(self, run: OpenedRun, value: Any, *options: Any) -> Outputs:
        """Yields the values of the outputs of a run.

        Args:
            run: The run.
            value: Value of the first component.
            *options: Values of the options.

        Raises:
            SeqtasksError: Inputs or options that the task does not allow.
        """
        names = [option.name for option in self.options]
        with TemporaryDirectory(prefix="seqtasks-") as folder:
            words = self.words(value, Path(folder))
            if not words:
                raise ConfigError(self.missing)
            chosen = dict(zip(names, map(value_of, options), strict=True))
            answer = run.ask(words, chosen)
            yield (self.present(run, answer, words),)
            pictures = self.draw(run, answer, words, chosen)  # takes longer than the prediction
            if pictures:
                yield (self.present(run, dataclasses.replace(answer, pictures=pictures), words),)

    @property
    def missing(self) -> str:
        """Message if there is no input."""
        what = {"paths": "file", "texts": "text"}.get(self.task.reads, "input")
        return f"there is no {what}; allowed: one or more; give a {what}"

    def words(self, value: Any, folder: Path) -> list[str]:
        """Turns the value of the first component into the inputs of `predict`.

        Args:
            value: Value of the component.
            folder: Empty folder for files, removed after the answer.
        """
        if isinstance(value, str):
            return [line for line in value.splitlines() if line.strip()]
        return [str(path) for path in value or ()]

    def draw(
        self, run: OpenedRun, answer: Answer, inputs: Sequence[str], options: Mapping[str, Any]
    ) -> dict[str, bytes]:
        """Draws the pictures of an answer: those that `seqtasks predict` would write to files.

        Args:
            run: The run.
            answer: Its answer.
            inputs: Inputs of the answer.
            options: Options of `predict` by name.

        Returns:
            PNG files by a name that describes them.
        """
        return run.ask(inputs, options, run.pictures).pictures if run.pictures else {}

    def present(self, run: OpenedRun, answer: Answer, inputs: Sequence[str]) -> str:
        """HTML of an answer: the rows with their probabilities, then the pictures.

        Args:
            run: The run.
            answer: Its answer.
            inputs: Inputs of the answer.
        """
        names = {path: Path(path).name for path in inputs} if self.task.reads == "paths" else {}
        rows = [{key: _short(value, names) for key, value in row.items()} for row in answer.rows]
        shown = self.one(rows[0]) if len(rows) == 1 else markup.table(rows)
        return markup.block(shown, *(markup.picture(png, name) for name, png in answer.pictures.items()))

    def one(self, row: dict[str, Any]) -> str:
        """HTML of the only row of an answer: the answer, bars of the probabilities, other columns."""
        probabilities = {name[2:-1]: value for name, value in row.items() if name.startswith("P(")}
        rest = {name: value for name, value in row.items() if not name.startswith("P(")}
        best = rest.pop(self.task.answer_column, None)
        parts = [] if best is None else [markup.paragraph(markup.number(best), "best")]
        return "".join([*parts, markup.bars(probabilities) if probabilities else "", markup.table([rest])])

    def warm(self, run: OpenedRun) -> None:
        """Predicts once, so that the first visitor does not wait for compilation."""
        with contextlib.suppress(SeqtasksError):
            self.predict_example(run)

    def predict_example(self, run: OpenedRun) -> None:
        """Predicts for examples that every model of the task can read, if there are some.

        From texts that differ in all their sizes, Keras traces functions that serve all sizes.
        """
        if self.task.reads == "texts":
            for text in ("a", "some more words", "even more of several lengths"):
                list(self.answer(run, text, *(option.default for option in self.options)))


def _short(value: Any, names: dict[str, str]) -> Any:
    """A file name in place of the path of an uploaded file."""
    return names.get(value, value) if isinstance(value, str) else value


def value_of(value: Any) -> Any:
    """The value of an option: an empty text is no value, and whole numbers are of type int."""
    if value == "":
        return None
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _option_component(options: type, option: dataclasses.Field[Any]) -> Any:
    """Creates the component of an option by its type."""
    import gradio as gr

    hint = typing.get_type_hints(options)[option.name]
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    default = None if option.default is dataclasses.MISSING else option.default
    label, info = option.name.replace("_", " "), option.metadata.get("help", "")
    if typing.get_origin(hint) is Literal:
        return gr.Dropdown(list(typing.get_args(hint)), value=default, label=label, info=info)
    if hint is bool:
        return gr.Checkbox(value=bool(default), label=label, info=info)
    if hint in (int, float) and default is not None:  # an empty field of numbers would be sent as 0
        return gr.Number(value=default, label=label, info=info, precision=0 if hint is int else None)
    return gr.Textbox(value=default, label=label, info=info.replace("null", "empty"))
