"""Names of array types in signatures; the docstring of a function gives their shapes."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

BoolArray: TypeAlias = npt.NDArray[np.bool_]
"""Masks: true where a step or row counts."""

FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]
"""Logits, probabilities, scores, features, samples of sound; of any precision."""

IntArray: TypeAlias = npt.NDArray[np.integer[Any]]
"""Token numbers, class numbers, indices, lengths; of any width."""

PixelArray: TypeAlias = npt.NDArray[np.uint8]
"""Images and videos, 0 to 255."""
