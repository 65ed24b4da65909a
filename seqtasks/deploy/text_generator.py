"""Text generation with a language model: several texts at once, each with a state of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.decoding.sampling import Sampler
from seqtasks.engines.backend.compile import compiled
from seqtasks.task_types.language_modeling.model import LanguageStep, read
from seqtasks.task_types.language_modeling.task import LanguageTask

LEAST_LENGTH = 8  # lengths of texts are rounded up to powers of 2 from here


class TextGenerator:
    """Step function of a language model for `seqtasks.decoding.Sampler` that is compiled once.

    It uses the weights that the model has when it is created, and is for a model that is not trained any more.

    Args:
        task: Task of the model.
        model: Trained model.
    """

    def __init__(self, task: LanguageTask, model: keras.Model):
        self.task, self.model = task, model
        self._step = LanguageStep(model, task.never_generated)
        self._compiled = compiled(self._step.__call__)
        self._writer = self._step.writer()

    def __call__(self, tokens: Any, states: Any) -> tuple[Any, Any]:
        """Computes one step, see `LanguageStep`.

        Args:
            tokens: Token numbers, `(batch,)`.
            states: States before the step.
        """
        return self._compiled(tokens, states)

    def writer(self) -> Any:
        """Returns the generator in C; None: the model has none."""
        return self._writer

    def start(self, text: str) -> tuple[str, FloatArray, Any]:
        """Reads a prompt from the initial state.

        Args:
            text: The prompt.

        Returns:
            The text to print before the continuation, the logits of the first token, `(1, size)`, and the states.

        Raises:
            ConfigError: The prompt has no token.
        """
        visible, tokens = self.task.encode_prompt(text)
        return visible, *self.read([tokens])

    def read(self, texts: Sequence[IntArray], states: Any = None) -> tuple[FloatArray, Any]:
        """Reads texts, each from a state of its own, as one batch.

        Args:
            texts: Token numbers of each text, `(time,)`, at least one each.
            states: States before the texts, nested lists of `(batch, …)`; None: the initial states.

        Returns:
            The logits of the first token after each text, `(batch, size)`, and the states after it, as NumPy arrays.
        """
        lengths = np.array([len(text) for text in texts])
        longest = int(lengths.max())
        equal = bool((lengths == longest).all())
        tokens = np.zeros((len(texts), longest if equal else padded_length(longest)), np.int32)
        for row, text in zip(tokens, texts, strict=True):
            row[: len(text)] = text
        mask = None if equal else np.arange(tokens.shape[1]) < lengths[:, None]
        logits, states = read(self.model, tokens, states, mask)
        return ops.convert_to_numpy(self._step.allowed(logits)), to_numpy(states)

    def generate(
        self, logits: FloatArray, states: Any, uniforms: FloatArray, temperature: float, top_k: int | None,
        top_p: float | None,
    ) -> tuple[IntArray, FloatArray, Any]:  # fmt: skip
        """Generates so many tokens for each row.

        Args:
            logits: Logits of the first token, `(batch, size)`.
            states: States before it, nested lists of `(batch, …)`.
            uniforms: Random numbers in [0, 1), `(length, batch)`, see `seqtasks.decoding.sampling.uniform`.
            temperature: See `Sampler`.
            top_k: See `Sampler`.
            top_p: See `Sampler`.

        Returns:
            The tokens, `(batch, length)`, and the logits and states to continue from, as NumPy arrays.

        Raises:
            ConfigError: A sampling option that is not allowed.
        """
        sampler = Sampler(self, temperature, top_k, top_p)
        if self._writer is not None:
            sampled = sampler(logits, states, uniforms)
            return sampled.tokens, sampled.logits, sampled.states
        steps = list(sampler.stream(logits, states, uniforms))
        tokens = np.concatenate([step.tokens for step in steps], axis=1)
        return tokens, ops.convert_to_numpy(steps[-1].logits), to_numpy(steps[-1].states)


def padded_length(length: int) -> int:
    """The length rounded up to a power of 2, at least `LEAST_LENGTH`.

    Example:
        >>> padded_length(3), padded_length(8), padded_length(9)
        (8, 8, 16)
    """
    return max(LEAST_LENGTH, 1 << (length - 1).bit_length())


def to_numpy(states: Any) -> list[list[Any]]:
    """The states, nested lists, as NumPy arrays."""
    return [[ops.convert_to_numpy(state) for state in layer] for layer in states]
