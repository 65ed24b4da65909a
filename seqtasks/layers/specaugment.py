"""Frames disturbed in training, so that no single stretch or band is relied on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.layers.implicit_mask import MaskedLayer


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
        self.settings = {
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
