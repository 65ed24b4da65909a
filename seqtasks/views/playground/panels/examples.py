"""Panel of tasks without inputs of a visitor: examples of the test split."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqtasks.core.errors import ConfigError
from seqtasks.core.reporter import Reporter
from seqtasks.data.splits import Splits
from seqtasks.layers.metrics import log_softmax
from seqtasks.task_types.common import style
from seqtasks.training.inference import run_data
from seqtasks.views.playground import markup
from seqtasks.views.playground.opened import TURNS, OpenedRun
from seqtasks.views.playground.panels.panel import Outputs, Panel
from seqtasks.views.playground.panels.series import draw


class ExamplesPanel(Panel):
    """Panel of tasks without `predict`, and of probes: an example of the test split by its number."""

    LABEL = "Predict the example"

    @functools.cached_property
    def splits(self) -> Splits:
        """The data of the runs."""
        run = self.runs[0]
        return run_data(run.folder, run.task, run.config, Reporter(quiet=True))

    def inputs(self) -> list[Any]:
        import gradio as gr

        with TURNS.turn():
            count = len(self.splits.test)
        return [gr.Number(0, precision=0, minimum=0, maximum=count - 1, label=f"Test example, 0 to {count - 1}")]

    def answer(self, run: OpenedRun, value: Any, *options: Any) -> Outputs:
        with TURNS.turn():
            test, number = self.splits.test, int(value or 0)
            if not 0 <= number < len(test):
                raise ConfigError(f"the example is {number}; allowed: 0 to {len(test) - 1}; choose one of them")
            batches = run.task.batches(test.take(np.array([number])), 1)
            inputs, targets = batches[0][:2]
            output = np.asarray(run.task.predict_logits(run.model, batches))[0]
            signal = run.task.describe_steps(inputs, targets).signal
            parts = [] if signal is None else [_picture(signal[0])]
            rows = self._rows(inputs, np.asarray(targets)[0], output)
            yield (markup.block(*parts, markup.table(rows)),)

    def _rows(self, inputs: Any, target: Any, output: Any) -> list[dict[str, Any]]:
        """A row for the example, or for each of its steps."""
        names: Sequence[str] = self.task.classes
        if output.ndim == 1 and len(output) == 1:
            return [{"predicted": float(output[0]), "true": float(target)}]
        p = np.exp(log_softmax(output))
        if output.ndim == 1:
            return [
                {"predicted": _name(names, int(p.argmax())), "true": _name(names, int(target)), "P": float(p.max())}
            ]
        arrays = list(inputs.values()) if isinstance(inputs, Mapping) else [inputs]
        first = np.asarray(arrays[0])[0]
        read = first if first.ndim == 1 and len(first) == len(output) else [None] * len(output)
        return [
            {"step": t, "input": None if x is None else int(x), "predicted": _name(names, int(row.argmax())),
             "true": _name(names, int(y)), "P": float(row.max())}
            for t, (x, row, y) in enumerate(zip(read, p, np.ravel(target), strict=True))
        ]  # fmt: skip

    def predict_example(self, run: OpenedRun) -> None:
        for _ in self.answer(run, 0):
            pass


def _name(names: Sequence[str], number: int) -> str:
    return names[number] if names else str(number)


@style.styled
def _picture(signal: Any) -> str:
    channels = [f"input {c + 1}" for c in range(signal.shape[-1])]
    return markup.picture(draw(signal, channels, []), "the input")
