"""Export of sequence-to-sequence models as two graphs: encoder, and one step of the decoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.data.splits import Examples
from seqtasks.decoding.seq2seq import Hypothesis, Seq2SeqParts
from seqtasks.task_types.common.export_plan import Case, Cases, ExportPlan, Graph, Port, Shape, State, Tensors
from seqtasks.task_types.seq2seq.scores import line_scores


class Seq2SeqPlan(ExportPlan):
    """Export of a model that ends in `seq2seq_head`, see `ExportPlan`.

    The encoder graph returns the memory, the keys of the attention, and the initial states of the decoder under the
    names of its inputs. The decoder graph reads the token before and returns the logits of the next.

    Args:
        task: The task.
        model: Trained model; its first input is the source.
        tokens: Name of the source, if it is token numbers with padding 0; None: an image.
    """

    shapes: tuple[Shape, ...] = ("length",)
    output = "logits"

    def __init__(self, task: Any, model: keras.Model, tokens: str | None = None):
        self.parts = parts = Seq2SeqParts.of(model)
        states = keras.tree.flatten(parts.bridge.output)
        reader = keras.Model(model.inputs[0], [parts.memory.output, *states])
        super().__init__(task, reader, tokens=tokens, classes=parts.head.size)
        self.trained = model
        cells = [recurrent.cell for recurrent in parts.decoder.stack.recurrents]
        self.names = [f"{i}_{name}" for i, cell in enumerate(cells) for name in cell.states]
        self.sizes = [size for cell in cells for size in cell.state_size]
        if parts.decoder.feeding:
            self.names.append("fed")
            self.sizes.append(parts.decoder.output_size)

    def graphs(self, shape: Shape, length: int | None = None, cases: Cases | None = None) -> list[Graph]:
        ports = self._ports(length, cases)
        steps = length if self.tokens is not None else self.parts.memory.output.shape[1]
        width = self.parts.memory.output.shape[-1]
        inputs = [Port("token", (1, 1), "int32"), Port("memory", (1, steps, width), "float32")]
        if self.parts.decoder.attention is not None:
            inputs.append(Port("keys", (1, steps, self._keys_width()), "float32"))
        if self.tokens is not None:
            inputs.append(Port("mask", (1, steps), "bool"))
        states = [State(f"state_{name}", f"next_state_{name}") for name in self.names]
        state_inputs = [
            Port(f"state_{name}", (1, size), "float32") for name, size in zip(self.names, self.sizes, strict=True)
        ]
        return [Graph("encoder", ports, self._encode), Graph("decoder", inputs, self._decode, states, state_inputs)]

    def _keys_width(self) -> int:
        attention = self.parts.decoder.attention
        assert attention is not None
        width = self.parts.memory.output.shape[-1]
        return int(attention.keys(ops.zeros((1, 1, width))).shape[-1])

    def _encode(self, tensors: Tensors) -> Tensors:
        source = tensors[self.model.inputs[0].name]
        if self.tokens is not None:
            source *= ops.cast(tensors["mask"], source.dtype)
        memory, *states = self.model(source)
        made = {"memory": memory}
        decoder = self.parts.decoder
        if decoder.attention is not None:
            made["keys"] = decoder.attention.keys(memory)
        if decoder.feeding:
            states.append(ops.zeros_like(states[0][:, :1]) + ops.zeros((1, decoder.output_size)))
        return made | {f"state_{name}": state for name, state in zip(self.names, states, strict=True)}

    def _decode(self, tensors: Tensors) -> Tensors:
        parts = self.parts
        flat = iter([tensors[f"state_{name}"] for name in self.names])
        sizes = [*parts.decoder.state_sizes, *([[parts.decoder.output_size]] if parts.decoder.feeding else [])]
        states = [[next(flat) for _ in layer] for layer in sizes]
        vectors = parts.embedding(tensors["token"])
        x, _, states = parts.decoder(
            vectors, states, tensors["memory"], mask=tensors.get("mask"), keys=tensors.get("keys")
        )
        x = x if parts.projection is None else parts.projection(x)
        after = [state for layer in states for state in layer]
        made = {f"next_state_{name}": state for name, state in zip(self.names, after, strict=True)}
        return {self.output: parts.head(x)[:, 0], **made}

    def cases(self, examples: Examples, length: int | None = None) -> Cases:
        task, batches = self.task, self.task.batches(examples, 1)
        references, writer = task.references(examples), task.kept_writer(self.trained)
        rows, order = [], []
        for index in range(len(batches)):
            inputs = batches[index][0]
            name = self.model.inputs[0].name
            chosen = {name: np.asarray(inputs[name]), "previous": np.asarray(inputs["previous"])}
            most = {"most": np.array(writer.max_tokens(chosen[name].shape[1]))}  # those that the task generates
            rows.append(self.with_mask(Case({**chosen, **most}, self._expected(chosen))))
            order.append(int(np.asarray(batches.rows(index))[0]))
        greedy = line_scores(task.greedy(self.trained, examples), references)

        def rescore(sequences: list[np.ndarray]) -> Mapping[str, float]:
            hypotheses: list[Any] = [None] * len(sequences)
            for row, tokens in zip(order, sequences, strict=True):
                hypotheses[row] = [Hypothesis(tokens, 0.0, 0.0)]
            return line_scores(task.lines(lambda _: hypotheses, examples), references)

        return Cases(rows, greedy, rescore, "sequences")

    def _expected(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Logits of teacher forcing in one call of the decoder, `(1, time, size)`."""
        parts, source = self.parts, inputs[self.model.inputs[0].name]
        memory, *flat = map(ops.convert_to_tensor, self.model.predict_on_batch(source))
        states = [[flat.pop(0) for _ in layer] for layer in parts.decoder.state_sizes]
        mask = None if self.tokens is None else ops.convert_to_tensor(source > 0)
        vectors = parts.embedding(ops.convert_to_tensor(inputs["previous"]))
        x = parts.decoder(vectors, states, memory, mask=mask)[0]
        x = x if parts.projection is None else parts.projection(x)
        return np.asarray(ops.convert_to_numpy(parts.head(x)))
