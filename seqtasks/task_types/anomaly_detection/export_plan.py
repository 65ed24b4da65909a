"""Export of anomaly detectors: the model of normal series, whose errors are the scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from seqtasks.data.splits import Examples
from seqtasks.task_types.common.export_plan import Case, Cases, ExportPlan, ModelProbe

WINDOWS = 100  # maximum number of windows of a proof


class PredictionPlan(ExportPlan):
    """Export of a prediction model or autoencoder, see `ExportPlan`.

    The examples of its proof are windows of the test series, and their score is the mean squared error that the
    anomaly scores are computed from.
    """

    output = "values"

    def cases(self, examples: Examples, length: int | None = None) -> Cases:
        batches, probe = self.task.batches(examples, 1), ModelProbe(self.model)
        targets = []
        for index in range(min(len(batches), WINDOWS)):
            inputs, wanted = batches[index]
            probe.predict_on_batch(inputs)
            targets.append(np.asarray(wanted))

        def score(outputs: list[np.ndarray]) -> Mapping[str, float]:
            errors = [np.square(made - wanted).ravel() for made, wanted in zip(outputs, targets, strict=True)]
            return {"mean_squared_error": float(np.nanmean(np.concatenate(errors)))}

        rows: list[Case] = probe.calls
        return Cases(rows, score([case.expected for case in rows]), score)

    def answers(self, outputs: Any) -> Any:
        return outputs
