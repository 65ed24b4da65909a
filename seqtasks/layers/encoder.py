"""Stacked and bidirectional recurrent encoder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.cells.base import Cell, make_cell
from seqtasks.core.config import EncoderConfig
from seqtasks.core.errors import ConfigError
from seqtasks.core.settings import build
from seqtasks.engines.backend.masking import first_valid_step, last_valid_step
from seqtasks.layers.implicit_mask import MaskedLayer
from seqtasks.layers.recurrent import Recurrent


def encoder_config(
    config: EncoderConfig | dict[str, Any] | None, keywords: dict[str, Any]
) -> tuple[EncoderConfig, dict[str, Any]]:
    """The settings of an encoder, given as a configuration or by keywords, and the keywords that are left.

    Raises:
        TypeError: Settings given in both ways.
        ConfigError: A value that is not allowed.
    """
    names = {field.name for field in dataclasses.fields(EncoderConfig)}
    settings = {name: value for name, value in keywords.items() if name in names}
    if config is not None and settings:
        raise TypeError(f"both a config and {', '.join(settings)} are given; give the settings in one way")
    if config is None:
        config = build(EncoderConfig, settings, "encoder.")
    elif not isinstance(config, EncoderConfig):
        config = EncoderConfig(**config)
    return config, {name: value for name, value in keywords.items() if name not in names}


@keras.saving.register_keras_serializable("seqtasks")
class Encoder(MaskedLayer):
    """A stack of recurrent layers; each reads the merged output of the one below.

    A layer is: variational dropout; both directions, merged; a skip; layer normalisation;
    dropout. A residual skip adds the layer's input (He et al. 2015, arXiv:1512.03385), a
    highway mixes both by a gate that reads the input (Srivastava et al. 2015,
    arXiv:1505.00387), where they are equally wide; with dense skips every layer reads the
    input and the outputs of all layers below (Huang et al. 2016, arXiv:1608.06993). Masked
    steps stay zero throughout; the mask is an argument, or Keras's implicit one, which the
    outputs then carry on, see `MaskedLayer`.

    Args:
        config: An `EncoderConfig`, or a mapping of its settings; None: given by keywords.
        stateful: Keep the states between calls, see `Recurrent`.
        max_batch: Maximum number of rows whose state is kept.
        **kwargs: Settings of `EncoderConfig`, such as `cell`, `units`, `layers`, `bidirectional`; and `name`, `dtype`.

    Raises:
        ConfigError: Stateful and bidirectional together, or a setting of the cell that is not allowed.
        TypeError: Settings given both by `config` and by keywords.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import Encoder
        >>> outputs, states = Encoder(cell="gru", units=4, layers=2, bidirectional=True)(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), len(states)
        ((2, 5, 8), 4)
    """

    def __init__(
        self,
        config: EncoderConfig | dict[str, Any] | None = None,
        stateful: bool = False,
        max_batch: int = 256,
        **kwargs: Any,
    ):
        config, kwargs = encoder_config(config, kwargs)
        super().__init__(**kwargs)
        if stateful and config.bidirectional:
            raise ConfigError(
                "a stateful encoder cannot be bidirectional: the backward layer would start a chunk from the state "
                "at the beginning of the chunk before; set encoder.bidirectional=false or carry no state"
            )
        self.config = config
        self.stateful = stateful
        self.max_batch = max_batch
        self.features: int | None = None  # known once it is built
        # Not keras.layers.Bidirectional: stateful with a mask it raises TypeError, and its outputs at masked steps
        # differ between devices (keras#3367, keras#7695).
        directions = ("forward", "backward") if config.bidirectional else ("forward",)
        # One flat list: Keras before 3.15 does not save the weights of layers in a list of lists.
        units = [config.units] * (config.layers - 1) + [config.last_units or config.units]
        self.recurrents = [self._recurrent(n, direction) for n in units for direction in directions]
        self.gates = [self._gate(i) for i in range(config.layers)] if config.skip == "highway" else []
        self.norms = [self._norm() for _ in range(config.layers)] if config.layer_norm else []
        self.drop_input = keras.layers.Dropout(config.input_dropout, dtype=self.dtype_policy)
        first, above = config.variational_input, config.variational_dropout
        rates = [above if first is None else first] + [above] * (config.layers - 1)
        self.drops_variational = [
            keras.layers.Dropout(rate, noise_shape=(None, 1, None), dtype=self.dtype_policy) for rate in rates
        ]
        self.drops = [keras.layers.Dropout(config.dropout, dtype=self.dtype_policy) for _ in range(config.layers)]

    def _recurrent(self, units: int, direction: Any) -> Recurrent:
        c = self.config
        cell = make_cell(c.cell, units, c.options, dtype=self.dtype_policy)
        return Recurrent(
            cell,
            direction,
            c.engine,
            recurrent_dropout=c.recurrent_dropout,
            weight_drop=c.weight_drop,
            zoneout=c.zoneout,
            stateful=self.stateful,
            max_batch=self.max_batch,
            dtype=self.dtype_policy,
        )

    def _gate(self, layer: int) -> keras.layers.Layer:
        # The bias of Srivastava et al.: at first the input passes.
        return keras.layers.Dense(
            self._width(layer), "sigmoid", bias_initializer=keras.initializers.Constant(-2.0), dtype=self.dtype_policy
        )

    def _norm(self) -> keras.layers.Layer:
        return keras.layers.LayerNormalization(dtype=self.dtype_policy)

    @property
    def layers(self) -> list[list[Recurrent]]:
        """For each layer its recurrent layers, forward before backward."""
        n = len(self.recurrents) // self.config.layers
        return [self.recurrents[i : i + n] for i in range(0, len(self.recurrents), n)]

    @property
    def output_size(self) -> int:
        """Width of the output."""
        return self._width(self.config.layers - 1)

    def _width(self, layer: int) -> int:
        size = int(self.layers[layer][0].cell.output_size)
        return size * 2 if self.config.bidirectional and self.config.merge == "concat" else size

    @property
    def running_engine(self) -> str:
        """The engine that runs the time loop, as result rows name it."""
        return "+".join(sorted({recurrent.running_engine for recurrent in self.recurrents}))

    def build(self, input_shape: Sequence[int | None]) -> None:
        shape: tuple[Any, ...] = tuple(input_shape)
        self.features = shape[-1]
        for i, layer in enumerate(self.layers):
            for recurrent in layer:
                if not recurrent.built:
                    recurrent.build(shape)
                    recurrent.built = True
            below, shape = shape, (*shape[:2], self._width(i))
            if self.gates and below[-1] == shape[-1] and not self.gates[i].built:
                self.gates[i].build(below)
            if self.norms and not self.norms[i].built:
                self.norms[i].build(shape)
            if self.config.skip == "dense":
                shape = (*shape[:2], below[-1] + shape[-1])

    def call(
        self,
        x: Any,
        mask: Any = None,
        initial_state: Sequence[Sequence[Any]] | None = None,
        reset: Any = None,
        return_sequences: bool = True,
        training: bool = False,
        keep: int | None = None,
        projected: bool = False,
        tokens: Any = None,
        table: Any = None,
    ) -> tuple[Any, list[list[Any]]]:
        """Encodes a batch of sequences.

        Args:
            x: (batch, time, features).
            mask: (batch, time), true at real steps; None: the mask that `x` carries, else all are real.
            initial_state: one list of states for each layer and direction, in the order
                of the result; kept states are then neither read nor written. None:
                zeros, or the kept states if stateful.
            reset: (batch,), true for rows that start afresh.
            return_sequences: false returns one vector a row: the output of the last
                real step and, for the backward direction, of the first. A skip is
                taken from the same steps (their mean, if the directions are added).
            training: dropout on.
            keep: in training, keep the states after so many steps, not the final ones, so
                that the next call can go over the rest again and gradients flow back
                further than new steps go; a stateful encoder without a mask. One-mask
                dropout draws another mask for the rest.
            projected: `x` is (batch, time, width), what `project` gave; not in training.
            tokens: (batch, time), whole numbers, where `x` is `table[tokens]`, see `Recurrent.call`.
            table: (vocabulary, features); given with tokens.

        Returns:
            Outputs (batch, time, size) or (batch, size), and the final states: one list
            for each layer and direction (forward before backward).
        """
        if keep is not None and training and x.shape[1] != keep:
            assert mask is None and initial_state is None and return_sequences
            parts = (None, None) if tokens is None else (tokens[:, :keep], tokens[:, keep:])
            first, states = self.call(x[:, :keep], reset=reset, training=True, tokens=parts[0], table=table)
            second, last = self.call(x[:, keep:], initial_state=states, training=True, tokens=parts[1], table=table)
            return ops.concatenate([first, second], axis=1), last
        real = None if mask is None else ops.expand_dims(ops.cast(mask, self.compute_dtype), -1)
        x = self.drop_input(x, training=training)
        finals: list[list[Any]] = []
        for i, layer in enumerate(self.layers):
            sequences = return_sequences or i + 1 < len(self.layers)
            below = x
            x = self.drops_variational[i](x, training=training)
            starts = [None] * len(layer) if initial_state is None else initial_state[len(finals) :][: len(layer)]
            arguments = {"mask": mask, "reset": reset, "return_sequences": sequences, "training": training}
            dropped = training and (self.drop_input.rate or self.drops_variational[0].rate)
            if i == 0 and tokens is not None and not dropped:
                arguments |= {"tokens": tokens, "table": table}
            if len(layer) == 1:
                runs = [layer[0](x, initial_state=starts[0], projected=projected and i == 0, **arguments)]
            else:
                runs = layer[0].call_beside(layer[1], x, initial_states=starts, **arguments)
            finals += [final for _, final in runs]
            merged = self._merge([output for output, _ in runs])
            skips = self.config.skip in ("residual", "highway") and merged.shape[-1] == below.shape[-1]
            if skips:
                merged = self._skip(i, merged, below, (lambda x: x) if sequences else (lambda x: self._ends(x, mask)))
            if self.norms:
                merged = self.norms[i](merged)
            if real is not None and (self.norms or skips):
                # Neither the bias of the normalisation nor a skip over padding may fill masked steps.
                shown = real if sequences else ops.max(real, axis=1)
                merged = ops.where(shown > 0, merged, ops.zeros_like(merged))
            x = self.drops[i](merged, training=training)
            if self.config.skip == "dense" and i + 1 < len(self.layers):
                x = ops.concatenate([below, x], axis=-1)
        return x, finals

    def project(self, x: Any) -> Any | None:
        """What the first layer makes of inputs (…, features) before it needs a state: (…, width).

        None where there is no such thing: in two directions, where a skip takes the inputs
        themselves, in mixed precision.
        """
        c = self.config
        if c.bidirectional or c.skip != "none" or self.compute_dtype != self.variable_dtype:
            return None
        return self.recurrents[0].cell.project(x)

    def plain_cells(self) -> list[Cell] | None:
        """The cells, if each layer reads in one direction what the one below gives, else None."""
        c = self.config
        plain = not c.bidirectional and c.skip == "none" and not c.layer_norm
        return [recurrent.cell for recurrent in self.recurrents] if plain else None

    def _skip(self, layer: int, output: Any, below: Any, pick: Callable[[Any], Any]) -> Any:
        """Mixes an output and what is below it; `pick` takes the steps of the output from those below."""
        if self.config.skip == "residual":
            return output + pick(below)
        gate = pick(self.gates[layer](below))  # a gate reads all of its step, so it comes before the picking
        return gate * output + (1 - gate) * pick(below)

    def _merge(self, outputs: list[Any]) -> Any:
        if len(outputs) == 1:
            return outputs[0]
        if self.config.merge == "concat":
            return ops.concatenate(outputs, axis=-1)
        total = outputs[0] + outputs[1]
        return total / 2 if self.config.merge == "mean" else total

    def _ends(self, x: Any, mask: Any) -> Any:
        """The inputs where the directions end, merged as their outputs are: (batch, size)."""
        last = last_valid_step(x, mask)
        if not self.config.bidirectional:
            return last
        first = first_valid_step(x, mask)
        if self.config.merge == "concat":
            half = x.shape[-1] // 2
            return ops.concatenate([last[:, :half], first[:, half:]], axis=-1)
        return (last + first) / 2

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> tuple[Any, list[list[None]]]:
        """The masks of outputs (batch, time, size), and of the states, which have none."""
        return previous_mask, [[None] * len(recurrent.cell.state_size) for recurrent in self.recurrents]

    def keeps_time(self, arguments: dict[str, Any]) -> bool:
        return bool(arguments.get("return_sequences", True))

    def initial_state(self, batch: Any) -> list[list[Any]]:
        """The states of `batch` rows that start afresh, as `call` takes them."""
        return [list(recurrent.cell.get_initial_state(batch)) for recurrent in self.recurrents]

    def reset_state(self, training: bool | None = None) -> None:
        """Forgets the kept states, see `Recurrent.reset_state`."""
        for recurrent in self.recurrents:
            recurrent.reset_state(training)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "config": dataclasses.asdict(self.config) | ({"engine": "auto"} if self.config.engine == "native" else {}),
            "stateful": self.stateful,
            "max_batch": self.max_batch,
        }
