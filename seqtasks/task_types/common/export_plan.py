"""Plan of an export of a trained model: its graphs, and the examples that prove it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from seqtasks.core.errors import ConfigError
from seqtasks.data.splits import Examples
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.recording import portable

Shape = Literal["step", "length"]
Tensors = dict[str, Any]


@dataclass(frozen=True)
class Port:
    """An input of an exported graph.

    Attributes:
        name: Name of the input.
        shape: Its shape, with None for an axis of any length.
        dtype: Its data type, such as "float32".
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True)
class State:
    """A state that goes from one call of a graph to the next.

    Attributes:
        input: Name of the input that takes it.
        output: Name of the output that returns it.
        initial: Its value before the first step, `(1, size)`; None: another graph returns it under the name of
            the input.
    """

    input: str
    output: str
    initial: np.ndarray | None = None


@dataclass(frozen=True)
class Graph:
    """One graph of an export, which becomes one model file.

    Attributes:
        name: "model", "step", "encoder" or "decoder".
        inputs: The inputs, without those of `states`.
        function: Function of tensors by name that returns the outputs by name.
        states: States that the function takes and returns, with their inputs.
        state_inputs: The inputs of `states`.
    """

    name: str
    inputs: Sequence[Port]
    function: Callable[[Tensors], Tensors]
    states: Sequence[State] = ()
    state_inputs: Sequence[Port] = ()


@dataclass(frozen=True)
class Case:
    """A test example of a proof, a batch of one row.

    Attributes:
        inputs: Inputs by name, without padding.
        expected: The outputs of the model in Keras.
    """

    inputs: Mapping[str, np.ndarray]
    expected: np.ndarray


@dataclass(frozen=True)
class Cases:
    """The test examples of a proof.

    Attributes:
        rows: The examples.
        scores: Scores of the model in Keras on these examples.
        rescore: Function of the outputs of an export for the examples that returns its scores.
        kind: "outputs"; or "sequences": the export also generates sequences, and `rescore` takes these, token
            numbers without the end.
    """

    rows: Sequence[Case]
    scores: Mapping[str, float]
    rescore: Callable[[list[np.ndarray]], Mapping[str, float]]
    kind: Literal["outputs", "sequences"] = "outputs"


@dataclass
class ModelProbe:
    """A model whose calls are kept, or whose outputs were computed elsewhere.

    `Task.score` takes it for the model, so an export is scored by the code that scores the run.

    Args:
        model: Model that is called.
        outputs: Outputs of the calls, in their order; None: those of the model.
    """

    model: keras.Model
    outputs: Sequence[np.ndarray] | None = None
    calls: list[Case] = field(default_factory=list)

    def predict_on_batch(self, inputs: Any) -> np.ndarray:
        if self.outputs is None:
            made = np.asarray(self.model.predict_on_batch(inputs))
        else:
            made = np.asarray(self.outputs[len(self.calls)])
        names = [tensor.name for tensor in self.model.inputs]
        if isinstance(inputs, Mapping):
            arrays = {name: inputs[name] for name in names}
        else:
            arrays = dict(zip(names, inputs if isinstance(inputs, list | tuple) else [inputs], strict=True))
        self.calls.append(Case({name: np.asarray(array) for name, array in arrays.items()}, made))
        return made

    def predict(self, batches: Any, **_: Any) -> np.ndarray:
        if isinstance(batches, Mapping):
            return self.predict_on_batch(batches)
        batches = getattr(batches, "py_dataset", batches)  # an `UntunedDataAdapter` has them inside
        return np.concatenate([self.predict_on_batch(batches[index][0]) for index in range(len(batches))])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


