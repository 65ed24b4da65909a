"""Output layers of language models: softmax, adaptive softmax, label smoothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("seqtasks")
class SoftmaxHead(keras.layers.Layer):
    """Logits = x W + b over a vocabulary; tied, W is the transposed matrix of an embedding.

    Reference: Press & Wolf 2016, https://arxiv.org/abs/1608.05859 (tied)

    Args:
        size: of the vocabulary.
        embedding: the layer whose matrix is shared, as wide as the inputs; None: an own one.

    Raises:
        ValueError: the embedding has another width than the inputs.
    """

    def __init__(self, size: int, embedding: keras.layers.Embedding | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True  # each step by itself
        self.size = size
        self.embedding = embedding

    def build(self, input_shape: Sequence[int | None]) -> None:
        if self.embedding is None:
            self.kernel = self.add_weight((input_shape[-1], self.size), "glorot_uniform", name="kernel")
        elif input_shape[-1] != self.embedding.output_dim:
            raise ValueError(
                f"inputs are {input_shape[-1]} wide; the embedding is {self.embedding.output_dim} wide; "
                "tied they must agree"
            )
        self.bias = self.add_weight((self.size,), "zeros", name="bias")

    def call(self, x: Any, targets: Any = None) -> Any:
        """Scores tokens.

        Args:
            x: (batch, time, width) or (batch, width).
            targets: (batch, time) or (batch,), token numbers.

        Returns:
            Float32 logits (…, size); with targets their negative log-likelihoods, shaped as they are.
        """
        matrix, bias = (ops.cast(weight, x.dtype) for weight in self.matrix_and_bias())
        logits = ops.cast(ops.matmul(x, matrix) + bias, "float32")
        if targets is None:
            return logits
        return ops.sparse_categorical_crossentropy(ops.cast(targets, "int32"), logits, from_logits=True)

    def matrix_and_bias(self) -> tuple[Any, Any]:
        """(width, size) and (size,)."""
        if self.embedding is None:
            return self.kernel, self.bias
        return ops.transpose(ops.convert_to_tensor(self.embedding.embeddings)), self.bias

    def get_config(self) -> dict[str, Any]:
        shared = None if self.embedding is None else keras.saving.serialize_keras_object(self.embedding)
        return {**super().get_config(), "size": self.size, "embedding": shared}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SoftmaxHead:
        shared = config["embedding"]
        return cls(**{**config, "embedding": shared and keras.saving.deserialize_keras_object(shared)})


@keras.saving.register_keras_serializable("seqtasks")
class AdaptiveSoftmaxHead(keras.layers.Layer):
    """log p(word) = log p(cluster | x) + log p(word | cluster, x), frequent words first.

    The tokens below the first of the `cutoffs` are scored together with one entry for each
    cluster of rarer tokens; inside cluster i the inputs are projected to width / divisor^(i+1)
    first. In training a cluster is computed only for the tokens that are in it.

    Reference: Grave et al. 2016, https://arxiv.org/abs/1609.04309

    Args:
        size: of the vocabulary, its tokens numbered from the most frequent on.
        cutoffs: where the clusters begin, rising, below `size`.
        divisor: of the width, from cluster to cluster.

    Raises:
        ValueError: cutoffs that do not rise from above 0 to below the size.
    """

    def __init__(self, size: int, cutoffs: Sequence[int], divisor: float = 4.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True  # each step by itself
        borders = [0, *cutoffs, size]
        if not cutoffs or any(b <= a for a, b in pairwise(borders)):
            raise ValueError(f"cutoffs are {list(cutoffs)}; allowed: rising numbers above 0 and below {size}")
        self.size, self.cutoffs, self.divisor = size, [int(c) for c in cutoffs], divisor

    def build(self, input_shape: Sequence[int | None]) -> None:
        width = int(input_shape[-1] or 0)
        head = self.cutoffs[0] + len(self.cutoffs)
        self.head = self.add_weight((width, head), "glorot_uniform", name="head")
        self.bias = self.add_weight((head,), "zeros", name="bias")
        self.projections, self.tails = [], []
        for i, (low, high) in enumerate(self._clusters()):
            narrow = max(1, int(width / self.divisor ** (i + 1)))
            self.projections.append(self.add_weight((width, narrow), "glorot_uniform", name=f"projection_{i}"))
            self.tails.append(self.add_weight((narrow, high - low), "glorot_uniform", name=f"tail_{i}"))

    def call(self, x: Any, targets: Any = None) -> Any:
        """Scores tokens.

        Args:
            x: (batch, time, width) or (batch, width).
            targets: (batch, time) or (batch,), token numbers.

        Returns:
            Float32 log-probabilities (…, size); with targets their negative log-likelihoods,
            shaped as they are. Only the first can be compiled by XLA: what is in a cluster
            is as long as the data has it.
        """
        first = self.cutoffs[0]
        head = self._log_softmax(ops.matmul(x, ops.cast(self.head, x.dtype)) + ops.cast(self.bias, x.dtype))
        if targets is None:
            parts = [head[..., :first]]
            for i in range(len(self.cutoffs)):
                parts.append(head[..., first + i, None] + self._tail(i, x))
            return ops.concatenate(parts, axis=-1)
        shape = ops.shape(targets)
        wanted = ops.reshape(ops.cast(targets, "int32"), (-1,))
        x, head = ops.reshape(x, (-1, x.shape[-1])), ops.reshape(head, (-1, head.shape[-1]))
        entry = wanted
        for i, (low, high) in enumerate(self._clusters()):
            entry = ops.where(ops.logical_and(wanted >= low, wanted < high), first + i, entry)
        logp = ops.squeeze(ops.take_along_axis(head, entry[:, None], axis=1), 1)
        for i, (low, high) in enumerate(self._clusters()):
            (here,) = ops.nonzero(ops.logical_and(wanted >= low, wanted < high))
            here = ops.cast(here, "int32")
            inside = self._tail(i, ops.take(x, here, axis=0))
            chosen = ops.take_along_axis(inside, (ops.take(wanted, here) - low)[:, None], axis=1)
            logp = ops.scatter_update(logp, here[:, None], ops.take(logp, here) + chosen[:, 0])
        return ops.reshape(-logp, shape)

    def compute_output_spec(self, x: Any, targets: Any = None) -> Any:
        if targets is not None:
            return keras.KerasTensor(targets.shape, "float32")
        return keras.KerasTensor((*x.shape[:-1], self.size), "float32")

    def _tail(self, i: int, x: Any) -> Any:
        narrow = ops.matmul(x, ops.cast(self.projections[i], x.dtype))
        return self._log_softmax(ops.matmul(narrow, ops.cast(self.tails[i], x.dtype)))

    def _log_softmax(self, logits: Any) -> Any:
        return ops.log_softmax(ops.cast(logits, "float32"), axis=-1)

    def _clusters(self) -> list[tuple[int, int]]:
        return list(zip(self.cutoffs, [*self.cutoffs[1:], self.size], strict=True))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "cutoffs": self.cutoffs, "divisor": self.divisor}


@keras.saving.register_keras_serializable("seqtasks")
class LabelSmoothingHead(keras.layers.Layer):
    """The loss that is trained on, the one that is told, and the likeliest token.

    With smoothing ε the first is (1 - ε) times the negative log-likelihood of the token plus
    ε times the mean of those of all tokens (Szegedy et al. 2016,
    https://arxiv.org/abs/1512.00567). Token 0 is padding and has no probability.

    Args:
        head: a `SoftmaxHead`.
        smoothing: ε, in [0, 1).
    """

    def __init__(self, head: keras.layers.Layer, smoothing: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.head, self.smoothing = head, smoothing

    def build(self, x_shape: Any, targets_shape: Any) -> None:
        if not self.head.built:
            self.head.build(x_shape)
            self.head.built = True

    def call(self, x: Any, targets: Any) -> tuple[Any, Any]:
        """Losses, and guesses.

        Args:
            x: (batch, time, width).
            targets: (batch, time), token numbers.

        Returns:
            Float32 (batch, time, 2), the smoothed loss and the negative log-likelihood, of no
            meaning where the target is padding; and int32 (batch, time), the likeliest tokens.
        """
        logits = self.head(x)[..., 1:]
        nll = ops.sparse_categorical_crossentropy(
            ops.maximum(ops.cast(targets, "int32") - 1, 0), logits, from_logits=True
        )
        smoothed = nll
        if self.smoothing:
            every = ops.logsumexp(logits, axis=-1) - ops.mean(logits, axis=-1)
            smoothed = (1 - self.smoothing) * nll + self.smoothing * every
        return ops.stack([smoothed, nll], axis=-1), ops.cast(ops.argmax(logits, axis=-1), "int32") + 1

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> tuple[Any, Any]:
        """The mask that `x` carries, for the losses and for the guesses."""
        return previous_mask, previous_mask

    def get_config(self) -> dict[str, Any]:
        head = keras.saving.serialize_keras_object(self.head)
        return {**super().get_config(), "head": head, "smoothing": self.smoothing}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LabelSmoothingHead:
        return cls(**{**config, "head": keras.saving.deserialize_keras_object(config["head"])})
