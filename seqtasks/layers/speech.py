"""Layers for speech: time reduction, CTC head, SpecAugment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.layers.implicit_mask import MaskedLayer


@keras.saving.register_keras_serializable("seqtasks")
class TimeReduction(MaskedLayer):
    """Concatenates every `factor` steps to one, as between the layers of a pyramidal encoder.

    The last output step is filled up with zeros if the number of steps is not a multiple of `factor`.

    Masks: valid steps come first. Inputs at masked steps are replaced by zeros, so more padding does not
    change the result. An output step is valid if its first input step is, see `joined_mask`.

    Reference: Chan et al. 2016, https://arxiv.org/abs/1508.01211

    Args:
        factor: Number of steps that become one; 2 in the paper.

    Raises:
        ValueError: `factor` is below 1.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import TimeReduction
        >>> tuple(TimeReduction(2)(np.zeros((2, 5, 3), "float32")).shape)
        (2, 3, 6)
    """

    def __init__(self, factor: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        if factor < 1:
            raise ValueError(f"factor is {factor}; allowed: 1 or more; 2 is usual")
        self.factor = factor

    def call(self, x: Any, mask: Any = None) -> Any:
        """Concatenates steps.

        Args:
            x: Inputs, `(batch, time, size)`.
            mask: `(batch, time)`, true at valid steps, which come first; None: the implicit mask of `x`, or else
                all steps are valid.

        Returns:
            `(batch, ⌈time / factor⌉, factor · size)`.
        """
        if mask is not None:
            x = ops.where(ops.cast(mask, "bool")[..., None], x, ops.zeros_like(x))
        size, (batch, time) = x.shape[-1], ops.shape(x)[:2]
        # Pad by a fixed number of steps and cut off the surplus, so that every backend can infer the shape.
        x = ops.pad(x, [[0, 0], [0, self.factor - 1], [0, 0]])
        steps = (time + self.factor - 1) // self.factor
        return ops.reshape(x[:, : steps * self.factor], (batch, steps, self.factor * size))

    def compute_output_shape(self, input_shape: Sequence[int | None], *_: Any) -> tuple[int | None, ...]:
        batch, time, size = input_shape
        assert size is not None
        return batch, None if time is None else -(-time // self.factor), self.factor * size

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Returns the mask of the output steps, see `joined_mask`."""
        return None if previous_mask is None else joined_mask(previous_mask, self.factor)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


def joined_mask(mask: Any, factor: int) -> Any:
    """Computes the mask of `TimeReduction`'s output: that of the first of each `factor` steps.

    Args:
        mask: `(batch, time)`, true at valid steps, which come first.
        factor: Number of steps that become one.

    Returns:
        `(batch, ⌈time / factor⌉)`.
    """
    return mask[:, ::factor]


BLANK = 0  # number of the CTC blank; labels begin at 1, and in targets 0 is padding


@keras.saving.register_keras_serializable("seqtasks")
class CTCHead(MaskedLayer):
    """Output layer of CTC models: logits of the blank and the labels.

    Masks: at masked steps the blank has probability 1. This adds nothing to a CTC loss and no label to a
    decoded string, so losses and decoders need no lengths. Runs in float32 whatever the dtype policy,
    because the loss sums over many steps.

    Args:
        labels: Number of labels, without the blank.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import CTCHead
        >>> tuple(CTCHead(labels=10)(np.zeros((2, 5, 3), "float32")).shape)
        (2, 5, 11)
    """

    def __init__(self, labels: int, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.labels = labels
        self.dense = keras.layers.Dense(labels + 1, dtype="float32", name="dense")

    def build(self, input_shape: Sequence[int | None], *_: Any) -> None:
        self.dense.build(input_shape)

    def call(self, x: Any, mask: Any = None) -> Any:
        """Computes the logits.

        Args:
            x: Inputs, `(batch, time, size)`.
            mask: `(batch, time)`, true at valid steps; None: the implicit mask of `x`, or else all steps are
                valid.

        Returns:
            Logits, `(batch, time, 1 + labels)`; the blank is number 0.
        """
        logits = self.dense(x)
        if mask is None:
            return logits
        # Not -inf, which would have NaN gradients.
        blank = ops.where(ops.arange(self.labels + 1) == BLANK, 0.0, -1e9)
        return ops.where(ops.cast(mask, "bool")[..., None], logits, blank)

    def compute_output_shape(self, input_shape: Sequence[int | None], *_: Any) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.labels + 1)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """Returns None: a CTC loss has one value per row, to which no mask of steps applies."""

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "labels": self.labels}


