"""Layers for speech: time reduction, CTC head, SpecAugment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.layers.implicit_mask import MaskedLayer


@keras.saving.register_keras_serializable("seqtasks")
class TimeReduction(MaskedLayer):
    """Puts each `factor` steps side by side, as between the layers of a pyramidal encoder.

    The last step is filled up with zeros where the number of steps is no multiple. What stands at
    padding is zeros in the result, so more padding changes nothing.

    Reference: Chan et al. 2016, https://arxiv.org/abs/1508.01211

    Args:
        factor: steps that become one; 2 in the paper.

    Raises:
        ValueError: a factor below 1.
    """

    def __init__(self, factor: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        if factor < 1:
            raise ValueError(f"factor is {factor}; allowed: 1 or more")
        self.factor = factor

    def call(self, x: Any, mask: Any = None) -> Any:
        """Joins steps.

        Args:
            x: (batch, time, size).
            mask: (batch, time), true at real steps, which stand first; None: the mask that `x` carries, else all
                are real.

        Returns:
            (batch, ⌈time / factor⌉, factor · size); `joined_mask` has its mask.
        """
        if mask is not None:
            x = ops.where(ops.cast(mask, "bool")[..., None], x, ops.zeros_like(x))
        size, (batch, time) = x.shape[-1], ops.shape(x)[:2]
        # Always to be cut by the factor, so that the shape is known to every backend.
        x = ops.pad(x, [[0, 0], [0, self.factor - 1], [0, 0]])
        steps = (time + self.factor - 1) // self.factor
        return ops.reshape(x[:, : steps * self.factor], (batch, steps, self.factor * size))

    def compute_output_shape(self, input_shape: Sequence[int | None], *more: Any) -> tuple[int | None, ...]:
        batch, time, size = input_shape
        assert size is not None
        return batch, None if time is None else -(-time // self.factor), self.factor * size

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the joined steps, see `joined_mask`."""
        return None if previous_mask is None else joined_mask(previous_mask, self.factor)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


def joined_mask(mask: Any, factor: int) -> Any:
    """The mask of what `TimeReduction` gives: a joined step is real if the first of its steps is.

    Args:
        mask: (batch, time), true at real steps, which stand first.
        factor: of `TimeReduction`.

    Returns:
        (batch, ⌈time / factor⌉).
    """
    return mask[:, ::factor]


BLANK = 0  # its number; labels begin at 1, and 0 ends the targets


@keras.saving.register_keras_serializable("seqtasks")
class CTCHead(MaskedLayer):
    """A dense layer to logits of the blank and the labels; padding is blank for certain.

    A certain blank adds nothing to a CTC loss and writes no label, so the loss and the decoders need no
    lengths. Always in float32: the loss sums over many steps.

    Args:
        labels: how many, without the blank.
    """

    def __init__(self, labels: int, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.labels = labels
        self.dense = keras.layers.Dense(labels + 1, dtype="float32", name="dense")

    def build(self, input_shape: Sequence[int | None], *more: Any) -> None:
        self.dense.build(input_shape)

    def call(self, x: Any, mask: Any = None) -> Any:
        """(batch, time, size) and the mask (batch, time) to (batch, time, 1 + labels).

        Without a mask, the one that `x` carries, else all steps are real.
        """
        logits = self.dense(x)
        if mask is None:
            return logits
        # Not -inf: its gradient would be NaN.
        blank = ops.where(ops.arange(self.labels + 1) == BLANK, 0.0, -1e9)
        return ops.where(ops.cast(mask, "bool")[..., None], logits, blank)

    def compute_output_shape(self, input_shape: Sequence[int | None], *more: Any) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.labels + 1)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: padding is blank, and a CTC loss has one value a row, which no mask of steps fits."""

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "labels": self.labels}


@keras.saving.register_keras_serializable("seqtasks")
class SpecAugment(MaskedLayer):
    """Sets stretches of time and of bands to zero, and adds noise, in training.

    Each stretch has a width drawn from 0 to its most, and any place. Frames ought to have a mean of
    zero. SpecAugment without its warping of time.

    Reference: Park et al. 2019, https://arxiv.org/abs/1904.08779

    Args:
        time_masks: stretches of time.
        time_width: of each, at most, in steps, and at most a fifth of the real steps.
        band_masks: stretches of bands.
        band_width: of each, at most, in bands.
        noise: standard deviation of the noise.

    Raises:
        ValueError: a negative number.
    """

    def __init__(
        self,
        time_masks: int = 2,
        time_width: int = 10,
        band_masks: int = 2,
        band_width: int = 6,
        noise: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.settings: dict[str, Any] = {
            "time_masks": time_masks,
            "time_width": time_width,
            "band_masks": band_masks,
            "band_width": band_width,
            "noise": noise,
        }
        for name, value in self.settings.items():
            if value < 0:
                raise ValueError(f"{name} is {value}; allowed: 0 or more")
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x: Any, mask: Any = None, training: bool = False) -> Any:
        """Disturbs frames.

        Args:
            x: (batch, time, bands).
            mask: (batch, time), true at real steps, which stand first; None: the mask that `x` carries, else all
                are.
            training: false changes nothing.

        Returns:
            (batch, time, bands).
        """
        if not training:
            return x
        s = self.settings
        batch, time, bands = ops.shape(x)
        real = ops.ones((batch, time), "bool") if mask is None else ops.cast(mask, "bool")
        lengths = ops.sum(ops.cast(real, "float32"), axis=1)
        if s["noise"]:
            drawn = keras.random.normal(ops.shape(x), dtype=x.dtype, seed=self.seed_generator)
            x = x + ops.cast(s["noise"], x.dtype) * drawn
        for _ in range(s["time_masks"]):
            hidden = self._stretch(ops.minimum(float(s["time_width"]), lengths / 5), lengths, time)
            x = ops.where(hidden[:, :, None], ops.zeros_like(x), x)
        for _ in range(s["band_masks"]):
            wide = ops.ones_like(lengths)
            hidden = self._stretch(wide * float(s["band_width"]), wide * ops.cast(bands, "float32"), bands)
            x = ops.where(hidden[:, None, :], ops.zeros_like(x), x)
        return x

    def _stretch(self, most: Any, length: Any, places: Any) -> Any:
        """(batch, places), true at a stretch of up to `most` of the first `length` places, both (batch,)."""
        drawn = keras.random.uniform((2, *ops.shape(length)), dtype="float32", seed=self.seed_generator)
        width = ops.minimum(ops.floor(drawn[0] * (most + 1)), length)
        begin = ops.floor(drawn[1] * (length - width + 1))
        place = ops.cast(ops.arange(places), "float32")[None]
        return ops.logical_and(place >= begin[:, None], place < (begin + width)[:, None])

    def compute_output_shape(self, input_shape: Sequence[int | None], *more: Any) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.settings, "seed": self.seed}
