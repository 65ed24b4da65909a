"""Export of language models: one step from a token to the logits of the next, or a whole text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.data.splits import Examples
from seqtasks.layers.metrics import language_scores, log_softmax
from seqtasks.task_types.common.export_plan import Case, Cases, ExportPlan, Graph, Port, Shape, Tensors, encoder_states
from seqtasks.task_types.language_modeling.model import LanguageModelParts, LanguageStep

STREAM = 1000  # maximum number of steps of a stream of the test text


class LanguagePlan(ExportPlan):
    """Export of a language model, see `ExportPlan`. The examples of its proof are streams of the test text.

    Args:
        task: The task.
        model: Trained model.
    """

    shapes: tuple[Shape, ...] = ("step", "length")
    any_length = True
    output = "logits"
    whole_text = True
    step_names = ("tokens",)

    def __init__(self, task: Any, model: keras.Model):
        super().__init__(task, model, classes=task.spec.size)
        self.parts = LanguageModelParts.of(model)

    def graphs(self, shape: Shape, length: int | None = None, cases: Cases | None = None) -> list[Graph]:
        parts = self.parts
        if shape == "length":
            port = Port("tokens", (1, length), "int32")
            return [Graph("model", [port], lambda tensors: {self.output: self._logits(tensors["tokens"])})]
        step = LanguageStep(self.model)
        if step.table is not None:
            step.table = ops.convert_to_numpy(step.table)  # a constant of the graph, not a tensor that it captures
        states, ports = encoder_states(parts.encoder)

        def function(tensors: Tensors) -> Tensors:
            flat = iter([tensors[state.input] for state in states])
            before = [[next(flat) for _ in recurrent.cell.state_size] for recurrent in parts.encoder.recurrents]
            logits, after = step(tensors["tokens"][:, 0], before)
            values = [value for layer in after for value in layer]
            return {self.output: logits, **{state.output: v for state, v in zip(states, values, strict=True)}}

        return [Graph("step", [Port("tokens", (1, 1), "int32")], function, states, ports)]

    def cases(self, examples: Examples, length: int | None = None) -> Cases:
        text = np.asarray(examples.inputs["tokens"][: len(examples)], np.int32)
        following = np.asarray(examples.targets[: len(examples)], np.int32)
        steps = min(length or STREAM, len(text))
        begins = range(0, len(text) - steps + 1, steps)
        rows = [text[None, i : i + steps] for i in begins]
        targets = [following[i : i + steps] for i in begins]
        expected = [np.asarray(ops.convert_to_numpy(self._logits(ops.convert_to_tensor(row)))) for row in rows]

        def score(outputs: list[np.ndarray]) -> Mapping[str, float]:
            log_p = [log_softmax(logits[0].astype(np.float64)) for logits in outputs]
            nll = -sum(float(p[np.arange(steps), row].sum()) for p, row in zip(log_p, targets, strict=True))
            return language_scores(nll, steps * len(targets))

        cases = [Case({"tokens": row}, logits) for row, logits in zip(rows, expected, strict=True)]
        return Cases(cases, score(expected), score)

    def _logits(self, tokens: object) -> object:
        encoder = self.parts.encoder
        outputs, _ = encoder(self.parts.embedding(tokens), initial_state=encoder.initial_state(1))
        return self.parts.head(outputs)
