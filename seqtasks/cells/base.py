"""Base class of recurrent cells."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from seqtasks.cells.recurrence import Recurrence
from seqtasks.core.errors import ConfigError


class Cell(keras.layers.Layer):
    """Base class of recurrent cells: one time step of a recurrent network.

    A subclass creates its weights in `build` and splits its equations into two methods:

    - `project` computes everything that depends only on the input. It runs once, on all time steps of all sequences.
    - `step` computes the rest. It runs once for each time step, on the projected input and the previous states.

    In `step`, write `self.dot(h, U)` for the product of a previous state with a matrix, and `u * self.drop(h)` for its
    elementwise product with a weight, so that variational dropout applies to both. Where a gate carries the state over,
    as in `z * h`, there is no dropout. `self.gate("forget", f)` returns `f` and declares it as a gate. A cell that is
    linear in its state may also define `scan`, which computes all time steps in parallel.

    The layer `seqtasks.layers.Recurrent` runs a cell over a sequence and handles masks and direction, so a cell does
    not need to: at a masked step, the layer keeps the previous states. A cell also works in `keras.layers.RNN`.

    A time-aware cell, for steps that are not equally far apart, sets `uses_gaps` and takes the inputs of `project`
    apart by `split_inputs`. It passes the gap on to `step` as a column of the projected input.

    Args:
        units: Number of hidden units, at least 1: the width of the output and of each state, unless a subclass
            overrides `output_size` or `state_size`.
        kernel_initializer: Keras initializer of the matrices that multiply the input, see `add_kernel`.
        recurrent_initializer: Keras initializer of the matrices that multiply a state, see `add_recurrent`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name` and `dtype`.

    Attributes:
        states: Names of the states; their number is the number of states. Default `("h",)`.
        uses_gaps: Whether the equations use the time since the step before; default False.
        uses_observed: Whether they also use the observation mask of the inputs; default False.
        counts_time: Whether a state counts elapsed time, which zoneout must not delay; default False.
        scans_chunks: Whether `scan` divides time into chunks by `Recurrence.chunks`, as a `MatrixCell` does.
        cell_name: Name in configurations, set by `register_cell`, like `paper`, `year` and `params`.
        scan: Optional method that computes all time steps in parallel, or None.
        keras_layer: Optional method that returns a Keras layer of the same equations, or None.
        native_loop: Name of a loop of `seqtasks.engines.native` that computes the same equations, or None.

    Raises:
        ConfigError: `units` is below 1.

    Example:
        >>> import numpy as np
        >>> from keras import ops
        >>> from seqtasks.cells import Cell
        >>> from seqtasks.layers import Recurrent
        >>> class TanhRNN(Cell):
        ...     def build(self, input_shape):
        ...         self.W = self.add_kernel(input_shape[-1], self.units)
        ...         self.U = self.add_recurrent(self.units, self.units)
        ...     def project(self, x):
        ...         return x @ self.W
        ...     def step(self, p, states):
        ...         h = ops.tanh(p + self.dot(states[0], self.U))
        ...         return h, [h]
        >>> outputs, (h,) = Recurrent(TanhRNN(8))(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 8), (2, 8))
    """

    cell_name: ClassVar[str]
    paper: ClassVar[str]
    year: ClassVar[int | None]
    params: ClassVar[str | None] = None
    states: ClassVar[tuple[str, ...]] = ("h",)
    uses_gaps: ClassVar[bool] = False
    uses_observed: ClassVar[bool] = False
    counts_time: ClassVar[bool] = False
    scans_chunks: ClassVar[bool] = False
    scan: Callable[[Any, Sequence[Any], Recurrence], tuple[Any, list[Any]]] | None = None
    """Optional method `scan(p, states, recurrence)` that computes all time steps in parallel, for engine `parallel`.

    `p` are the projected inputs, `(time, batch, width)`, `states` the initial states, `(batch, size)` each, and
    `recurrence` solves linear recurrences, see `Recurrence`. It returns the outputs of all steps, `(time, batch,
    output_size)`, and a list of each state at all steps, `(time, batch, size)`, or only after the last one, `(1, batch,
    size)`. `MinGRU` is a short example.
    """
    keras_layer: Callable[..., keras.layers.RNN] | None = None
    """Optional method `keras_layer(**arguments)` that returns a Keras layer of the same equations, for engine `keras`.

    The weights of that layer are `W`, `U` and `b` of the cell, in this order.
    """
    native_loop: ClassVar[str | None] = None
    """Name of the loop in `seqtasks.engines.native` that computes the same equations, for engine `native`, or None."""

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
        self._gates: dict[str, Any] | None = None
        self.__dict__["_prepared"] = {}

    @property
    def state_size(self) -> list[int]:
        """Widths of the states, in the order of `states`; `units` for each by default."""
        return [self.units] * len(self.states)

    @property
    def output_size(self) -> int:
        """Width of the output; `units` by default."""
        return self.units

    def project(self, x: Any) -> Any:
        """Computes the part of the equations that depends only on the input.

        It runs once, on all time steps. Each row has to be computed independently of the others: the rows are the steps
        of all sequences of a batch.

        Args:
            x: Inputs, `(steps, features)`; in a time-aware cell the result of `join_inputs`.

        Returns:
            Projected inputs, `(steps, width)`, of any width.
        """
        raise NotImplementedError

    def join_inputs(self, x: Any, gaps: Any = None, observed: Any = None) -> Any:
        """Joins inputs, observation mask and gaps into the one tensor that `project` receives.

        Args:
            x: Inputs, `(…, features)`.
            gaps: Time since the step before, `(…)`; None: 1. Unused without `uses_gaps`.
            observed: Observation mask, `(…, features)`; None: all are observed. Unused without `uses_observed`.

        Returns:
            `x` itself, or in a time-aware cell `(…, features + 1)` or `(…, 2 * features + 1)`.
        """
        if not self.uses_gaps:
            return x
        parts = [x]
        if self.uses_observed:
            parts.append(ops.ones_like(x) if observed is None else ops.cast(observed, x.dtype))
        parts.append(ops.ones_like(x[..., :1]) if gaps is None else ops.cast(gaps, x.dtype)[..., None])
        return ops.concatenate(parts, axis=-1)

    def split_inputs(self, x: Any) -> tuple[Any, Any, Any]:
        """Takes the result of `join_inputs` apart, in `project` of a time-aware cell.

        Args:
            x: Inputs of `project`, `(…, features + 1)` or `(…, 2 * features + 1)`.

        Returns:
            Inputs, `(…, features)`; time since the step before, `(…, 1)`; observation mask, `(…, features)`, 1 where
            observed, or None without `uses_observed`.
        """
        x, gaps = x[..., :-1], x[..., -1:]
        if not self.uses_observed:
            return x, gaps, None
        x, observed = ops.split(x, 2, axis=-1)
        return x, gaps, observed

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        """Computes one time step from its projected input and the previous states.

        Args:
            p: Projected inputs of the step, `(batch, width)`, as `project` returns them.
            states: Previous states, `(batch, size)` each, in the order of the attribute `states`.

        Returns:
            The output, `(batch, output_size)`, and a list of the new states, of the same shapes as the previous ones.
        """
        raise NotImplementedError

    def prepare(self) -> dict[str, Any]:
        """Computes values for `step` that depend on the weights alone, by name.

        By default there are none. The loop over time computes them once for all steps. `step` reads them by `prepared`.
        Columns or rows of a matrix belong here: `self.U[:, :n]` in `step` copies a part of U at every step, and in the
        backward pass the whole matrix.
        """
        return {}

    def prepared(self, name: str) -> Any:
        """Returns a value of `prepare`, which is computed now outside of `preparation`.

        Args:
            name: Name of the value.
        """
        return self._prepared[name] if name in self._prepared else self.prepare()[name]

    @contextmanager
    def preparation(self) -> Iterator[None]:
        """Context in which the values of `prepare` are kept."""
        # Written to __dict__ because `setattr` of a Keras layer would track the dictionary.
        self.__dict__["_prepared"] = self.prepare()
        try:
            yield
        finally:
            self.__dict__["_prepared"] = {}

    @classmethod
    def units_multiple(cls, options: dict[str, Any]) -> int:
        """Number of which `units` has to be a multiple, such as that of heads; by default 1.

        Args:
            options: Options of the cell, without those that have their defaults.
        """
        return 1

    @classmethod
    def has_own(cls, method: str) -> bool:
        """True if `method` computes the equations of this class, not only those of a base class.

        A subclass that overrides `step`, `project` or `call` has other equations than the `scan`, `keras_layer` or
        `native_loop` that it inherits, so engines must not use these.

        Args:
            method: `"scan"`, `"keras_layer"` or `"native_loop"`.
        """
        bases = [base for base in cls.__mro__ if {"step", "project", "call", method} & vars(base).keys()]
        return bool(vars(bases[0]).get(method))

    def add_kernel(self, rows: int | None, columns: int, name: str = "kernel") -> Any:
        """Adds a matrix that multiplies the input, initialized by `kernel_initializer`.

        Args:
            rows: Number of rows, usually the number of features.
            columns: Number of columns, usually a multiple of `units`.
            name: Name of the weight, unique in the cell.

        Returns:
            A trainable variable, `(rows, columns)`.
        """
        return self.add_weight((rows, columns), _fresh(self.kernel_initializer), name=name)

    def add_recurrent(self, rows: int, columns: int | None, name: str = "recurrent_kernel") -> Any:
        """Adds a matrix that multiplies a previous state, initialized by `recurrent_initializer`.

        Weight dropout (`weight_drop`) applies to these matrices; it finds them by their name.

        Args:
            rows: Number of rows, usually `units`.
            columns: Number of columns, usually a multiple of `units`.
            name: Name of the weight, unique in the cell; it has to start with `recurrent`.

        Returns:
            A trainable variable, `(rows, columns)`.
        """
        return self.add_weight((rows, columns), _fresh(self.recurrent_initializer), name=name)

    def add_bias(self, size: int, value: float | Sequence[float] | np.ndarray = 0.0, name: str = "bias") -> Any:
        """Adds a bias vector with constant initial values.

        Args:
            size: Length of the vector.
            value: Initial value. Several values fill equal parts of the vector, one for each gate:
                `add_bias(4 * n, [0, 1, 0, 0])` sets the second of four gates to 1.
            name: Name of the weight, unique in the cell.

        Returns:
            A trainable variable, `(size,)`.
        """
        return self.add_weight((size,), _Parts(value), name=name)

    def dot(self, h: Any, kernel: Any) -> Any:
        """Multiplies a previous state by a matrix, with variational dropout on the state.

        Args:
            h: Previous state, `(batch, size)`.
            kernel: Matrix, `(size, columns)`.

        Returns:
            The product `h @ kernel`, `(batch, columns)`.
        """
        return self.drop(h) @ kernel

    def drop(self, h: Any) -> Any:
        """Applies variational dropout to a previous state.

        Use it for products other than `dot`, such as `u * self.drop(h)`.

        Args:
            h: Previous state, `(batch, size)`.

        Returns:
            The state with dropout, or `h` itself outside of `variational_dropout`.
        """
        return h if self._dot_mask is None else h * self._dot_mask[:, : h.shape[-1]]

    @contextmanager
    def variational_dropout(self, mask: Any) -> Iterator[None]:
        """Context in which `drop` and `dot` multiply states by a dropout mask.

        Args:
            mask: Dropout mask, 0 or 1 / (1 - rate), `(batch, width of the widest state)`; None: no dropout.
        """
        self._dot_mask = mask
        try:
            yield
        finally:
            self._dot_mask = None

    def gate(self, name: str, value: Any) -> Any:
        """Declares a value of `step` as a gate, so that `seqtasks look` shows it.

        Args:
            name: Name of the gate, such as `"forget"`.
            value: The gate, `(batch, size)`, from 0 (shut) to 1 (open).

        Returns:
            The value, unchanged.
        """
        if self._gates is not None:
            self._gates[name] = value
        return value

    @contextmanager
    def recorded_gates(self) -> Iterator[dict[str, Any]]:
        """Context in which each call of `gate` adds its value to the dictionary that is returned."""
        gates: dict[str, Any] = {}
        # Written to __dict__ because `setattr` of a Keras layer would track the dictionary.
        self.__dict__["_gates"] = gates
        try:
            yield gates
        finally:
            self.__dict__["_gates"] = None

    def recurrent_weights(self) -> dict[str, Any]:
        """Recurrent matrices by name of their attribute.

        These are the trainable matrices whose names start with `recurrent`, and lists of such matrices.
        """
        return {name: value for name, value in vars(self).items() if name[0] != "_" and _is_recurrent(value)}

    @contextmanager
    def weight_drop(self, drop: Callable[[Any], Any]) -> Iterator[None]:
        """Context in which the attributes of the recurrent matrices hold `drop(matrix)`.

        The variables do not change.

        Args:
            drop: Function from a matrix to a matrix of the same shape, such as dropout of its entries
                (Merity et al. 2017, arXiv:1708.02182).
        """
        weights = self.recurrent_weights()
        # Written to __dict__ because `setattr` of a Keras layer would track the results of `drop` as weights.
        self.__dict__.update({k: [drop(w) for w in v] if isinstance(v, list) else drop(v) for k, v in weights.items()})
        try:
            yield
        finally:
            self.__dict__.update(weights)

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """The states before the first step: zeros by default.

        Args:
            batch_size: Number of sequences in the batch.

        Returns:
            A list of tensors, `(batch, size)` for each state.
        """
        return [ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in self.state_size]

    def call(self, inputs: Any, states: Sequence[Any], training: bool = False) -> tuple[Any, list[Any]]:
        """Computes one time step without a mask, with a gap of 1, for `keras.layers.RNN`.

        Args:
            inputs: Inputs of the step, `(batch, features)`.
            states: Previous states, `(batch, size)` each.
            training: Unused; dropout is applied by the layer around the cell.

        Returns:
            The output, `(batch, output_size)`, and a list of the new states.
        """
        return self.step(self.project(self.join_inputs(inputs)), states)

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`, each read from the attribute of the same name."""
        arguments = {name: _plain(getattr(self, name)) for name in cell_options(type(self))}
        return {**super().get_config(), "units": self.units, **arguments}


class _Parts(keras.initializers.Initializer):
    """Initializer that fills equal parts of a vector with one value each."""

    def __init__(self, value: float | Sequence[float] | np.ndarray):
        self.values = [value] if isinstance(value, int | float) else list(value)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        return ops.convert_to_tensor(np.repeat(self.values, shape[0] // len(self.values)), dtype)


def cell_options(cls: type[Cell]) -> dict[str, Any]:
    """The arguments of a cell other than `units`, also those of its base classes, with their defaults.

    Args:
        cls: Class of the cell.

    Example:
        >>> from seqtasks.cells import LEM
        >>> from seqtasks.cells.base import cell_options
        >>> cell_options(LEM)
        {'kernel_initializer': 'glorot_uniform', 'recurrent_initializer': 'orthogonal', 'dt': 1.0}
    """
    options: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, Cell):
            for parameter in list(inspect.signature(base.__init__).parameters.values())[1:]:
                if parameter.name != "units" and parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                    options[parameter.name] = parameter.default
    return options


def _fresh(initializer: Any) -> Any:
    """A copy of the initializer, because the same Keras initializer object draws equal numbers for each weight."""
    return initializer.clone() if isinstance(initializer, keras.initializers.Initializer) else initializer


def _is_recurrent(value: Any) -> bool:
    """True for a trainable matrix whose name starts with `recurrent`, and for a list of such matrices."""
    if isinstance(value, list):
        return bool(value) and all(_is_recurrent(part) for part in value)
    return (
        isinstance(value, keras.Variable)
        and value.trainable
        and value.name.startswith("recurrent")
        and len(value.shape) == 2
    )


def _plain(value: Any) -> Any:
    """An argument in a form that can be saved as JSON."""
    if isinstance(value, keras.initializers.Initializer):
        return keras.initializers.serialize(value)
    return keras.activations.serialize(value) if callable(value) else value
