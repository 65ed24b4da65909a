"""Recurrent decoder with attention, for any registered cell."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import keras
from keras import ops

from seqtasks.core.config import EncoderConfig
from seqtasks.core.errors import ConfigError
from seqtasks.engines.backend.scan import scan
from seqtasks.layers.attention import Attention
from seqtasks.layers.encoder import Encoder, encoder_config
from seqtasks.layers.implicit_mask import MaskedLayer, get_keras_mask

States = list[list[Any]]
PLAIN = EncoderConfig()


@keras.saving.register_keras_serializable("seqtasks")
class Decoder(MaskedLayer):
    """Recurrent decoder: stacked cells with attention to a memory.

        o_t, s_t = cells(x_t, s_{t-1})        or, with input feeding, cells([x_t; y_{t-1}], s_{t-1})
        c_t = attention(o_t, memory)
        y_t = tanh(W [c_t; o_t])              without attention y_t = o_t

    Without input feeding the whole sequence runs in one call of the engine, and attention in one
    product after it; with input feeding the decoder runs step by step.

    Masks: `mask` belongs to the memory, `x_mask` to the inputs. At masked input steps the states are
    copied and the outputs are zero. States are an argument and a result; nothing is kept between calls.

    References: Luong et al. 2015, https://arxiv.org/abs/1508.04025; Sutskever et al. 2014,
    https://arxiv.org/abs/1409.3215 (no attention)

    Args:
        config: Settings of the cells, without `bidirectional` and `match`, which are ignored; None: settings
            given by keywords, as in `Encoder`.
        attention: `"additive"`, `"multiplicative"` or `"none"`.
        feeding: Whether to use input feeding. Of all regularisation only `config.dropout` and
            `config.input_dropout` can be combined with it.
        stack: Encoder of `config` that runs the cells and is used by nothing else; None: a new one.

    Raises:
        ConfigError: Input feeding is combined with `attention="none"` or with other regularisation, or the
            cell has states as wide as the input, as `gru_d` has.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import Decoder
        >>> x, memory = np.ones((2, 3, 4), "float32"), np.ones((2, 5, 6), "float32")
        >>> states = [[np.zeros((2, 8), "float32")]]  # one layer with one state
        >>> outputs, weights, states = Decoder(cell="gru", units=8)(x, states, memory)
        >>> tuple(outputs.shape), tuple(weights.shape), tuple(states[0][0].shape)
        ((2, 3, 8), (2, 3, 5), (2, 8))
    """

    mask_of = "memory"

    def __init__(
        self,
        config: EncoderConfig | dict[str, Any] | None = None,
        attention: Literal["additive", "multiplicative", "none"] = "additive",
        feeding: bool = False,
        stack: Encoder | None = None,
        **kwargs: Any,
    ):
        config, kwargs = encoder_config(config, kwargs)
        super().__init__(**kwargs)
        config = dataclasses.replace(config, bidirectional=False, match=None)
        if feeding:
            _check(config, attention)
        self.config, self.how, self.feeding = config, attention, feeding
        self.stack = stack or Encoder(config, name="stack", dtype=self.dtype_policy)
        if any(0 in sizes for sizes in self.state_sizes):
            raise ConfigError(
                f"decoder with cell {config.cell}, some of whose states are as wide as the input; allowed: cells whose "
                "states have a width known in advance; choose another cell"
            )
        self.attention: Attention | None = None
        self.combine: keras.layers.Dense | None = None
        if attention != "none":
            size = self.stack.output_size
            self.attention = Attention(attention, size, name="attention", dtype=self.dtype_policy)
            self.combine = keras.layers.Dense(size, "tanh", use_bias=False, name="combine", dtype=self.dtype_policy)

    @property
    def output_size(self) -> int:
        """Width of an output."""
        return int(self.stack.output_size)

    def build(self, x_shape: Any, states_shape: Any, memory_shape: Any) -> None:
        size = self.output_size
        self.stack.build((*x_shape[:-1], x_shape[-1] + (size if self.feeding else 0)))
        if self.attention is not None and self.combine is not None:
            self.attention.build((None, None, size), memory_shape)
            self.combine.build((None, None, memory_shape[-1] + size))

    @property
    def state_sizes(self) -> list[list[int]]:
        """Widths of the initial states, one list for each layer, as `Bridge` takes them."""
        return [list(recurrent.cell.state_size) for recurrent in self.stack.recurrents]

    def call(
        self,
        x: Any,
        states: States,
        memory: Any,
        mask: Any = None,
        keys: Any = None,
        training: bool = False,
        x_mask: Any = None,
    ) -> tuple[Any, Any, States]:
        """Runs over a sequence of inputs, or over a single step in generation.

        Args:
            x: Inputs, `(batch, time, features)`.
            states: Initial states, one list of `(batch, units)` for each layer. With input feeding the states
                returned by an earlier call also hold the previous output as their last entry.
            memory: Memory that is attended to, `(batch, steps, memory_features)`.
            mask: Mask of the memory, `(batch, steps)`, true at valid steps; None: the implicit mask of the
                memory, or else all steps are valid.
            keys: Result of `attention.keys(memory)`, to avoid computing it again; None: computed here.
            training: Whether dropout is applied.
            x_mask: Mask of the inputs, `(batch, time)`, true at valid steps; None: the implicit mask of `x`,
                or else all steps are valid.

        Returns:
            Outputs, `(batch, time, units)`; float32 attention weights, `(batch, time, steps)`, or
            `(batch, time, 0)` without attention; the final states.
        """
        if self.attention is None:
            outputs, states = self.stack(x, mask=x_mask, initial_state=states, training=training)
            return outputs, ops.cast(outputs[..., :0], "float32"), states
        keys = self.attention.keys(memory) if keys is None else keys
        if self.feeding:
            outputs, states = self._feed(x, states, memory, mask, keys, training, x_mask)
        else:
            outputs, states = self.stack(x, mask=x_mask, initial_state=states, training=training)
        combined, weights = self._attend(outputs, memory, mask, keys)
        if x_mask is not None:
            combined = ops.where(ops.cast(x_mask, "bool")[..., None], combined, ops.zeros_like(combined))
        return combined, weights, states

    def _attend(self, outputs: Any, memory: Any, mask: Any, keys: Any) -> tuple[Any, Any]:
        """Returns outputs combined with their context vectors, and the attention weights."""
        assert self.attention is not None and self.combine is not None
        context, weights = self.attention(outputs, memory, mask=mask, keys=keys)
        return self.combine(ops.concatenate([context, outputs], axis=-1)), weights

    def _feed(
        self, x: Any, states: States, memory: Any, mask: Any, keys: Any, training: bool, x_mask: Any
    ) -> tuple[Any, States]:
        """Runs the cells step by step with input feeding.

        Returns:
            Outputs of the cells, `(batch, time, units)`, and the final states; the last of them is the
            last combined output, which feeds the next step.
        """
        cells = [recurrent.cell for recurrent in self.stack.recurrents]
        counts = [len(cell.states) for cell in cells]
        if len(states) == len(cells):  # first call: there is no previous output yet
            states = [*states, [ops.zeros((ops.shape(x)[0], self.output_size), dtype=self.compute_dtype)]]
        x = self.stack.drop_input(x, training=training)
        masks = self._dropout_masks(x, training)

        def body(carry: tuple[Any, ...], inputs: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
            below, old = ops.concatenate([inputs[0], carry[-1]], axis=-1), list(carry[:-1])
            new: list[Any] = []
            for i, cell in enumerate(cells):
                below, after = cell.step(cell.project(cell.join_inputs(below)), old[: counts[i]])
                old, new = old[counts[i] :], [*new, *after]
                below = below * inputs[1 + i] if masks else below
            fed, _ = self._attend(below[:, None], memory, mask, keys)
            stepped = (*new, fed[:, 0])
            if x_mask is not None:
                stepped = tuple(
                    ops.where(inputs[-1] > 0, s, previous) for s, previous in zip(stepped, carry, strict=True)
                )
                below = ops.where(inputs[-1] > 0, below, ops.zeros_like(below))
            return stepped, below

        carry = tuple(ops.cast(state, self.compute_dtype) for layer in states for state in layer)
        x_valid = [] if x_mask is None else [ops.cast(x_mask, self.compute_dtype)[..., None]]
        xs = [ops.swapaxes(part, 0, 1) for part in (x, *masks, *x_valid)]
        carry, outputs = scan(body, carry, xs, False, self.output_size)
        remaining, after = list(carry), []
        for count in [*counts, 1]:
            after.append(remaining[:count])
            remaining = remaining[count:]
        return ops.swapaxes(outputs, 0, 1), after

    def _dropout_masks(self, x: Any, training: bool) -> list[Any]:
        """Draws the dropout masks of each layer's outputs before the loop: a JAX loop cannot draw."""
        if not training or not self.config.dropout:
            return []
        shape = ops.shape(x)[:2]
        widths = [recurrent.cell.output_size for recurrent in self.stack.recurrents]
        drops = zip(self.stack.drops, widths, strict=True)
        return [drop(ops.ones((*shape, width), dtype=self.compute_dtype), training=True) for drop, width in drops]

    def compute_output_spec(self, x: Any, states: Any, memory: Any, mask: Any = None, **keywords: Any) -> Any:
        batch, time, _ = x.shape
        outputs = keras.KerasTensor((batch, time, self.output_size), self.compute_dtype)
        steps = 0 if self.attention is None else memory.shape[1]
        weights = keras.KerasTensor((batch, time, steps), "float32")
        after = [[keras.KerasTensor(s.shape, s.dtype) for s in layer] for layer in states]
        if self.feeding and len(after) == len(self.stack.recurrents):
            after.append([keras.KerasTensor((batch, self.output_size), self.compute_dtype)])
        return outputs, weights, after

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> tuple[Any, None]:
        """Returns the implicit mask of `x` for the outputs, and None for weights and states."""
        # `previous_mask` is the mask of the memory if `mask` was given as an argument.
        return get_keras_mask(inputs), None

    def get_config(self) -> dict[str, Any]:
        config = {"config": dataclasses.asdict(self.config), "attention": self.how, "feeding": self.feeding}
        return {**super().get_config(), **config}


def _check(config: EncoderConfig, attention: str) -> None:
    """Raises ConfigError if the settings cannot be combined with input feeding."""
    if attention == "none":
        raise ConfigError(
            "input feeding without attention; allowed: additive or multiplicative attention; choose one, or turn input "
            "feeding off"
        )
    names = ("recurrent_dropout", "variational_dropout", "weight_drop", "zoneout", "skip", "layer_norm")
    if unsupported := [name for name in names if getattr(config, name) != getattr(PLAIN, name)]:
        raise ConfigError(
            f"input feeding with {', '.join(unsupported)}; allowed: dropout and input_dropout, as it runs step by "
            f"step; set encoder.{unsupported[0]}={getattr(PLAIN, unsupported[0])}, or turn input feeding off"
        )
