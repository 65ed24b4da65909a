"""Recurrent decoder with attention, of any registered cell."""

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
    """Stacked cells with attention to a memory.

        o_t, s_t = cells(x_t, s_{t-1})        or, with input feeding, cells([x_t; y_{t-1}], s_{t-1})
        c_t = attention(o_t, memory)
        y_t = tanh(W [c_t; o_t])              without attention y_t = o_t

    Without input feeding all steps of given inputs run in one call of the engine, and
    attention in one product after it.

    References: Luong et al. 2015, https://arxiv.org/abs/1508.04025; Sutskever et al. 2014,
    https://arxiv.org/abs/1409.3215 (no attention)

    Args:
        config: Settings of the cells, whose `bidirectional` is ignored; None: given by keywords, as in `Encoder`.
        attention: `"additive"`, `"multiplicative"` or `"none"`.
        feeding: input feeding. It runs step by step; of all regularisation only
            `config.dropout` and `config.input_dropout` go with it.
        stack: the cells themselves, an encoder of `config` that nothing else uses; None: made here.

    Raises:
        ConfigError: feeding without attention, or with what does not go with it.
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
        """Widths of the states that it begins with, one list for each layer, as `Bridge` gives them."""
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
        """Runs over given inputs, or over one step of generation.

        Args:
            x: (batch, time, features).
            states: before the first step, one list for each layer; with input feeding those of
                an earlier call end in what was written last.
            memory: (batch, steps, width), what is attended to.
            mask: (batch, steps), true at real steps of the memory; None: the mask that it carries, else all are.
            keys: `attention.keys(memory)`, where it is there already.
            training: dropout on.
            x_mask: (batch, time), true at real steps of `x`; the others copy the states and give zeros. None: the
                mask that `x` carries, else all are.

        Returns:
            Outputs (batch, time, units); float32 attention weights (batch, time, steps), or
            (batch, time, 0) without attention; the states after the last step.
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
        assert self.attention is not None and self.combine is not None
        context, weights = self.attention(outputs, memory, mask=mask, keys=keys)
        return self.combine(ops.concatenate([context, outputs], axis=-1)), weights

    def _feed(
        self, x: Any, states: States, memory: Any, mask: Any, keys: Any, training: bool, x_mask: Any
    ) -> tuple[Any, States]:
        """The outputs of the cells, step by step, and the states with the fed output as the last of them."""
        cells = [recurrent.cell for recurrent in self.stack.recurrents]
        counts = [len(cell.states) for cell in cells]
        if len(states) == len(cells):  # nothing was written yet
            states = [*states, [ops.zeros((ops.shape(x)[0], self.output_size), dtype=self.compute_dtype)]]
        x = self.stack.drop_input(x, training=training)
        masks = self._dropout_masks(x, training)

        def body(carry: tuple[Any, ...], inputs: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
            below, old = ops.concatenate([inputs[0], carry[-1]], axis=-1), list(carry[:-1])
            new: list[Any] = []
            for i, cell in enumerate(cells):
                below, after = cell.step(cell.project(below), old[: counts[i]])
                old, new = old[counts[i] :], [*new, *after]
                below = below * inputs[1 + i] if masks else below
            fed, _ = self._attend(below[:, None], memory, mask, keys)
            stepped = (*new, fed[:, 0])
            if x_mask is not None:
                stepped = tuple(ops.where(inputs[-1] > 0, s, kept) for s, kept in zip(stepped, carry, strict=True))
                below = ops.where(inputs[-1] > 0, below, ops.zeros_like(below))
            return stepped, below

        carry = tuple(ops.cast(state, self.compute_dtype) for layer in states for state in layer)
        real = [] if x_mask is None else [ops.cast(x_mask, self.compute_dtype)[..., None]]
        xs = [ops.swapaxes(part, 0, 1) for part in (x, *masks, *real)]
        carry, outputs = scan(body, carry, xs, False, self.output_size)
        left, after = list(carry), []
        for count in [*counts, 1]:
            after.append(left[:count])
            left = left[count:]
        return ops.swapaxes(outputs, 0, 1), after

    def _dropout_masks(self, x: Any, training: bool) -> list[Any]:
        """Of the outputs of each layer, drawn before the loop: a loop of JAX cannot draw."""
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
        """The mask that `x` carries, for the outputs; None for the weights and the states."""
        return get_keras_mask(inputs), None  # the previous mask is the one of the memory, if that is an argument

    def get_config(self) -> dict[str, Any]:
        config = {"config": dataclasses.asdict(self.config), "attention": self.how, "feeding": self.feeding}
        return {**super().get_config(), **config}


def _check(config: EncoderConfig, attention: str) -> None:
    if attention == "none":
        raise ConfigError("input feeding without attention has nothing to feed; choose an attention or feeding=false")
    names = ("recurrent_dropout", "variational_dropout", "weight_drop", "zoneout", "skip", "layer_norm")
    if unsupported := [name for name in names if getattr(config, name) != getattr(PLAIN, name)]:
        raise ConfigError(
            f"input feeding runs step by step, without {', '.join(unsupported)}; leave encoder.{unsupported[0]} at "
            f"{getattr(PLAIN, unsupported[0])}, or turn input feeding off"
        )
