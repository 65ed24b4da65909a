"""Output layers of language models: softmax, adaptive softmax, label smoothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("seqtasks")
class SoftmaxHead(keras.layers.Layer):
    """Softmax output layer of a language model: logits, or the loss of target tokens.

    Logits are x W + b over a vocabulary. With tied weights W is the transposed matrix of an embedding.
    Each step is treated by itself, and the implicit mask of the input is carried on.

    Reference: Press & Wolf 2016, https://arxiv.org/abs/1608.05859 (tied weights)

    Args:
        size: Vocabulary size.
        embedding: Embedding layer whose matrix is shared, of the same width as the inputs; None: a separate
            matrix.

    Raises:
        ValueError: The embedding and the inputs have different widths.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import SoftmaxHead
        >>> head, x = SoftmaxHead(10), np.zeros((2, 3, 4), "float32")
        >>> tuple(head(x).shape), tuple(head(x, targets=np.ones((2, 3), "int32")).shape)
        ((2, 3, 10), (2, 3))
    """

    def __init__(self, size: int, embedding: keras.layers.Embedding | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True  # steps do not depend on each other
        self.size = size
        self.embedding = embedding

    def build(self, input_shape: Sequence[int | None]) -> None:
        if self.embedding is None:
            self.kernel = self.add_weight((input_shape[-1], self.size), "glorot_uniform", name="kernel")
        elif input_shape[-1] != self.embedding.output_dim:
            raise ValueError(
                f"inputs are {input_shape[-1]} wide; allowed: {self.embedding.output_dim}, the width of the tied "
                "embedding; change one of the widths, or do not tie them"
            )
        self.bias = self.add_weight((self.size,), "zeros", name="bias")

    def call(self, x: Any, targets: Any = None) -> Any:
        """Returns the logits, or the loss of target tokens.

        Args:
            x: Inputs, `(batch, time, width)` or `(batch, width)`.
            targets: Target tokens, `(batch, time)` or `(batch,)`; None: return logits.

        Returns:
            Float32 logits, `(batch, time, size)` or `(batch, size)`; with targets their negative
            log-likelihoods, in the shape of the targets.
        """
        matrix, bias = (ops.cast(weight, x.dtype) for weight in self.matrix_and_bias())
        logits = ops.cast(ops.matmul(x, matrix) + bias, "float32")
        if targets is None:
            return logits
        return ops.sparse_categorical_crossentropy(ops.cast(targets, "int32"), logits, from_logits=True)

    def matrix_and_bias(self) -> tuple[Any, Any]:
        """Returns W, `(width, size)`, and b, `(size,)`."""
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
    """Adaptive softmax: log-probabilities over a large vocabulary, sorted by frequency.

        log p(token | x) = log p(cluster | x) + log p(token | cluster, x)

    The tokens below the first cutoff are scored together with one entry for each cluster of rarer tokens.
    In cluster i the inputs are first projected to width / divisor^(i+1). In training a cluster is computed
    only for the targets in it. Each step is treated by itself, and the implicit mask of the input is
    carried on.

    Reference: Grave et al. 2016, https://arxiv.org/abs/1609.04309

    Args:
        size: Vocabulary size; tokens are numbered from the most frequent on.
        cutoffs: First token of each cluster, rising, above 0 and below `size`.
        divisor: Factor by which the width decreases from cluster to cluster.

    Raises:
        ValueError: `cutoffs` is empty or does not rise from above 0 to below `size`.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import AdaptiveSoftmaxHead
        >>> head, x = AdaptiveSoftmaxHead(100, cutoffs=[10, 50]), np.zeros((2, 3, 16), "float32")
        >>> tuple(head(x).shape), tuple(head(x, targets=np.ones((2, 3), "int32")).shape)
        ((2, 3, 100), (2, 3))
    """

    def __init__(self, size: int, cutoffs: Sequence[int], divisor: float = 4.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True  # steps do not depend on each other
        borders = [0, *cutoffs, size]
        if not cutoffs or any(b <= a for a, b in pairwise(borders)):
            raise ValueError(
                f"cutoffs are {list(cutoffs)}; allowed: rising numbers above 0 and below {size}; give at least one"
            )
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
        """Returns the log-probabilities, or the loss of target tokens.

        Args:
            x: Inputs, `(batch, time, width)` or `(batch, width)`.
            targets: Target tokens, `(batch, time)` or `(batch,)`; None: return log-probabilities.

        Returns:
            Float32 log-probabilities, `(batch, time, size)` or `(batch, size)`; with targets their negative
            log-likelihoods, in the shape of the targets. XLA cannot compile the call with targets, as the number
            of targets in a cluster depends on the data.
        """
        first = self.cutoffs[0]
        head = self._log_softmax(ops.matmul(x, ops.cast(self.head, x.dtype)) + ops.cast(self.bias, x.dtype))
        if targets is None:
            parts = [head[..., :first]]
            for i in range(len(self.cutoffs)):
                parts.append(head[..., first + i, None] + self._tail(i, x))
            return ops.concatenate(parts, axis=-1)
        shape = ops.shape(targets)
        target = ops.reshape(ops.cast(targets, "int32"), (-1,))
        x, head = ops.reshape(x, (-1, x.shape[-1])), ops.reshape(head, (-1, head.shape[-1]))
        entry = target
        for i, (low, high) in enumerate(self._clusters()):
            entry = ops.where(ops.logical_and(target >= low, target < high), first + i, entry)
        logp = ops.squeeze(ops.take_along_axis(head, entry[:, None], axis=1), 1)
        for i, (low, high) in enumerate(self._clusters()):
            (members,) = ops.nonzero(ops.logical_and(target >= low, target < high))
            members = ops.cast(members, "int32")
            tail = self._tail(i, ops.take(x, members, axis=0))
            target_logp = ops.take_along_axis(tail, (ops.take(target, members) - low)[:, None], axis=1)
            logp = ops.scatter_update(logp, members[:, None], ops.take(logp, members) + target_logp[:, 0])
        return ops.reshape(-logp, shape)

    def compute_output_spec(self, x: Any, targets: Any = None) -> Any:
        if targets is not None:
            return keras.KerasTensor(targets.shape, "float32")
        return keras.KerasTensor((*x.shape[:-1], self.size), "float32")

    def _tail(self, i: int, x: Any) -> Any:
        """Returns log-probabilities of the tokens inside of cluster `i`."""
        narrow = ops.matmul(x, ops.cast(self.projections[i], x.dtype))
        return self._log_softmax(ops.matmul(narrow, ops.cast(self.tails[i], x.dtype)))

    def _log_softmax(self, logits: Any) -> Any:
        """Computes a log-softmax in float32."""
        return ops.log_softmax(ops.cast(logits, "float32"), axis=-1)

    def _clusters(self) -> list[tuple[int, int]]:
        """Returns the first token and the end of each cluster."""
        return list(zip(self.cutoffs, [*self.cutoffs[1:], self.size], strict=True))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "cutoffs": self.cutoffs, "divisor": self.divisor}


@keras.saving.register_keras_serializable("seqtasks")
class LabelSmoothingHead(keras.layers.Layer):
    """Softmax with label smoothing: training loss, true loss and most probable token.

    With smoothing ε the training loss is (1 - ε) times the negative log-likelihood of the target plus ε
    times the mean of those of all tokens (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567). Token 0
    is padding and has probability 0. The implicit mask of the input is carried on to both outputs.

    Args:
        head: Layer that computes the logits, such as a `SoftmaxHead`.
        smoothing: ε, in [0, 1).

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import LabelSmoothingHead, SoftmaxHead
        >>> layer = LabelSmoothingHead(SoftmaxHead(10), smoothing=0.1)
        >>> losses, predicted = layer(np.zeros((2, 3, 4), "float32"), np.ones((2, 3), "int32"))
        >>> tuple(losses.shape), tuple(predicted.shape)
        ((2, 3, 2), (2, 3))
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
        """Computes losses and predictions.

        Args:
            x: Inputs, `(batch, time, width)`.
            targets: Target tokens, `(batch, time)`, 0 at padding.

        Returns:
            Losses, float32 `(batch, time, 2)`: with smoothing, and the negative log-likelihood; their values at
            padding have no meaning. Most probable tokens, int32 `(batch, time)`.
        """
        logits = self.head(x)[..., 1:]
        nll = ops.sparse_categorical_crossentropy(
            ops.maximum(ops.cast(targets, "int32") - 1, 0), logits, from_logits=True
        )
        smoothed = nll
        if self.smoothing:
            mean_nll = ops.logsumexp(logits, axis=-1) - ops.mean(logits, axis=-1)
            smoothed = (1 - self.smoothing) * nll + self.smoothing * mean_nll
        return ops.stack([smoothed, nll], axis=-1), ops.cast(ops.argmax(logits, axis=-1), "int32") + 1

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> tuple[Any, Any]:
        """Returns the implicit mask of `x` for the losses and for the predictions."""
        return previous_mask, previous_mask

    def get_config(self) -> dict[str, Any]:
        head = keras.saving.serialize_keras_object(self.head)
        return {**super().get_config(), "head": head, "smoothing": self.smoothing}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LabelSmoothingHead:
        return cls(**{**config, "head": keras.saving.deserialize_keras_object(config["head"])})