@keras.saving.register_keras_serializable("seqtasks")
class SpecAugment(MaskedLayer):
    """Augments spectrograms in training: zeroes random time and frequency ranges, adds noise.

    SpecAugment without time warping. The width of each range is drawn uniformly from 0 to its maximum,
    then its position. The frames should have a mean of zero. Masks: `mask` limits the time ranges to valid
    steps; the implicit mask of the input is carried on.

    Reference: Park et al. 2019, https://arxiv.org/abs/1904.08779

    Args:
        time_masks: Number of time ranges.
        time_width: Maximum width of a time range in steps; at most a fifth of the valid steps is used.
        band_masks: Number of frequency ranges.
        band_width: Maximum width of a frequency range in bands.
        noise: Standard deviation of Gaussian noise on the frames.
        seed: Seed of the random numbers.

    Raises:
        ValueError: An argument is negative.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import SpecAugment
        >>> frames = np.ones((2, 50, 40), "float32")  # (batch, time, bands)
        >>> bool((np.asarray(SpecAugment(seed=0)(frames)) == 1).all())  # nothing changes outside of training
        True
        >>> tuple(SpecAugment(seed=0)(frames, training=True).shape)
        (2, 50, 40)
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
                raise ValueError(f"{name} is {value}; allowed: 0 or more; 0 turns it off")
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x: Any, mask: Any = None, training: bool = False) -> Any:
        """Augments frames.

        Args:
            x: Frames, `(batch, time, bands)`.
            mask: `(batch, time)`, true at valid steps, which come first; None: the implicit mask of `x`, or else
                all steps are valid.
            training: Whether frames are augmented; otherwise they are returned unchanged.

        Returns:
            Frames, `(batch, time, bands)`.
        """
        if not training:
            return x
        s = self.settings
        batch, time, bands = ops.shape(x)
        valid = ops.ones((batch, time), "bool") if mask is None else ops.cast(mask, "bool")
        lengths = ops.sum(ops.cast(valid, "float32"), axis=1)
        if s["noise"]:
            drawn = keras.random.normal(ops.shape(x), dtype=x.dtype, seed=self.seed_generator)
            x = x + ops.cast(s["noise"], x.dtype) * drawn
        for _ in range(s["time_masks"]):
            hidden = self._random_ranges(ops.minimum(float(s["time_width"]), lengths / 5), lengths, time)
            x = ops.where(hidden[:, :, None], ops.zeros_like(x), x)
        for _ in range(s["band_masks"]):
            ones = ops.ones_like(lengths)
            hidden = self._random_ranges(ones * float(s["band_width"]), ones * ops.cast(bands, "float32"), bands)
            x = ops.where(hidden[:, None, :], ops.zeros_like(x), x)
        return x

    def _random_ranges(self, max_width: Any, length: Any, size: Any) -> Any:
        """Draws a random range for each row.

        Args:
            max_width: Maximum width of a range, `(batch,)`.
            length: Number of positions that a range may cover, `(batch,)`.
            size: Number of positions in all.

        Returns:
            `(batch, size)`, true inside of the range.
        """
        drawn = keras.random.uniform((2, *ops.shape(length)), dtype="float32", seed=self.seed_generator)
        width = ops.minimum(ops.floor(drawn[0] * (max_width + 1)), length)
        begin = ops.floor(drawn[1] * (length - width + 1))
        position = ops.cast(ops.arange(size), "float32")[None]
        return ops.logical_and(position >= begin[:, None], position < (begin + width)[:, None])

    def compute_output_shape(self, input_shape: Sequence[int | None], *_: Any) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.settings, "seed": self.seed}
