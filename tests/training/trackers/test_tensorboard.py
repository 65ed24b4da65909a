"""Event files, read with TensorBoard's own reader."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqtasks.training.tracker import TrackedRun
from seqtasks.training.trackers.tensorboard import EventFile, TensorBoard, bins

pytest.importorskip("tensorboard", reason="needs TensorBoard: pip install '.[tensorboard]'")


def read(folder: Path) -> dict[str, dict[int, Any]]:
    """Values of a folder by tag and step."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(folder), {"tensors": 0})
    events.Reload()
    return {
        f"{tag} ({events.SummaryMetadata(tag).plugin_data.plugin_name})": {
            event.step: make_ndarray(event.tensor_proto) for event in events.Tensors(tag)
        }
        for tag in events.Tags()["tensors"]
    }


def rows(*epochs: int) -> list[dict[str, float]]:
    return [{"epoch": e, "seconds": 1, "validation_seconds": 2, "loss": 1 / e, "val_loss": 2 / e} for e in epochs]


def test_scalars_texts_histograms_and_pictures(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    tracker = TensorBoard(TrackedRun(tmp_path, {"encoder.cell": "gru"}, {"task": "my_task"}), {})
    assert tracker.start() == 0
    tracker.log(rows(1, 2))
    tracker.log_text(2, "temperature 0.5", "to be\n  or not")
    tracker.log_histogram(2, "head", np.array([-1.0, 0.0, 0.0, 1.0, np.inf], "float32"))
    (tmp_path / "plots").mkdir()
    Figure(figsize=(2, 1), dpi=50).savefig(tmp_path / "plots" / "confusion.png")
    tracker.close("finished")
    training, validation, test = (read(tmp_path / "tensorboard" / part) for part in ("train", "validation", "test"))
    assert training["loss (scalars)"] == {1: 1.0, 2: 0.5} and training["seconds (scalars)"] == {1: 1, 2: 1}
    assert validation == {"loss (scalars)": {1: 2.0, 2: 1.0}, "seconds (scalars)": {1: 2, 2: 2}}
    assert training["temperature 0.5 (text)"][2].item() == b"    to be\n      or not"
    assert b"| encoder.cell | gru |" in training["run (text)"][0].item()
    histogram = training["gradients/head (histograms)"][2]
    assert histogram[:, 2].sum() == 4 and (histogram[0, 0], histogram[-1, 1]) == (-1, 1)
    width, height, png = test["confusion (images)"][2]
    assert (width, height, png[:4]) == (b"100", b"50", b"\x89PNG")


def test_a_run_that_continues_has_each_step_once(tmp_path: Path) -> None:
    run, state = TrackedRun(tmp_path, {}, {}), {}
    first = TensorBoard(run, state)
    first.start()
    first.log(rows(1, 2))
    stored = dict(state)  # of this moment, as the process is killed before the next one is stored
    first.log(rows(3))
    first.close("failed")
    second = TensorBoard(run, stored)
    assert second.start() == 2
    second.log(rows(3, 4))
    second.close("interrupted")
    for part in ("train", "validation"):
        assert list(read(tmp_path / "tensorboard" / part)["loss (scalars)"]) == [1, 2, 3, 4]


def test_later_files_come_later_in_the_order_of_their_names(tmp_path: Path) -> None:
    for step in range(12):
        file = EventFile(tmp_path)
        file.scalar(step, "value", step)
        file.close()
    assert read(tmp_path)["value (scalars)"] == {step: step for step in range(12)}


def test_bins_of_nothing_and_of_one_number() -> None:
    assert bins(np.array([np.nan])).shape == (0, 3)
    assert bins(np.array([2.0, 2.0]))[:, 2].sum() == 2


def test_the_result_is_in_a_folder_of_its_own(tmp_path: Path) -> None:
    @dataclasses.dataclass
    class Result:
        scores = {"accuracy": 0.75}
        epochs = 3

    tracker = TensorBoard(TrackedRun(tmp_path, {}, {}), {})
    tracker.start()
    tracker.log_result(Result())  # type: ignore[arg-type]
    tracker.close("interrupted")
    assert read(tmp_path / "tensorboard" / "test") == {"accuracy (scalars)": {3: 0.75}}
    assert tracker.address == f"tensorboard --logdir {tmp_path / 'tensorboard'}"
