"""Random initial values of weights that no initializer of Keras draws, and the identity matrix as a constant."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
from keras import ops

from seqtasks.core.errors import ConfigError


def numpy_generator() -> np.random.Generator:
    """A generator of NumPy that `keras.utils.set_random_seed` determines."""
    return np.random.default_rng(random.getrandbits(32))  # that function seeds `random`


def identity(size: int, dtype: Any) -> Any:
    """The identity matrix, `(size, size)`.

    A constant, where `keras.ops.eye` is an operation of TensorFlow that OpenVINO and LiteRT do not have.
    """
    return ops.convert_to_tensor(np.eye(size, dtype="float32"), dtype=dtype)


def check_step_sizes(dt_min: float, dt_max: float) -> None:
    """Checks the range of the initial step sizes of a state space model.

    Raises:
        ConfigError: The smallest is not above 0, or the largest is below it.
    """
    if not 0 < dt_min <= dt_max:
        raise ConfigError(f"dt_min is {dt_min} and dt_max is {dt_max}; allowed: 0 < dt_min ≤ dt_max; set 0.001 and 0.1")


def log_step_sizes(rng: np.random.Generator, dt_min: float, dt_max: float, size: int) -> Any:
    """Logarithms of step sizes that are log-uniform from `dt_min` to `dt_max`, `(size,)`."""
    return rng.uniform(math.log(dt_min), math.log(dt_max), size)