class ExportPlan:
    """Says which graphs an export of a trained model has, and how test examples run through them.

    This class is right for a Keras model from named inputs to one output. Types of tasks with another model derive
    from it.

    Args:
        task: The task, a `Task`.
        model: Model from inputs to answers; by default the trained model.
        step_inputs: Inputs with one value a step, for a model that reads step by step; (): there is no step model.
        tokens: Input of token numbers whose padding is 0; the export then has an input `mask`. None: the model has
            a mask of its own, or no padding.
        classes: Number of classes; the first numbers of an output are their logits, and the answer is the largest.
            0: the outputs are the answers.

    Example:
        >>> import keras
        >>> from seqtasks.core.plugins import load_task
        >>> from seqtasks.layers import Encoder
        >>> task = load_task("adding")()
        >>> plan = task.export_plan(task.build_model(Encoder(cell="gru", units=4)))
        >>> [graph.name for graph in plan.graphs("step")], [port.shape for port in plan.graphs("step")[0].inputs]
        (['step'], [(1, 1, 2)])
    """

    output = "outputs"
    whole_text = False  # whether the test split is one text, whose tokens are the examples

    def __init__(
        self,
        task: Any,
        model: keras.Model,
        step_inputs: Sequence[str] = (),
        tokens: str | None = None,
        classes: int | None = None,
    ):
        self.task, self.model, self.tokens = task, model, tokens
        self.classes = len(task.classes) if classes is None else classes
        encoders = [layer for layer in model.layers if isinstance(layer, Encoder)]
        forward = len(encoders) == 1 and not encoders[0].config.bidirectional
        self.encoder = encoders[0] if encoders else None
        self.step_inputs = tuple(step_inputs) if forward else ()

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Shapes of export that the model has, the default first."""
        return ("step", "length") if self.step_inputs else ("length",)

    @property
    def step_names(self) -> tuple[str, ...]:
        """Inputs of the step model with one value a step."""
        return self.step_inputs

    def steps(self, case: Case) -> int:
        """Number of steps of an example, padding included."""
        names = [self.tokens, "mask", *(tensor.name for tensor in self.model.inputs if len(tensor.shape) > 1)]
        return int(next(case.inputs[name].shape[1] for name in names if name in case.inputs))

    @property
    def any_length(self) -> bool:
        """Whether sequences may have different lengths."""
        return any(None in tensor.shape[1:] for tensor in self.model.inputs)

    def graphs(self, shape: Shape, length: int | None = None, cases: Cases | None = None) -> list[Graph]:
        """Returns the graphs of an export.

        Args:
            shape: "step": one step with its states; "length": a whole sequence.
            length: Number of steps of a whole sequence; None: any.
            cases: The test examples, whose sizes fix other axes.

        Raises:
            ConfigError: The model has no step model.
        """
        return [self._step() if shape == "step" else self._whole(length, cases)]

    def cases(self, examples: Examples, length: int | None = None) -> Cases:
        """Runs test examples through the model in Keras.

        Args:
            examples: Examples of the test split.
            length: Number of steps of the export, for examples that are cut from a text; None: any.
        """
        batches, probe = self.task.batches(examples, 1), ModelProbe(self.model)
        scores = self.score(probe, batches)

        def rescore(outputs: list[np.ndarray]) -> Mapping[str, float]:
            return self.score(ModelProbe(self.model, outputs), batches)

        return Cases([self.with_mask(case) for case in probe.calls], scores, rescore)

    def score(self, model: Any, batches: Any) -> Mapping[str, float]:
        """Scores batches of test examples; `model` has the methods `predict_on_batch` and `predict`."""
        return self.task.score(model, batches)

    def answers(self, outputs: np.ndarray) -> np.ndarray:
        """Returns the answers in outputs of the model: numbers of classes, or the outputs themselves."""
        if self.classes and outputs.dtype.kind == "f":
            return np.asarray(outputs[..., : self.classes].argmax(axis=-1))
        return outputs

    def with_mask(self, case: Case) -> Case:
        """Adds the mask of token numbers, if the export has an input for it."""
        if self.tokens is None:
            return case
        return Case({**case.inputs, "mask": case.inputs[self.tokens] > 0}, case.expected)

    def fixed(self, name: str, axis: int, length: int, cases: Cases | None) -> int:
        """Returns the length of an axis that has any length in the model.

        Args:
            name: Name of the input.
            axis: Number of the axis.
            length: Number of steps of the export.
            cases: The test examples.
        """
        return length

    def _ports(self, length: int | None, cases: Cases | None) -> list[Port]:
        ports = []
        for tensor in self.model.inputs:
            axes = [1, *tensor.shape[1:]]
            for axis, size in enumerate(tensor.shape):
                if axis and size is None:
                    axes[axis] = None if length is None else self.fixed(tensor.name, axis, length, cases)
            ports.append(Port(tensor.name, tuple(axes), keras.backend.standardize_dtype(tensor.dtype)))
        if self.tokens is not None:
            shape = next(port.shape for port in ports if port.name == self.tokens)
            ports.append(Port("mask", shape, "bool"))
        return ports

    def _whole(self, length: int | None, cases: Cases | None) -> Graph:
        names = [tensor.name for tensor in self.model.inputs]

        def function(tensors: Tensors) -> Tensors:
            arrays = dict(tensors)
            if self.tokens is not None:
                arrays[self.tokens] *= ops.cast(arrays["mask"], arrays[self.tokens].dtype)
            values = [arrays[name] for name in names]
            return {self.output: self.model(values if len(values) > 1 else values[0])}

        return Graph("model", self._ports(length, cases), function)

    def _step(self) -> Graph:
        if not self.step_inputs or self.encoder is None:
            raise ConfigError(
                f"--step: the model of task {self.task.name} does not read its input step by step in one direction; "
                "allowed: --length; leave out --step"
            )
        inputs, ports = [], []
        for tensor in self.model.inputs:
            one = tensor.name in (*self.step_inputs, "mask")
            shape = (1, 1, *tensor.shape[2:]) if one else (1, *tensor.shape[1:])
            inputs.append(keras.Input(batch_shape=shape, name=tensor.name, dtype=tensor.dtype))
            ports.append(Port(tensor.name, shape, keras.backend.standardize_dtype(tensor.dtype)))
        structure = inputs if isinstance(self.model.input, list | tuple) else inputs[0]
        try:
            step = keras.models.clone_model(self.model, structure, clone_function=lambda layer: layer)
        except (ValueError, TypeError) as error:  # a layer that needs the whole sequence
            raise ConfigError(
                f"--step: the model of task {self.task.name} has a layer that cannot read one step "
                f"({str(error).splitlines()[0][:100]}); allowed: --length; leave out --step"
            ) from error
        states, state_inputs = encoder_states(self.encoder)
        layers = self.encoder.recurrents

        def function(tensors: Tensors) -> Tensors:
            # A step is never masked: whoever reads a sequence step by step leaves padding out.
            arrays = {"mask": ops.ones((1, 1), "bool"), **tensors}
            values = [arrays[port.name] for port in ports]
            starts = iter([tensors[state.input] for state in states])
            given = {id(layer): [next(starts) for _ in layer.cell.state_size] for layer in layers}
            with portable(given) as finals:
                outputs = step(values if len(values) > 1 else values[0])
            after = [value for layer in layers for value in finals[id(layer)]]
            return {self.output: outputs, **{state.output: v for state, v in zip(states, after, strict=True)}}

        shown = [port for port in ports if port.name != "mask"]
        return Graph("step", shown, function, states, state_inputs)


def encoder_states(encoder: Encoder, initial: bool = True) -> tuple[list[State], list[Port]]:
    """The states of an encoder by name, and the inputs that take them.

    Args:
        encoder: Built encoder in one direction.
        initial: Whether they have the initial values of the cells; False: another graph returns them.
    """
    states, ports = [], []
    for i, (recurrent, values) in enumerate(zip(encoder.recurrents, encoder.initial_state(1), strict=True)):
        for name, value in zip(recurrent.cell.states, values, strict=True):
            array = np.asarray(ops.convert_to_numpy(value))
            states.append(State(f"state_{i}_{name}", f"next_state_{i}_{name}", array if initial else None))
            ports.append(Port(f"state_{i}_{name}", tuple(array.shape), str(array.dtype)))
    return states, ports
