"""Stacked, bidirectional, residual encoders from an `EncoderConfig`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.cells.base import make_cell
from seqtasks.config import EncoderConfig
from seqtasks.errors import ConfigError
from seqtasks.recurrent import Recurrent


@keras.saving.register_keras_serializable("seqtasks")
class Encoder(keras.layers.Layer):
    """A stack of recurrent layers; each reads the merged output of the one below.

    A layer is: both directions, merged; residual; layer normalisation; dropout. The
    residual is taken where a layer's input is as wide as its output. Masked steps stay
    zero throughout.

    Args:
        config: the settings, or a mapping of them.
        stateful: keep the states between calls, see `Recurrent`.
        max_batch: the most rows whose state is kept.

    Raises:
        ConfigError: stateful and bidirectional together, or a setting of the cell that
            is not allowed.
    """

    def __init__(
        self, config: EncoderConfig | dict[str, Any], stateful: bool = False, max_batch: int = 256, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        if not isinstance(config, EncoderConfig):
            config = EncoderConfig(**config)
        if stateful and config.bidirectional:
            raise ConfigError(
                "a stateful encoder cannot be bidirectional: the backward layer would start a chunk from the state "
                "at the beginning of the chunk before; set encoder.bidirectional=false or carry no state"
            )
        self.config = config
        self.stateful = stateful
        self.max_batch = max_batch
        directions = ("forward", "backward") if config.bidirectional else ("forward",)
        # One flat list: Keras before 3.15 does not save the weights of layers in a list of lists.
        self.recurrents = [self._recurrent(direction) for _ in range(config.layers) for direction in directions]
        self.norms = [self._norm() for _ in range(config.layers)] if config.layer_norm else []
        self.drop_input = keras.layers.Dropout(config.input_dropout, dtype=self.dtype_policy)
        self.drops = [keras.layers.Dropout(config.dropout, dtype=self.dtype_policy) for _ in range(config.layers)]

    def _recurrent(self, direction: Any) -> Recurrent:
        c = self.config
        cell = make_cell(c.cell, c.units, c.options, dtype=self.dtype_policy)
        return Recurrent(
            cell, direction, c.engine, c.recurrent_dropout, self.stateful, self.max_batch, dtype=self.dtype_policy
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
        size = self.recurrents[0].cell.output_size
        return size * 2 if self.config.bidirectional and self.config.merge == "concat" else size

    @property
    def running_engine(self) -> str:
        """The engine that runs the time loop, as result rows name it."""
        return "+".join(sorted({recurrent.running_engine for recurrent in self.recurrents}))

    def build(self, input_shape: Sequence[int | None]) -> None:
        shape = tuple(input_shape)
        for i, layer in enumerate(self.layers):
            for recurrent in layer:
                if not recurrent.built:
                    recurrent.build(shape)
                    recurrent.built = True
            shape = (*shape[:2], self.output_size)
            if self.norms and not self.norms[i].built:
                self.norms[i].build(shape)

    def call(
        self,
        x: Any,
        mask: Any = None,
        initial_state: Sequence[Sequence[Any]] | None = None,
        reset: Any = None,
        return_sequences: bool = True,
        training: bool = False,
    ) -> tuple[Any, list[list[Any]]]:
        """Encodes a batch of sequences.

        Args:
            x: (batch, time, features).
            mask: (batch, time), true at real steps; None: all are real.
            initial_state: one list of states for each layer and direction, in the order
                of the result; None: zeros, or the kept states if stateful.
            reset: (batch,), true for rows that start afresh.
            return_sequences: false returns one vector a row: the output of the last
                real step and, for the backward direction, of the first. A residual is
                taken from the same steps (their mean, if the directions are added).
            training: dropout on.

        Returns:
            Outputs (batch, time, size) or (batch, size), and the final states: one list
            for each layer and direction (forward before backward).
        """
        keep = None if mask is None else ops.expand_dims(ops.cast(mask, self.compute_dtype), -1)
        x = self.drop_input(x, training=training)
        finals: list[list[Any]] = []
        for i, layer in enumerate(self.layers):
            sequences = return_sequences or i + 1 < len(self.layers)
            outputs = []
            for recurrent in layer:
                start = None if initial_state is None else initial_state[len(finals)]
                output, final = recurrent(
                    x, mask=mask, initial_state=start, reset=reset, return_sequences=sequences, training=training
                )
                outputs.append(output)
                finals.append(final)
            merged = self._merge(outputs)
            if self.config.residual and merged.shape[-1] == x.shape[-1]:
                merged = merged + (x if sequences else self._ends(x, mask))
            if self.norms:
                merged = self.norms[i](merged)
            if keep is not None and (self.norms or self.config.residual):
                # Neither the bias of the normalisation nor a residual of padding may fill masked steps.
                real = keep if sequences else ops.max(keep, axis=1)
                merged = ops.where(real > 0, merged, ops.zeros_like(merged))
            x = self.drops[i](merged, training=training)
        return x, finals

    def _merge(self, outputs: list[Any]) -> Any:
        if len(outputs) == 1:
            return outputs[0]
        if self.config.merge == "concat":
            return ops.concatenate(outputs, axis=-1)
        total = outputs[0] + outputs[1]
        return total / 2 if self.config.merge == "mean" else total

    def _ends(self, x: Any, mask: Any) -> Any:
        """The inputs where the directions end, merged as their outputs are: (batch, size)."""
        last = _pick(x, mask, first=False)
        if not self.config.bidirectional:
            return last
        first = _pick(x, mask, first=True)
        if self.config.merge == "concat":
            half = x.shape[-1] // 2
            return ops.concatenate([last[:, :half], first[:, half:]], axis=-1)
        return (last + first) / 2

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """None: masks are arguments here and are not passed on behind the caller's back."""

    def reset_state(self, training: bool | None = None) -> None:
        """Forgets the kept states, see `Recurrent.reset_state`."""
        for recurrent in self.recurrents:
            recurrent.reset_state(training)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "config": dataclasses.asdict(self.config),
            "stateful": self.stateful,
            "max_batch": self.max_batch,
        }


def _pick(x: Any, mask: Any, first: bool) -> Any:
    """The first or last real step of (batch, time, size), as (batch, size)."""
    if mask is None:
        return x[:, 0] if first else x[:, -1]
    real = ops.cast(mask, "bool")
    steps = ops.arange(1, ops.shape(x)[1] + 1)
    if first:
        chosen = ops.min(ops.where(real, steps, ops.shape(x)[1] + 1), axis=1)
    else:
        chosen = ops.max(ops.where(real, steps, 0), axis=1)
    return ops.einsum("bt,btf->bf", ops.cast(ops.equal(steps[None, :], chosen[:, None]), x.dtype), x)
