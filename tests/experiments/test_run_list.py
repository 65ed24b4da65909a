"""List of runs: data source and state of each, also from an index."""

from __future__ import annotations

from pathlib import Path

import pytest

from seqtasks.experiments import folder_index, run_folder
from seqtasks.experiments.run_list import ListedRun, list_runs

from .test_run_folder import CONFIG


@pytest.mark.parametrize("least", [1, 500])
def test_runs_with_their_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least: int) -> None:
    monkeypatch.setattr(folder_index, "LEAST", least)
    monkeypatch.setattr(folder_index, "RECENT", -(10**18))
    facts = {"task": "demo", "source": "tfds:mnist", "spec": {}}
    made = run_folder.create(tmp_path / "demo-gru-0123abcd", CONFIG, facts, None)
    (tmp_path / "foreign").mkdir()
    for _ in range(2):
        assert list_runs(tmp_path) == [ListedRun(str(made.path), "tfds:mnist", "not started")]
    made.set_status("diverged")
    assert list_runs(tmp_path)[0].status == "diverged"
    (made.path / "result.json").write_text("{}")
    assert list_runs(tmp_path)[0].status == "finished"
    (made.path / "run.json").write_text("{")
    assert list_runs(tmp_path) == []
    assert (tmp_path / ".index-run.json").exists() == (least == 1)
