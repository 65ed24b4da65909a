"""Model cards: metadata, spread over seeds, baselines, limits, licence."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from seqtasks.deploy.licence import licence_of
from seqtasks.deploy.model_card import model_card
from seqtasks.experiments import results, run_folder

from ..views.playground.tiny_runs import unpack


@pytest.fixture
def run(tmp_path: Path) -> run_folder.Run:
    return run_folder.open_run(next(unpack(tmp_path).glob("sentiment-*")))


def beside(run: run_folder.Run, name: str, **changes) -> None:
    """Writes a row beside a run."""
    row = results.read(run.path)
    shutil.copytree(run.path, run.path.parent / name)
    (run.path.parent / name / "result.json").unlink()
    results.write(dataclasses.replace(row, run=name, **changes), run.path.parent / name)


def test_the_metadata_name_task_licence_and_scores(run: run_folder.Run) -> None:
    row, head = results.read(run.path), yaml.safe_load(model_card(run, "CC BY-SA 4.0").split("---")[1])
    assert head["license"] == "cc-by-sa-4.0" and head["pipeline_tag"] == "text-classification"
    assert row.cell in head["tags"] and head["library_name"] == "seqtasks"
    (result,) = head["model-index"][0]["results"]
    assert result["metrics"][0] == {"type": row.metric, "value": row.value}
    other = yaml.safe_load(model_card(run, "for research only").split("---")[1])
    assert (other["license"], other["license_name"]) == ("other", "for research only")
    card = model_card(run, "not stated")
    assert "license" not in yaml.safe_load(card.split("---")[1]) and "trained on" not in card
    results.write(dataclasses.replace(row, refit_examples=1270), run.path)
    assert "\n- trained on: 1,270 training and validation examples\n" in model_card(run, "not stated")


def test_the_spread_over_seeds(run: run_folder.Run) -> None:
    row = results.read(run.path)
    assert "The score is of one seed" in model_card(run, "not stated")
    values = [row.value, row.value + 0.02, row.value - 0.04]
    for seed, value in enumerate(values[1:], 100):
        config = row.config | {"seed": seed}
        beside(run, f"seed{seed}", seed=seed, value=value, scores=row.scores | {row.metric: value}, config=config)
    beside(run, "wider", value=1.0, config=row.config | {"encoder": {**row.config["encoder"], "units": 999}})
    card = model_card(run, "not stated")
    assert f"mean ± sd of 3 seeds | {np.mean(values):.4g} ± {np.std(values, ddof=1):.2g} |" in card
    assert "of one seed" not in card


def test_baselines_limits_and_folders(run: run_folder.Run) -> None:
    row = results.read(run.path)
    source = "files:/home/someone/private/reviews"
    text = json.loads((run.path / "result.json").read_text()) | {"source": source, "notes": ["too few updates"]}
    (run.path / "result.json").write_text(json.dumps(text))
    beside(run, "base", kind="baseline", cell="majority", value=0.5, scores={row.metric: 0.5}, source=source)
    card = model_card(run, "not stated")
    assert "| baseline majority | 0.5 |" in card and "- too few updates" in card
    assert "someone" not in card and "source: files:reviews" in card
    assert "find it out before you use the model" in card


def test_the_licence_of_a_prepared_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "pets" / "small" / "1.0.0"
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text('{"redistributionInfo": {"license": "CC BY 4.0"}}')
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert licence_of("tfds:pets/small") == "CC BY 4.0"
    assert licence_of("tfds:pets/small", "MIT") == "MIT"
    (folder / "dataset_info.json").write_text("{}")
    assert licence_of("tfds:pets/small") == licence_of("tfds:absent") == "not stated"
