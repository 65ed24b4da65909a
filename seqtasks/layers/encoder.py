"""Stacked and bidirectional recurrent encoder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.cells.base import Cell, cell_options
from seqtasks.cells.registration import make_cell
from seqtasks.core.config import EncoderConfig
from seqtasks.core.declared_cell import check_options
from seqtasks.core.errors import ConfigError
from seqtasks.core.plugins import cells
from seqtasks.core.settings import build
from seqtasks.engines.backend.masking import first_valid_step, last_valid_step
from seqtasks.layers.block import block
from seqtasks.layers.implicit_mask import MaskedLayer
from seqtasks.layers.recurrent import Recurrent
from seqtasks.layers.time_gaps import check_shapes, check_use, without_missing


def encoder_config(
    config: EncoderConfig | dict[str, Any] | None, keywords: dict[str, Any]
) -> tuple[EncoderConfig, dict[str, Any]]:
    """Splits keywords into the settings of an encoder and all other keywords.

    Args:
        config: Settings as a configuration or a mapping; None: settings are among the keywords.
        keywords: Keyword arguments of a layer.

    Returns:
        The settings and the remaining keywords.

    Raises:
        TypeError: Settings are given both by `config` and by keywords.
        ConfigError: A setting has a value that is not allowed.
    """
    names = {field.name for field in dataclasses.fields(EncoderConfig)}
    settings = {name: value for name, value in keywords.items() if name in names}
    if config is not None and settings:
        raise TypeError(
            f"settings are both a config and keywords ({', '.join(settings)}); allowed: one of the two; move the "
            "keywords into the config"
        )
    if config is None:
        config = build(EncoderConfig, settings, "encoder.")
    elif not isinstance(config, EncoderConfig):
        config = EncoderConfig(**config)
    return config, {name: value for name, value in keywords.items() if name not in names}


def options_of(config: EncoderConfig, name: str) -> dict[str, Any]:
    """Options of the cell of a layer: all of `config.options`, or where the layers have several cells those it has.

    Args:
        config: Settings of the encoder.
        name: Name of the cell.

    Raises:
        ConfigError: No cell of the encoder has an option.
    """
    classes = {cell: cells.get(cell) for cell in config.cells}
    if len(classes) == 1:
        return config.options
    allowed = {cell: cell_options(cls) for cell, cls in classes.items()}
    check_options(config.cell, config.options, {key: None for options in allowed.values() for key in options})
    return {key: value for key, value in config.options.items() if key in allowed[name]}


@keras.saving.register_keras_serializable("seqtasks")
class Encoder(MaskedLayer):
    """A stack of recurrent layers; each reads the merged output of the layer below.

    A layer applies, in this order: variational dropout; the cell in one or both directions, whose outputs
    are merged; a skip connection; layer normalisation; dropout. A residual skip adds the layer's input
    (He et al. 2015, https://arxiv.org/abs/1512.03385); a highway skip mixes input and output by a gate
    that reads the input (Srivastava et al. 2015, https://arxiv.org/abs/1505.00387). Both are left out
    where input and output have different widths. With dense skips every layer reads the input and the
    outputs of all layers below (Huang et al. 2016, https://arxiv.org/abs/1608.06993). With `block`, each cell stands in
    a block of its own, see `seqtasks.layers.block.Block`.

    Layers may have cells, widths and dropout rates of their own, see `EncoderConfig`. An option of `options` goes to
    each cell that has it.

    Masks: masked steps copy the states and have zero outputs in every layer. The mask is an argument or
    Keras's implicit mask, which the outputs then carry, see `MaskedLayer`.

    Time between the steps: every layer of time-aware cells reads `time_gaps`. An observation mask is that of
    the inputs, so only the first layer reads it; what layers above read is observed.

    Args:
        config: An `EncoderConfig` or a mapping of its settings; None: settings given by keywords.
        stateful: Whether each call starts from the final states of the call before, see `Recurrent`.
        max_batch: Maximum batch size of a stateful encoder.
        **kwargs: Settings of `EncoderConfig`, such as `cell`, `units`, `layers` and `bidirectional`; and
            `name` and `dtype`.

    Attributes:
        recurrents: The `Recurrent` layers as one flat list, forward before backward in each layer.
        running_engine: Engine that runs the time loop, such as `"native"`.

    Raises:
        ConfigError: The encoder is stateful and bidirectional, or a setting has a value that is not allowed.
        TypeError: Settings are given both by `config` and by keywords.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import Encoder
        >>> encoder = Encoder(cell="gru", units=4, layers=2, bidirectional=True)
        >>> outputs, states = encoder(np.zeros((2, 5, 3), "float32"))
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
                "stateful encoder with encoder.bidirectional=true; allowed: one direction, as the backward state at "
                "the start of a chunk comes from later chunks; set encoder.bidirectional=false or stateful=False"
            )
        if config.block != "none" and config.zoneout:
            raise ConfigError(
                f"encoder.zoneout is {config.zoneout} with encoder.block={config.block}, whose convolution it would "
                "delay; allowed: 0; set encoder.zoneout=0 or encoder.block=none"
            )
        self.config = config
        self.stateful = stateful
        self.max_batch = max_batch
        self.features: int | None = None  # set by `build`
        # keras.layers.Bidirectional raises TypeError if stateful with a mask, and its outputs at masked steps differ
        # between devices (keras#3367, keras#7695).
        directions = ("forward", "backward") if config.bidirectional else ("forward",)
        # One flat list: Keras before 3.15 does not save the weights of layers in a list of lists.
        kinds = zip(config.cells, config.widths, strict=True)
        self.recurrents = [self._recurrent(cell, n, direction) for cell, n in kinds for direction in directions]
        self.gates = [self._gate(i) for i in range(config.layers)] if config.skip == "highway" else []
        self.norms = [self._norm() for _ in range(config.layers)] if config.layer_norm else []
        self.drop_input = keras.layers.Dropout(config.input_dropout, dtype=self.dtype_policy)
        first, above = config.variational_input, config.variational_dropout
        rates = [above if first is None else first] + [above] * (config.layers - 1)
        self.drops_variational = [
            keras.layers.Dropout(rate, noise_shape=(None, 1, None), dtype=self.dtype_policy) for rate in rates
        ]
        self.drops = [keras.layers.Dropout(rate, dtype=self.dtype_policy) for rate in config.dropouts]

    def _recurrent(self, name: str, units: int, direction: Any) -> Recurrent:
        """Creates one recurrent layer of the stack."""
        c = self.config
        cell = block(make_cell(name, units, options_of(c, name), dtype=self.dtype_policy), c.block)
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
        # A negative bias, as in Srivastava et al., so that the layer at first passes its input on.
        """Creates the gate of a highway skip."""
        return keras.layers.Dense(
            self._width(layer), "sigmoid", bias_initializer=keras.initializers.Constant(-2.0), dtype=self.dtype_policy
        )

    def _norm(self) -> keras.layers.Layer:
        return keras.layers.LayerNormalization(dtype=self.dtype_policy)

    @property
    def layers(self) -> list[list[Recurrent]]:
        """The recurrent layers of each layer of the stack, forward before backward."""
        n = len(self.recurrents) // self.config.layers
        return [self.recurrents[i : i + n] for i in range(0, len(self.recurrents), n)]

    @property
    def output_size(self) -> int:
        """Width of the outputs."""
        return self._width(self.config.layers - 1)

    def _width(self, layer: int) -> int:
        """Width of the merged output of a layer."""
        size = int(self.layers[layer][0].cell.output_size)
        return size * 2 if self.config.bidirectional and self.config.merge in ("concat", "none") else size

    @property
    def _apart(self) -> bool:
        """Whether each direction of a layer reads only its own outputs of the layer below."""
        return self.config.bidirectional and self.config.merge == "none"

    @property
    def running_engine(self) -> str:
        """Engine that runs the time loop, as in result rows; joined by "+" if there are several."""
        return "+".join(sorted({recurrent.running_engine for recurrent in self.recurrents}))

    def build(self, input_shape: Sequence[int | None]) -> None:
        shape: tuple[Any, ...] = tuple(input_shape)
        self.features = shape[-1]
        for i, layer in enumerate(self.layers):
            read = (*shape[:-1], shape[-1] // 2) if self._apart and i else shape
            for recurrent in layer:
                if not recurrent.built:
                    recurrent.build(read)
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
        time_gaps: Any = None,
        observed: Any = None,
    ) -> tuple[Any, list[list[Any]]]:
        """Encodes a batch of sequences.

        Args:
            x: Inputs, `(batch, time, features)`.
            mask: `(batch, time)`, true at valid steps; None: the implicit mask of `x`, or else all steps are
                valid.
            initial_state: One list of states, each `(batch, units)`, for each layer and direction, in the order
                of the result. A stateful encoder then neither reads nor writes its kept states. None: the kept
                states if stateful, else the initial states of the cells.
            reset: Flags `(batch,)`, true for rows that start from the initial states of the cells.
            return_sequences: Whether to return outputs of all steps. Otherwise the output of a row is that of
                the last valid step or, for the backward direction, of the first. A skip is then taken from the
                same steps (from their mean, if the directions are added).
            training: Whether dropout is applied.
            keep: Training only. Carry the states after this many steps to the next call instead of the final
                ones; the next call reads the remaining steps again, so gradients flow over more steps than the
                state advances (truncated BPTT with k2 > k1). Needs a stateful encoder without a mask. Dropout
                with one mask for the whole sequence draws a second mask for the remaining steps.
            projected: Whether `x` is a result of `project`, `(batch, time, width)`. Inference only.
            tokens: Token numbers, `(batch, time)`, if `x` is `table[tokens]`, see `Recurrent.call`.
            table: Embedding table, `(vocabulary, features)`; needed with `tokens`.
            time_gaps: Time between each step and the one before it, `(batch, time)`, for time-aware cells, see
                `Recurrent.call`.
            observed: Observation mask of the inputs, `(batch, time, features)`, for cells that use it, see
                `Recurrent.call`.

        Returns:
            Outputs, `(batch, time, output_size)` or `(batch, output_size)`, and the final states: one list of
            `(batch, units)` for each layer and direction, forward before backward.

        Raises:
            ConfigError: The cell does not use `time_gaps` or `observed`, but it is given.
        """
        if keep is not None and training and x.shape[1] != keep:
            assert mask is None and initial_state is None and return_sequences
            steps = {"tokens": tokens, "time_gaps": time_gaps, "observed": observed}
            head = {name: array[:, :keep] for name, array in steps.items() if array is not None}
            tail = {name: array[:, keep:] for name, array in steps.items() if array is not None}
            first, states = self.call(x[:, :keep], reset=reset, training=True, table=table, **head)
            second, last = self.call(x[:, keep:], initial_state=states, training=True, table=table, **tail)
            return ops.concatenate([first, second], axis=1), last
        check_shapes(x, time_gaps, observed)
        valid = None if mask is None else ops.expand_dims(ops.cast(mask, self.compute_dtype), -1)
        x = self.drop_input(without_missing(x, observed), training=training)
        finals: list[list[Any]] = []
        for i, layer in enumerate(self.layers):
            sequences = return_sequences or i + 1 < len(self.layers)
            below = x
            x = self.drops_variational[i](x, training=training)
            starts = [None] * len(layer) if initial_state is None else initial_state[len(finals) :][: len(layer)]
            arguments = {"mask": mask, "reset": reset, "return_sequences": sequences, "training": training}
            gaps = time_gaps if layer[0].cell.uses_gaps or i == 0 else None  # layers may have several cells
            arguments |= {"time_gaps": gaps, "observed": observed if i == 0 else None}
            dropped = training and (self.drop_input.rate or self.drops_variational[0].rate)
            if i == 0 and tokens is not None and not dropped:
                arguments |= {"tokens": tokens, "table": table}
            if len(layer) == 1:
                runs = [layer[0](x, initial_state=starts[0], projected=projected and i == 0, **arguments)]
            elif self._apart and i:
                halves = zip(layer, ops.split(x, 2, axis=-1), starts, strict=True)
                runs = [one(half, initial_state=start, **arguments) for one, half, start in halves]
            else:
                runs = layer[0].call_beside(layer[1], x, initial_states=starts, **arguments)
            finals += [final for _, final in runs]
            merged = self._merge([output for output, _ in runs])
            skips = self.config.skip in ("residual", "highway") and merged.shape[-1] == below.shape[-1]
            if skips:
                merged = self._skip(i, merged, below, (lambda x: x) if sequences else (lambda x: self._ends(x, mask)))
            if self.norms:
                merged = self.norms[i](merged)
            if valid is not None and (self.norms or skips):
                # The bias of the normalisation and a skip would make outputs at masked steps nonzero.
                not_empty = valid if sequences else ops.max(valid, axis=1)
                merged = ops.where(not_empty > 0, merged, ops.zeros_like(merged))
            x = self.drops[i](merged, training=training)
            if self.config.skip == "dense" and i + 1 < len(self.layers):
                x = ops.concatenate([below, x], axis=-1)
        return x, finals

    def project(self, x: Any) -> Any | None:
        """Computes the part of the first layer that does not depend on its state, with gaps of 1.

        Args:
            x: Inputs, `(…, features)`.

        Returns:
            Projected inputs, `(…, width)`, for `call(projected=True)`. None if the encoder cannot take them:
            it is bidirectional, has skips, which read the inputs themselves, or runs in mixed precision.
        """
        c = self.config
        if c.bidirectional or c.skip != "none" or self.compute_dtype != self.variable_dtype:
            return None
        cell = self.recurrents[0].cell
        return cell.project(cell.join_inputs(x))

    def plain_cells(self) -> list[Cell] | None:
        """Returns the cells, if each layer reads only the layer below, in one direction.

        Returns:
            One cell for each layer; None for an encoder in both directions, with skips, blocks or normalisation.
        """
        c = self.config
        plain = not c.bidirectional and c.skip == "none" and not c.layer_norm and c.block == "none"
        return [recurrent.cell for recurrent in self.recurrents] if plain else None

    def _skip(self, layer: int, output: Any, below: Any, pick: Callable[[Any], Any]) -> Any:
        """Combines the output of a layer with its input.

        Args:
            layer: Number of the layer.
            output: Output of the layer, for all steps or the last.
            below: Input of the layer, for all steps.
            pick: Selects the steps of `output` from a tensor for all steps.
        """
        if self.config.skip == "residual":
            return output + pick(below)
        gate = pick(self.gates[layer](below))  # before the selection, as a gate reads both directions of a step
        return gate * output + (1 - gate) * pick(below)

    def _merge(self, outputs: list[Any]) -> Any:
        """Combines the outputs of the directions as `config.merge` says."""
        if len(outputs) == 1:
            return outputs[0]
        if self.config.merge in ("concat", "none"):
            return ops.concatenate(outputs, axis=-1)
        if self.config.merge == "mul":
            return outputs[0] * outputs[1]
        total = outputs[0] + outputs[1]
        return total / 2 if self.config.merge == "mean" else total

    def _ends(self, x: Any, mask: Any) -> Any:
        """Selects the steps where the directions end, merged like outputs: `(batch, size)`."""
        last = last_valid_step(x, mask)
        if not self.config.bidirectional:
            return last
        first = first_valid_step(x, mask)
        if self.config.merge == "concat":
            half = x.shape[-1] // 2
            return ops.concatenate([last[:, :half], first[:, half:]], axis=-1)
        return (last + first) / 2

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> tuple[Any, list[list[None]]]:
        """Returns the mask of the outputs, `(batch, time)`, and None for each state."""
        return previous_mask, [[None] * len(recurrent.cell.state_size) for recurrent in self.recurrents]

    def check_arguments(self, arguments: dict[str, Any]) -> None:
        check_use(self.recurrents[0].cell, arguments)

    def keeps_time(self, arguments: dict[str, Any]) -> bool:
        return bool(arguments.get("return_sequences", True))

    def initial_state(self, batch: Any) -> list[list[Any]]:
        """Returns the initial states of the cells for a batch, in the form that `call` takes."""
        return [list(recurrent.cell.get_initial_state(batch)) for recurrent in self.recurrents]

    def reset_state(self, training: bool | None = None) -> None:
        """Resets the kept states of a stateful encoder to zero, see `Recurrent.reset_state`."""
        for recurrent in self.recurrents:
            recurrent.reset_state(training)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "config": dataclasses.asdict(self.config) | ({"engine": "auto"} if self.config.engine == "native" else {}),
            "stateful": self.stateful,
            "max_batch": self.max_batch,
        }
