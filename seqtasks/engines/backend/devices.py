"""Devices of the backend."""

from __future__ import annotations

import functools

import keras


@functools.cache
def gpus() -> tuple[str, ...]:
    """Returns the names of the GPUs that the backend sees."""
    if keras.backend.backend() == "torch":  # Keras cannot list the devices of PyTorch
        import torch

        return tuple(f"cuda:{number}" for number in range(torch.cuda.device_count()))
    try:
        return tuple(str(device) for device in keras.distribution.list_devices("gpu"))
    except (RuntimeError, ValueError):  # JAX raises if there is no GPU
        return ()
