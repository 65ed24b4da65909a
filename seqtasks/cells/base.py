"""The base of every recurrent cell: equations split into `project` and `step`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol

import keras
import numpy as np
from keras import ops

from seqtasks.core.errors import ConfigError, suggest
from seqtasks.core.plugins import cells


def register_cell(
    name: str, *, paper: str, year: int | None = None, params: str | None = None
) -> Callable[[type[Cell]], type[Cell]]:
    """Class decorator: makes a cell available as `encoder.cell=name`.

    Args:
        name: the name used in configurations.
        paper: the source of the equations, a URL or a citation.
        year: of that source.
        params: the number of trainable parameters as a formula over m features, n units
            and the attributes of the cell, e.g. `"4*n*(m + n + 1)"`.

    Raises:
        DuplicateNameError: another cell has the name.
    """

    def register(cls: type[Cell]) -> type[Cell]:
        cls.cell_name, cls.paper, cls.year, cls.params = name, paper, year, params
        summary = (inspect.getdoc(cls) or "").split("\n")[0].rstrip(".")
        about = {"summary": summary, "paper": paper, "year": year, "params": params, "states": ", ".join(cls.states)}
        methods = {"native": "native_loop", "keras": "keras_layer", "parallel": "scan"}
        engines = [engine for engine, method in methods.items() if cls.has_own(method)]
        about["engines"] = ", ".join(["loop", *engines])
        cells.add(name, cls, cls.__module__, about)
        # After the registry: a class whose name it refuses must not stand for the saved cells of that name.
        return keras.saving.register_keras_serializable("seqtasks.cells", name)(cls)

    return register


class Recurrence(Protocol):
    """Linear recurrences over time; what `Cell.scan` is given. `engines.parallel` implements it."""

    def __call__(self, a: Any, b: Any, h0: Any) -> Any:
        """All h_t = a_t ⊙ h_{t-1} + b_t, (time, batch, size).

        Args:
            a: Factors, broadcast to the shape of `b`.
            b: Summands, (time, batch, size).
            h0: State before the first step, (batch, size).
        """

    def shift(self, v: Any, v0: Any) -> tuple[Any, Any]:
        """`v` (time, batch, size) of the valid step before each, and of the last valid step up to each.

        Args:
            v: (time, batch, size).
            v0: (batch, size), used where there was no valid step before.
        """

    def steps(self) -> Any:
        """The number of valid steps up to and including each, (time, batch or 1, 1)."""


class Cell(keras.layers.Layer):
    """One step of a recurrent network.

    A subclass creates its weights in `build`, and writes its equations in two parts:
    `project`, all that does not depend on the state, for the whole sequence in one
    matrix product; `step`, the rest. Products of a kernel with the previous state go
    through `dot`, which is where variational dropout falls. A cell that is linear in its
    state may also write `scan`, and is then run in parallel over time.

    A cell also works alone in `keras.layers.RNN(cell)`.

    Args:
        units: width of the output and of the states.
        kernel_initializer: of the weights that meet the input.
        recurrent_initializer: of the weights that meet the state.
    """

    cell_name: ClassVar[str]
    paper: ClassVar[str]
    year: ClassVar[int | None]
    params: ClassVar[str | None] = None
    states: ClassVar[tuple[str, ...]] = ("h",)
    scan: Callable[[Any, Sequence[Any], Recurrence], tuple[Any, list[Any]]] | None = None
    """`scan(p, states, recurrence)`, time first: p is (time, batch, width), a state (batch, size);
    it gives the outputs and each state of all steps, (time, batch, size)."""
    keras_layer: Callable[..., keras.layers.RNN] | None = None
    """Makes the Keras layer of the same equations, whose weights are W, U and b, if there is one."""
    native_loop: ClassVar[str | None] = None
    """The loop of the same equations in `engines.native`, if there is one."""

    def __init__(
        self,
        units: int,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if units < 1:
            raise ConfigError(f"units is {units}; allowed: ≥ 1")
        self.units = units
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self._dot_mask: Any = None

    @property
    def state_size(self) -> list[int]:
        """Widths of the states, in the order of `states`."""
        return [self.units] * len(self.states)

    @property
    def output_size(self) -> int:
        """Width of the output."""
        return self.units

    def project(self, x: Any) -> Any:
        """(steps, features) → (steps, width): all that needs no state, for all steps of all rows at once."""
        raise NotImplementedError

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        """(batch, width), states of (batch, units) → output (batch, units), new states."""
        raise NotImplementedError

    @classmethod
    def has_own(cls, method: str) -> bool:
        """Whether `scan`, `keras_layer` or `native_loop` is of the equations: defined where `step` is, or after."""
        bases = [base for base in cls.__mro__ if {"step", "project", "call", method} & vars(base).keys()]
        return bool(vars(bases[0]).get(method))

    def add_kernel(self, rows: int | None, columns: int, name: str = "kernel") -> Any:
        """A weight (rows, columns) that meets the input."""
        return self.add_weight((rows, columns), _fresh(self.kernel_initializer), name=name)

    def add_recurrent(self, rows: int, columns: int | None, name: str = "recurrent_kernel") -> Any:
        """A weight (rows, columns) that meets the state. Its name begins with `recurrent`."""
        return self.add_weight((rows, columns), _fresh(self.recurrent_initializer), name=name)

    def add_bias(self, size: int, value: float | Sequence[float] | np.ndarray = 0.0, name: str = "bias") -> Any:
        """A weight (size,) that starts as `value`, or as equal parts of each of several values."""
        return self.add_weight((size,), _Parts(value), name=name)

    def dot(self, h: Any, kernel: Any) -> Any:
        """`h @ kernel` for a previous state `h` of (batch, size), with variational dropout on `h`."""
        return self.drop(h) @ kernel

    def drop(self, h: Any) -> Any:
        """A previous state under variational dropout, for products other than `dot`."""
        return h if self._dot_mask is None else h * self._dot_mask[:, : h.shape[-1]]

    @contextmanager
    def variational_dropout(self, mask: Any) -> Iterator[None]:
        """While active, `drop` multiplies by `mask` of (batch, the widest state)."""
        self._dot_mask = mask
        try:
            yield
        finally:
            self._dot_mask = None

    def recurrent_weights(self) -> dict[str, Any]:
        """The trained matrices that meet the state, and lists of such, by attribute."""
        return {name: value for name, value in vars(self).items() if name[0] != "_" and _is_recurrent(value)}

    @contextmanager
    def weight_drop(self, drop: Callable[[Any], Any]) -> Iterator[None]:
        """While active, the recurrent matrices are what `drop` makes of them; the weights stay as they are."""
        kept = self.recurrent_weights()
        # Past Keras, which would track the dropped matrices as weights.
        self.__dict__.update({k: [drop(w) for w in v] if isinstance(v, list) else drop(v) for k, v in kept.items()})
        try:
            yield
        finally:
            self.__dict__.update(kept)

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """The states before the first step, a list of (batch, units)."""
        return [ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in self.state_size]

    def call(self, inputs: Any, states: Sequence[Any], training: bool = False) -> tuple[Any, list[Any]]:
        """One step on (batch, features), as `keras.layers.RNN` calls it."""
        return self.step(self.project(inputs), states)

    def get_config(self) -> dict[str, Any]:
        """The arguments; each is read from the attribute of its name."""
        arguments = {name: _plain(getattr(self, name)) for name in cell_options(type(self))}
        return {**super().get_config(), "units": self.units, **arguments}


class _Parts(keras.initializers.Initializer):
    """Equal parts of a vector, each filled with one of the values."""

    def __init__(self, value: float | Sequence[float] | np.ndarray):
        self.values = [value] if isinstance(value, int | float) else list(value)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        return ops.convert_to_tensor(np.repeat(self.values, shape[0] // len(self.values)), dtype)


def make_cell(name: str, units: int, options: dict[str, Any] | None = None, **kwargs: Any) -> Cell:
    """A cell from its registered name.

    Args:
        name: as in `encoder.cell`.
        units: width.
        options: the cell's own arguments.
        **kwargs: arguments of `keras.layers.Layer`.

    Raises:
        UnknownNameError: no such cell.
        ConfigError: the cell has no such option, or refuses its value.
    """
    cls = cells.get(name)
    options = options or {}
    known = cell_options(cls)
    for key in options:
        if key not in known:
            hint = suggest(key, known, "encoder.options.", f"`seqtasks show cell {name}`")
            raise ConfigError(f"cell {name} has no option {key!r}; {hint}")
    try:
        return cls(units, **options, **kwargs)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"cell {name} refuses encoder.options {options}: {error}") from error


def cell_options(cls: type[Cell]) -> dict[str, Any]:
    """The arguments of a cell besides `units`, with their defaults."""
    options: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, Cell):
            for parameter in list(inspect.signature(base.__init__).parameters.values())[1:]:
                if parameter.name != "units" and parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                    options[parameter.name] = parameter.default
    return options


def _fresh(initializer: Any) -> Any:
    """A copy: a Keras initializer draws the same numbers each time, and two weights would be equal."""
    return initializer.clone() if isinstance(initializer, keras.initializers.Initializer) else initializer


def _is_recurrent(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_is_recurrent(part) for part in value)
    return (
        isinstance(value, keras.Variable)
        and value.trainable
        and value.name.startswith("recurrent")
        and len(value.shape) == 2
    )


def _plain(value: Any) -> Any:
    """An argument as JSON can hold it."""
    if isinstance(value, keras.initializers.Initializer):
        return keras.initializers.serialize(value)
    return keras.activations.serialize(value) if callable(value) else value
