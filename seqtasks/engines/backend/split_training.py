"""Training steps whose batch is computed in several parts, one after the other or in several processes.

The update is that of the whole batch. Each part adds the gradient of its share in the loss of the batch, which is a
mean over the rows or the valid steps of the batch, not a mean of the means of the parts. The optimizer clips and
applies the sum once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.src.backend import get_keras_mask

from seqtasks.core.errors import ConfigError
from seqtasks.engines.backend import state_rows
from seqtasks.engines.backend.process_group import ProcessGroup

ALLOWED = ("sum_over_batch_size", "mean", "mean_with_sample_weight")  # reductions that are means of the whole batch
SEED = "seed_generator_state"  # name of the variables of Keras's seed generators
STREAM = 1_000_003  # distance of the seeds of two processes, so that they draw different dropout masks


class SplitModel(keras.Model):
    """A model that is trained on each batch in parts; created by `split`.

    Metrics add up over the parts. The state of a stateful encoder is kept for each row as for a whole batch. Random
    masks are drawn for each part, and layers that normalise by a batch, such as `BatchNormalization`, see a part.

    Attributes:
        parts: Number of parts of the rows of each process.
        weighted: Whether the loss is a mean over sample weights; else over all positions.
        group: Processes among which the rows of a batch are divided (JAX only); None: a single process.
    """

    parts: int
    weighted: bool
    group: ProcessGroup | None
    train_function: Any

    def train_step(self, *arguments: Any) -> Any:
        """Computes the update of a batch.

        Args:
            *arguments: As Keras passes them: the batch; before it, on JAX, the values of all variables.

        Returns:
            The metrics; on JAX also the new values.
        """
        steps: dict[str, Callable[..., Any]] = {
            "tensorflow": self._step_tensorflow,
            "jax": self._step_jax,
            "torch": self._step_torch,
        }
        return steps[keras.backend.backend()](*arguments)

    def make_train_function(self, force: bool = False) -> None:
        if self.group is None:
            super().make_train_function(force)
        elif self.train_function is None or force:
            self.train_function = self._function_of_group(self.group)

    def _step_tensorflow(self, data: Any) -> Any:
        import tensorflow as tf

        rows = tf.shape(_first(data))[0]
        parts, variables = tf.minimum(self.parts, rows), self.trainable_variables
        total = self._weight(data)
        unused: set[int] = set()

        def body(number: Any, loss: Any, *sums: Any) -> Any:
            begin, end = number * rows // parts, (number + 1) * rows // parts
            part = _rows(data, begin, end)
            with state_rows.starting_at(begin), tf.GradientTape() as tape:
                share, predicted = self._share(part, total, rows)
                scaled = self.optimizer.scale_loss(share)
            gradients = tape.gradient(scaled, [variable.value for variable in variables])
            unused.update(i for i, gradient in enumerate(gradients) if gradient is None)
            self._update_metrics(part, predicted)
            added = [
                value if gradient is None else value + tf.cast(tf.convert_to_tensor(gradient), value.dtype)
                for value, gradient in zip(sums, gradients, strict=True)
            ]
            return number + 1, loss + tf.cast(share, "float32"), *added

        zeros = [tf.zeros(variable.shape, variable.dtype) for variable in variables]
        # One part at a time: otherwise TensorFlow would compute them together and need the memory of the whole batch.
        _, loss, *sums = tf.while_loop(
            lambda number, *_: number < parts, body, [0, tf.zeros(()), *zeros], parallel_iterations=1
        )
        gradients = [None if i in unused else total_gradient for i, total_gradient in enumerate(sums)]
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        self._loss_tracker.update_state(loss, sample_weight=rows)
        return dict(self.get_metrics_result())

    def _step_torch(self, data: Any) -> Any:
        import torch

        rows, total, loss = int(_first(data).shape[0]), self._weight(data), 0.0
        self.zero_grad()
        for begin, end in bounds(rows, self.parts):
            part = _rows(data, begin, end)
            with state_rows.starting_at(begin):
                share, predicted = self._share(part, total, rows)
            self.optimizer.scale_loss(share).backward()  # adds to the gradients
            loss = loss + share.detach()
            self._update_metrics(part, predicted)
        variables = self.trainable_weights[:]
        with torch.no_grad():
            self.optimizer.apply([variable.value.grad for variable in variables], variables)
        self._loss_tracker.update_state(loss, sample_weight=rows)
        return dict(self.get_metrics_result())

    def _step_jax(self, state: Any, data: Any) -> Any:
        trainable, non_trainable, of_optimizer, metrics = state
        rows = _first(data).shape[0]
        gradients, loss, non_trainable, metrics = self._sum_jax(state, data, self._weight(data), rows)
        trainable, of_optimizer = self.optimizer.stateless_apply(of_optimizer, gradients, trainable)
        logs, metrics = self._logs_jax(metrics, loss, rows)
        return logs, (trainable, non_trainable, of_optimizer, metrics)

    def _sum_jax(self, state: Any, data: Any, total: Any, rows: Any) -> Any:
        """Sums gradients and loss over the parts of a batch, as a pure function.

        Args:
            state: Values of trainable, other, optimizer and metric variables.
            data: The batch, or the rows of this process.
            total: Sum of the weights of the whole batch.
            rows: Number of rows of the whole batch.

        Returns:
            Gradients, loss, and new values of the other and the metric variables.
        """
        import jax

        trainable, non_trainable, of_optimizer, metrics = state
        gradients: Any = None
        loss: Any = 0.0
        differentiate = jax.value_and_grad(self._pure_share, has_aux=True)
        for begin, end in bounds(_first(data).shape[0], self.parts):
            part = _rows(data, begin, end)
            if gradients is not None:  # one part at a time, so that XLA does not keep the activations of all
                part, gradients = jax.lax.optimization_barrier((part, gradients))
            with state_rows.starting_at(begin):
                (_, aux), slopes = differentiate(trainable, non_trainable, of_optimizer, metrics, part, total, rows)
            share, non_trainable, metrics = aux
            loss = loss + share
            gradients = slopes if gradients is None else [a + b for a, b in zip(gradients, slopes, strict=True)]
        return gradients, loss, non_trainable, metrics

    def _pure_share(
        self, trainable: Any, non_trainable: Any, of_optimizer: Any, metrics: Any, part: Any, total: Any, rows: Any
    ) -> Any:
        variables = [*self.trainable_variables, *self.non_trainable_variables]
        variables += [*self.metrics_variables, *self.optimizer.variables]
        values = [*trainable, *non_trainable, *metrics, *of_optimizer]
        scope = keras.StatelessScope(zip(variables, values, strict=True), collect_losses=True)
        with scope:
            share, predicted = self._share(part, total, rows)
            scaled = self.optimizer.scale_loss(share)
            self._update_metrics(part, predicted)

        def new(variables: Sequence[Any]) -> list[Any]:
            return [scope.get_current_value(variable) for variable in variables]

        return scaled, (share, new(self.non_trainable_variables), new(self.metrics_variables))

    def _logs_jax(self, metrics: Any, loss: Any, rows: Any) -> Any:
        scope = keras.StatelessScope(zip(self.metrics_variables, metrics, strict=True))
        with scope:
            self._loss_tracker.update_state(loss, sample_weight=rows)
            logs = self.get_metrics_result()
        return logs, [scope.get_current_value(variable) for variable in self.metrics_variables]

    def _share(self, part: Any, total: Any, rows: Any) -> tuple[Any, Any]:
        """Computes the share of a part in the loss of its batch.

        Args:
            part: Inputs, targets and sample weights of the part.
            total: Sum of the weights of the whole batch.
            rows: Number of rows of the whole batch.

        Returns:
            The share, and the outputs of the model.
        """
        x, y, weight = keras.utils.unpack_x_y_sample_weight(part)
        predicted = self(x, training=True)
        if get_keras_mask(predicted) is not None:
            raise ConfigError(
                f"the output of the model {self.name} has an implicit mask of Keras, and the batch is computed in "
                "parts; allowed: sample weights that are 0 at padded steps; return them from Task.batches, or set "
                "train.accumulate=1 and train.processes=1"
            )
        loss = ops.convert_to_tensor(self.compute_loss(x, y, predicted, weight, training=True))
        added = sum(self.losses) if self.losses else 0.0  # of layers, such as penalties: means over rows
        of_rows = _quotient(ops.shape(_first(part))[0], rows, loss.dtype)
        of_weight = _quotient(self._weight(part), total, loss.dtype)
        return (loss - added) * of_weight + added * of_rows, predicted

    def _weight(self, data: Any) -> Any:
        """Sum of the weights over which the loss of a batch or part is a mean."""
        x, _, weight = keras.utils.unpack_x_y_sample_weight(data)
        if not self.weighted or weight is None:
            return ops.shape(_first((x,)))[0]
        return weight.sum() if isinstance(weight, np.ndarray) else ops.sum(ops.cast(weight, "float32"))

    def _update_metrics(self, part: Any, predicted: Any) -> None:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(part)
        self.compute_metrics(x, y, predicted, sample_weight=weight)

    def _function_of_group(self, group: ProcessGroup) -> Callable[[Any, Any], Any]:
        """Makes the function of a training step that is divided among processes.

        Each process computes the gradients of its rows. They are added up over the processes in one vector, with the
        changes of the metrics and of the statistics of layers, and what the processes propose, see
        `ProcessGroup.proposals`. Then each process makes the same update.
        """
        import jax
        import jax.numpy as jnp

        paths = [variable.path for variable in self.non_trainable_variables]
        seeds = [i for i, path in enumerate(paths) if path.endswith(SEED)]
        kept = [i for i, path in enumerate(paths) if state_rows.KEPT in path.rpartition("/")[2]]
        shared = [
            i
            for i, variable in enumerate(self.non_trainable_variables)
            if i not in (*seeds, *kept) and "float" in variable.dtype
        ]
        offset = np.array([group.rank * STREAM, 0])

        def local(state: Any, data: Any, total: Any, rows: Any, counts: Any, proposals: Any) -> Any:
            trainable, others, of_optimizer, metrics = state
            drawn = [
                value + jnp.asarray(offset, value.dtype) if i in seeds else value for i, value in enumerate(others)
            ]
            gradients, loss, new, new_metrics = self._sum_jax(
                (trainable, drawn, of_optimizer, metrics), data, total, rows
            )
            own_rows = _first(data).shape[0]
            for i in seeds:  # as many draws as a process with enough rows for all parts
                steps = (new[i] - drawn[i]) // len(list(bounds(own_rows, self.parts))) * self.parts
                new[i] = others[i] + steps
            part = own_rows / rows
            changes = [(after - before) * counts for before, after in zip(metrics, new_metrics, strict=True)]
            statistics = [(new[i] - others[i]) * part * counts for i in shared]
            summed = [*[gradient * counts for gradient in gradients], *changes, *statistics, loss * counts, proposals]
            vector = jnp.concatenate([jnp.ravel(value).astype("float32") for value in summed])
            return vector[None], new

        def apply(state: Any, vector: Any, rows: Any) -> Any:
            trainable, others, of_optimizer, metrics = state
            values = iter(_cut(vector, [*trainable, *metrics, *[others[i] for i in shared], jnp.zeros(())]))
            gradients = [next(values) for _ in trainable]
            metrics = [before + next(values) for before in metrics]
            others = list(others)
            for i in shared:
                others[i] = others[i] + next(values)
            trainable, of_optimizer = self.optimizer.stateless_apply(of_optimizer, gradients, trainable)
            logs, metrics = self._logs_jax(metrics, next(values), rows)
            return logs, (trainable, others, of_optimizer, metrics)

        compiled_local, compiled_apply = jax.jit(local), jax.jit(apply, donate_argnums=0)

        def step(state: Any, iterator: Iterator[Any]) -> Any:
            data = next(iterator)
            rows = _first(data).shape[0]
            begin, end = group.share(rows)
            counts = float(end > begin)
            shard = _rows(data, begin, end) if end > begin else _rows(data, 0, 1)  # its row counts 0 times
            proposals = group.propose()
            vector, new = compiled_local(
                state, shard, np.float32(self._weight(data)), np.float32(rows), np.float32(counts), proposals
            )
            vector = group.sum_vector(vector)
            trainable, others, of_optimizer, metrics = state
            unchanged = [others[i] if i in shared else value for i, value in enumerate(new)]
            logs, state = compiled_apply((trainable, unchanged, of_optimizer, metrics), vector, np.float32(rows))
            group.decide(np.asarray(vector[-len(proposals) :]))
            return logs, state

        return step


def split(model: keras.Model, loss: Any, parts: int, group: ProcessGroup | None = None) -> keras.Model:
    """Returns a model that shares all weights with `model` and is trained in parts, as `SplitModel`.

    Args:
        model: A functional model, not compiled.
        loss: The loss that it will be compiled with.
        parts: Number of parts.
        group: Processes among which the rows of a batch are divided; None: a single process.

    Raises:
        ConfigError: The model has a training step of its own, or the loss is no mean.
    """
    settings = "train.accumulate=1" if group is None else "train.accumulate=1 and train.processes=1"
    if type(model).train_step is not keras.Model.train_step:
        raise ConfigError(
            f"the model {model.name} has a training step of its own ({type(model).__name__}), which cannot compute a "
            f"batch in parts; allowed: a plain keras.Model; set {settings}, or leave out the option that needs it"
        )
    reduction = getattr(loss, "reduction", "sum_over_batch_size")
    if reduction not in ALLOWED:
        raise ConfigError(
            f"the loss {type(loss).__name__} has the reduction {reduction!r}, which cannot be computed in parts; "
            f"allowed: {', '.join(ALLOWED)}; set {settings}"
        )
    inputs = model.inputs if len(model.inputs) > 1 else model.inputs[0]
    trained = SplitModel(inputs, model.outputs[0], name=model.name)
    trained.parts, trained.weighted, trained.group = parts, reduction == "mean_with_sample_weight", group
    return trained


def bounds(rows: int, parts: int) -> Iterator[tuple[int, int]]:
    """First row and end of each part of a batch; parts differ by one row at most, and none is empty.

    Args:
        rows: Number of rows of the batch.
        parts: Maximum number of parts.

    Example:
        >>> list(bounds(7, 3)), list(bounds(2, 3))
        ([(0, 2), (2, 4), (4, 7)], [(0, 1), (1, 2)])
    """
    parts = min(parts, rows)
    return ((number * rows // parts, (number + 1) * rows // parts) for number in range(parts))


def _rows(data: Any, begin: Any, end: Any) -> Any:
    return keras.tree.map_structure(lambda array: None if array is None else array[begin:end], data)


def _first(data: Any) -> Any:
    return next(array for array in keras.tree.flatten(data) if array is not None)


def _quotient(value: Any, total: Any, dtype: Any) -> Any:
    """A quotient, 0 where the total is 0, as in a batch without a valid step."""
    value, total = (ops.cast(ops.convert_to_tensor(number), dtype) for number in (value, total))
    return value / ops.where(total == 0, ops.ones_like(total), total)


def _cut(vector: Any, like: Sequence[Any]) -> Iterator[Any]:
    """Cuts a vector into arrays of the shapes and types of others."""
    begin = 0
    for array in like:
        end = begin + array.size
        yield vector[begin:end].reshape(array.shape).astype(array.dtype)
        begin = end
