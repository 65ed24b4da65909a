"""Looks into a trained run: units and what they follow, pictures of states, gates and eigenvalues."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.core.errors import ConfigError
from seqtasks.core.files import write_text
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import run_folder
from seqtasks.task_types.base import Task
from seqtasks.task_types.common.plots import save_figure
from seqtasks.task_types.common.steps import Steps
from seqtasks.training.inference import run_data
from seqtasks.training.saved_model import open_trained
from seqtasks.views import colored_text, figures
from seqtasks.views.activations import LayerStates, activations, layer_names
from seqtasks.views.spectrum import jacobians_of, recurrent_eigenvalues
from seqtasks.views.units import Following, following

if TYPE_CHECKING:
    from rich.text import Text

SEQUENCES = 256  # maximum number of test sequences
TEXT_STEPS = 2000  # number of steps of a coloured text
DRAWN_PATHS = 12  # number of trajectories in a picture; of texts there is one, with its symbols
TEXT_PATH = 60  # maximum number of symbols in it
DRAWN_UNITS = 6  # number of units in a picture
_UNIT = re.compile(r"(?:(\w+):)?(\d+)")


@dataclass(frozen=True)
class LookOptions:
    """Arguments of `seqtasks look`.

    Attributes:
        inputs: Texts or paths of files, as for `seqtasks predict`; empty: the test split.
        layer: Number of the layer, from 1; None: the last.
        unit: Unit to show, as `12` or `c:12` (number 12 of the state c); None: those that follow a property.
        top: Number of units to list.
        example: Number of the sequence to draw, from 0.
        steps: Maximum number of steps in a picture.
    """

    inputs: Sequence[str] = ()
    layer: int | None = None
    unit: str | None = None
    top: int = 10
    example: int = 0
    steps: int = 100


@dataclass(frozen=True, eq=False)
class Look:
    """Result of `look`.

    Attributes:
        rows: Table of units: state, unit, property and correlations.
        gates: Table of gates: how often they are open and shut.
        files: Written files.
        text: The text coloured by the first unit; None: the steps have no text.
        notes: Lines to print.
    """

    rows: list[dict[str, Any]]
    gates: list[dict[str, Any]]
    files: list[Path]
    text: Text | None = None
    notes: list[str] = field(default_factory=list)


def look(folder: run_folder.Run, options: LookOptions, out: Path, reporter: Reporter, trust: bool = False) -> Look:
    """Looks at the states of a run over the test split or over inputs, and writes pictures.

    Args:
        folder: The finished run.
        options: What to look at.
        out: Folder that pictures and tables are written to; it is created.
        reporter: Prints progress.
        trust: Run the Python code that is stored in the run folder.

    Returns:
        Tables, and the paths of the written files.

    Raises:
        ConfigError: There is no such layer, unit or example, or the model has no recurrent layer.
        RunError: The run cannot be used, or its data has changed.
    """
    task, config, model = open_trained(folder, trust)
    check_recurrent(task)
    inputs, targets = read(task, model, folder, config, options.inputs, reporter)
    steps = task.describe_steps(inputs, targets)
    name = _chosen_layer(list(layer_names(model).values()), options.layer)
    layers = activations(model, inputs, gates=name)
    layer = next(one for one in layers if one.name == name)
    names = [(state, i) for state, values in layer.states.items() for i in range(values.shape[-1])]
    chosen = None if options.unit is None else _unit_numbers(options.unit, names)
    if not 0 <= options.example < len(layer.valid):
        raise ConfigError(
            f"--example is {options.example}; allowed: 0 to {len(layer.valid) - 1}, the sequences that were read; "
            "choose one of them"
        )
    values, properties, symbols = _flat(layer, steps)
    units = following(values, properties, symbols, chosen)
    pictures = _Pictures(f"{folder.path.name}, {layer.name}", layer, steps, options, names)
    ranked = _ranked(units, values, chosen)
    out.mkdir(parents=True, exist_ok=True)
    files = []
    for name, figure in pictures.figures(units):
        save_figure(figure, out / f"{name}.png")
        files.append(out / f"{name}.png")
    text = None
    if steps.labels is not None:
        write_text(out / "text.html", pictures.page(units, ranked))
        files.append(out / "text.html")
        text = pictures.terminal(ranked[0])
    rows = [_row(unit, names) for unit in units[: options.top]]
    notes = [] if rows else ["no property of the steps varies enough in both halves to compare units with it"]
    return Look(rows, _gate_rows(layer), files, text, notes)


def check_recurrent(task: Task) -> None:
    """Checks that the model of a task has a recurrent encoder.

    Raises:
        ConfigError: It has none.
    """
    if not task.uses_encoder:
        raise ConfigError(
            f"task {task.name} has no recurrent network with the options of this run; allowed: runs with a cell; look "
            "at another run"
        )


def read(
    task: Task,
    model: keras.Model,
    folder: run_folder.Run,
    config: Any,
    inputs: Sequence[str],
    reporter: Reporter,
    steps: int | None = None,
) -> tuple[Any, ...]:
    """Returns a batch of the test split, or of inputs of a user, whose targets are None.

    Args:
        task: The task.
        model: The model.
        folder: The run.
        config: Its configuration.
        inputs: Texts or paths; empty: the test split.
        reporter: Prints progress.
        steps: Maximum number of steps, where the task can cut sequences.

    Returns:
        Inputs and targets, and weights for some tasks.
    """
    if inputs:
        return task.encode_inputs(inputs), None
    sequences = SEQUENCES
    for layer in model._flatten_layers():
        if getattr(layer, "stateful", False) and hasattr(layer, "max_batch"):
            sequences = min(sequences, layer.max_batch)
    batch = task.sample(run_data(folder, task, config, reporter).test, sequences, steps)
    return tuple(batch) if steps is not None else tuple(batch[:2])


def _chosen_layer(names: Sequence[str], number: int | None) -> str:
    """The name of the layer of a number from 1, in the forward direction; the last if None."""
    forward = [name for name in names if not name.endswith("backward")]
    if number is None or not forward:  # `activations` refuses a model without recurrent layers
        return forward[-1] if forward else ""
    if not 1 <= number <= len(forward):
        raise ConfigError(
            f"--layer is {number}; allowed: 1 to {len(forward)}, the layers of this model; choose one of them"
        )
    return forward[number - 1]


def _unit_numbers(text: str, names: Sequence[tuple[str, int]]) -> IntArray:
    """Columns of a unit that the user named, one for each state unless a state is named."""
    parsed = _UNIT.fullmatch(text)
    columns = [
        column
        for column, (state, number) in enumerate(names)
        if parsed and number == int(parsed[2]) and parsed[1] in (None, state)
    ]
    if not columns:
        sizes: dict[str, int] = {}
        for state, number in names:
            sizes[state] = number
        forms = ", ".join(f"{state}:0 to {state}:{last}" for state, last in sizes.items())
        raise ConfigError(f"--unit is {text!r}; allowed: a number, or {forms}; choose one of them")
    return np.array(columns)


def _flat(layer: LayerStates, steps: Steps) -> tuple[FloatArray, dict[str, FloatArray], IntArray | None]:
    """Values of all units, properties and symbols at the valid steps, in their order."""
    valid, time = layer.valid, layer.valid.shape[1]
    properties = {name: _at_steps(values, time)[valid] for name, values in steps.properties.items()}
    symbols = None if steps.tokens is None or steps.tokens.shape != valid.shape else steps.tokens[valid]
    return layer.joined[valid], properties, symbols


def _at_steps(values: Any, time: int) -> Any:
    """Values `(batch, length)` at the time steps of the encoder, each the last that the step has read."""
    length = values.shape[1]
    index = np.ceil((np.arange(time) + 1) * length / time).astype(int) - 1
    return values if length == time else values[:, index]


def _ranked(units: Sequence[Following], values: FloatArray, chosen: IntArray | None) -> list[int]:
    """Columns of the units to show: those that follow something, else those that vary most."""
    if chosen is not None:
        return list(dict.fromkeys([*(row.unit for row in units), *chosen.tolist()]))
    return list(dict.fromkeys(row.unit for row in units)) or np.argsort(-values.std(axis=0))[:DRAWN_UNITS].tolist()


def _row(unit: Following, names: Sequence[tuple[str, int]]) -> dict[str, Any]:
    state, number = names[unit.unit]
    row = {"state": state, "unit": number, "follows": unit.property, "correlation": unit.correlation}
    row["where chosen"] = unit.chosen
    return row | ({} if unit.by_symbol is None else {"symbol alone": unit.by_symbol, "given the symbol": unit.partial})


def _gate_rows(layer: LayerStates) -> list[dict[str, Any]]:
    rows = []
    for name, values in layer.gates.items():
        flat = values[layer.valid]
        opened, shut = flat > figures.OPEN, flat < figures.SHUT
        rows.append(
            {
                "gate": name,
                "mean": float(flat.mean()),
                f"open (> {figures.OPEN})": float(opened.mean()),
                f"shut (< {figures.SHUT})": float(shut.mean()),
                "units always open": int(opened.all(axis=0).sum()),
                "units always shut": int(shut.all(axis=0).sum()),
            }
        )
    return rows


@dataclass(frozen=True, eq=False)
class _Pictures:
    """Pictures and texts of one layer."""

    title: str
    layer: LayerStates
    steps: Steps
    options: LookOptions
    names: Sequence[tuple[str, int]]

    @property
    def length(self) -> int:
        """Number of valid steps of the drawn sequence."""
        return int(self.layer.valid[self.options.example].sum())

    @property
    def drawn(self) -> int:
        """Number of steps in a picture."""
        return max(1, min(self.length, self.options.steps))

    @property
    def labels(self) -> list[str] | None:
        """Texts of the steps of the drawn sequence."""
        return None if self.steps.labels is None else list(self.steps.labels[self.options.example])

    def figures(self, units: Sequence[Following]) -> Iterator[tuple[str, Any]]:
        """Yields file names without suffix, and figures."""
        row, time, layer = self.options.example, self.drawn, self.layer
        signal = None if self.steps.signal is None else self._part_of_signal(self.steps.signal[row])
        states = {name: values[row, :time] for name, values in layer.states.items()}
        yield "states", figures.state_figure(self.title, states, self.labels, signal)
        if units:
            yield "units", figures.unit_figure([self._unit_row(unit) for unit in units[:DRAWN_UNITS]], self.labels)
        if layer.gates:
            yield "gates", figures.gate_figure(self.title, layer.gates, layer.valid, row, time, self.labels)
        count, longest = (DRAWN_PATHS, self.options.steps) if self.labels is None else (1, TEXT_PATH)
        order = [row, *(i for i in range(len(layer.valid)) if i != row)][:count]
        paths = [layer.joined[i][layer.valid[i]][:longest] for i in order]
        titles = [self.steps.titles[i] for i in order] if self.steps.titles else []
        kept = [i for i, path in enumerate(paths) if len(path)]
        if sum(len(paths[i]) for i in kept) > 2:
            named = [titles[i] for i in kept] if titles else []
            yield "trajectories", figures.trajectory_figure(self.title, [paths[i] for i in kept], named, self.labels)
        jacobians = [np.linalg.eigvals(matrix) for matrix in jacobians_of(layer)]
        matrices = recurrent_eigenvalues(layer.cell)
        yield "spectrum", figures.spectrum_figure(self.title, matrices, jacobians)

    def _part_of_signal(self, signal: FloatArray) -> FloatArray:
        """The part of the input that the drawn steps read."""
        per_step = len(signal) / self.layer.valid.shape[1]
        return signal[: max(1, int(np.ceil(self.drawn * per_step)))]

    def _unit_row(self, unit: Following) -> tuple[str, FloatArray, str, FloatArray]:
        row, time = self.options.example, self.drawn
        values = self.layer.joined[row, :time, unit.unit]
        property_values = _at_steps(self.steps.properties[unit.property], self.layer.valid.shape[1])[row, :time]
        return self._describe(unit), values, unit.property, property_values

    def _describe(self, unit: Following) -> str:
        state, number = self.names[unit.unit]
        return f"{state} {number} follows: {unit.property} (correlation {unit.correlation:.2f})"

    def page(self, units: Sequence[Following], ranked: Sequence[int]) -> str:
        """The HTML page of the text, coloured by one unit after the other."""
        follows: dict[int, str] = {}
        for unit in units:
            follows.setdefault(unit.unit, self._describe(unit))
        shown = []
        for column in ranked[: self.options.top]:
            state, number = self.names[column]
            shown.append((follows.get(column, f"{state} {number}"), self._values(column)))
        labels = (self.labels or [])[:TEXT_STEPS]
        return colored_text.page(self.title, labels[: len(shown[0][1])], self.steps.separator, shown)

    def terminal(self, column: int) -> Text:
        """The beginning of the text, coloured by a unit."""
        labels, values = self.labels or [], self._values(column)
        count = min(len(values), max(self.options.steps, 400))
        return colored_text.terminal(labels[:count], self.steps.separator, values[:count])

    def _values(self, column: int) -> FloatArray:
        """Values of a unit at the steps of the coloured text."""
        return self.layer.joined[self.options.example, : min(self.length, TEXT_STEPS), column]
