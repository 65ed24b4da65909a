"""Export of tagging models: words, with their characters, to tags."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras

from seqtasks.task_types.common.export_plan import Cases, ExportPlan, Port
from seqtasks.task_types.tagging.model import tagger_of


class TaggingPlan(ExportPlan):
    """Export of a tagger, see `ExportPlan`. The outputs are tag numbers, `(1, time)`.

    Args:
        task: The task.
        model: Trained model.
    """

    output = "tags"

    def __init__(self, task: Any, model: keras.Model):
        tagger = tagger_of(model)
        inputs = [tensor for tensor in tagger.inputs if tensor.name != "targets"]
        super().__init__(task, keras.Model(inputs, tagger.outputs[0]), tokens="words", classes=0)

    def score(self, model: Any, batches: Any) -> Mapping[str, float]:
        self.task.keep(model, "tagger", lambda: model)
        return self.task.score(model, batches)

    def fixed(self, name: str, axis: int, length: int, cases: Cases | None) -> int:
        if name != "characters" or axis == 0 or cases is None:
            return length
        return max(case.inputs[name].shape[1] for case in cases.rows)

    def _ports(self, length: int | None, cases: Cases | None) -> list[Port]:
        ports = super()._ports(length, cases)  # one row of characters for each distinct word
        return [
            dataclasses.replace(port, shape=(length, *port.shape[1:])) if port.name == "characters" else port
            for port in ports
        ]
