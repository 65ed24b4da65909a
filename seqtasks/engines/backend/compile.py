"""Compiles a function with XLA, on every backend that has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of tensors, compiled once for each shape; on PyTorch it runs as it is, without gradients."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True, autograph=False)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import torch

    return torch.no_grad()(function)
