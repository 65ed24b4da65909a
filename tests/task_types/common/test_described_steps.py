"""Descriptions of time steps by task types for `look`: known series, marks, sentences and sounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError
from seqtasks.core.plugins import load_task
from seqtasks.core.reporter import Reporter
from seqtasks.training import resolution


def loaded(name: str, *settings: str) -> tuple[Any, Any]:
    """Task and data of a run that is not trained."""
    cls = load_task(name)
    made = resolution.resolve(resolve(name, cls.Options, settings), cls, Reporter(quiet=True))
    return made.task, made.splits


@pytest.fixture
def waves(tmp_path: Path) -> Path:
    """Two series with the season 6, a sawtooth that begins at its lowest value."""
    saw = np.tile(np.arange(6.0), 20)
    lines = [f"{name},{step},{10 * scale + scale * value}" for name, scale in (("a", 1), ("b", 100))
             for step, value in enumerate(saw)]  # fmt: skip
    (tmp_path / "waves.csv").write_text("id,time,value\n" + "\n".join(lines) + "\n")
    return tmp_path / "waves.csv"


def test_forecasts_have_the_position_in_the_season_of_the_whole_series(waves: Path) -> None:
    settings = ("options.season=6", "options.horizon=4", "options.window=15", "options.id=id", "options.time=time")
    task, splits = loaded("forecast", f"data.source=files:{waves}", *settings)
    inputs, *_ = task.sample(splits.test, 8)
    steps = task.describe_steps(inputs)
    mask, properties = inputs["mask"], steps.properties
    assert steps.signal.shape == (*mask.shape, 1) and all(v.shape == mask.shape for v in properties.values())
    values = inputs["steps"][..., 0]
    phase = np.where(values < 100, values - 10, values / 100 - 10)  # both series are in phase with their first step
    angle = 2 * np.pi * phase / 6
    np.testing.assert_allclose(properties["position in the season, sine"][mask], np.sin(angle)[mask], atol=1e-4)
    np.testing.assert_allclose(properties["position in the season, cosine"][mask], np.cos(angle)[mask], atol=1e-4)
    rising = properties["value, rising"]
    assert np.isnan(rising[:, 0]).all()
    np.testing.assert_array_equal(rising[:, 1:][mask[:, 1:]], (phase > 0.5)[:, 1:][mask[:, 1:]])
    np.testing.assert_allclose(steps.signal[mask].mean(), 0, atol=0.1)  # scaled in each window

    inputs_of_file = task.encode_inputs([str(waves)])
    assert inputs_of_file["positions"][:, -1].tolist() == [119, 119] and inputs_of_file["steps"].shape == (2, 15, 1)
    assert "position in the season, sine" in task.describe_steps(inputs_of_file).properties
    with pytest.raises(ConfigError, match="2 files are given; allowed: one"):
        task.encode_inputs([str(waves)] * 2)


def test_anomalies_are_an_event(tmp_path: Path) -> None:
    task, splits = loaded("anomaly", "data.source=builtin", "options.window=50", "options.warm_up=20")
    inputs, targets = task.sample(splits.test, 1000)
    windows = len(inputs["steps"])
    assert inputs["marks"].shape == inputs["mask"].shape == (windows, 50) and len(targets) == windows
    steps = task.describe_steps(inputs, targets)
    marked = steps.properties["marked as an anomaly"]
    assert np.nansum(marked) > 0 and np.isnan(marked).sum() == (inputs["marks"] == -1).sum()
    for name, values in steps.properties.items():
        assert values.shape == (windows, 50), name
    some, _ = task.sample(splits.test, 3)
    np.testing.assert_array_equal(some["steps"][0], inputs["steps"][0])
    np.testing.assert_array_equal(some["steps"][-1], inputs["steps"][-1])

    channels = ",".join(task.spec.channels)
    lines = [",".join(str(0.01 * step) for _ in task.spec.channels) for step in range(120)]
    (tmp_path / "new.csv").write_text(f"{channels}\n" + "\n".join(lines) + "\n")
    inputs_of_file = task.encode_inputs([str(tmp_path / "new.csv")])
    assert "marked as an anomaly" not in task.describe_steps(inputs_of_file).properties
    with pytest.raises(ConfigError, match="no file given"):
        task.encode_inputs([])


def test_captions_count_their_words() -> None:
    task, splits = loaded("captioning", "data.source=builtin", "options.scenes=400", "options.side=28")
    inputs, *_ = task.sample(splits.validation, 5)
    steps = task.describe_steps(inputs)
    chosen = splits.validation.take(np.array([0, 249, 499, 749, 999]))
    references_of = task.references(chosen.take(task.batches(chosen, 5).rows(0)))  # in the order of the batch
    for row, references in enumerate(references_of):
        words = references[0].split()
        assert [label for label in steps.labels[row] if label] == ["<start>", *words]
        left = steps.properties["words to the end"][row]
        assert left[: len(words) + 1].tolist() == list(range(len(words) + 1, 0, -1))
        assert np.isnan(left[len(words) + 1 :]).all()


@pytest.mark.parametrize("features", ["mel", "mfcc"])
def test_the_loudness_of_recordings(features: str) -> None:
    settings = ("data.source=builtin", "options.tests=4", "options.strings=4", "options.gap=0.3")
    task, splits = loaded("spoken_strings", *settings, f"options.features={features}")
    inputs, *_ = task.sample(splits.test, 4)
    properties = task.describe_steps(inputs).properties
    mask = inputs["mask"]
    sound, loudness = properties["sound, not a pause"], properties["loudness"]
    assert 0.1 < sound[mask].mean() < 0.9
    assert loudness[mask & (sound == 1)].min() > np.median(loudness[mask & (sound == 0)])
    begun = properties["frames since the sound began"]
    assert np.nanmin(begun) == 1 and (np.isnan(begun) == (sound == 0)).all()
    starts = int((begun == 1).sum())
    assert starts > 4  # pauses lie between the words of a string
