"""The tutorials in docs/tutorials run, are stored without outputs, and link to files that exist."""

from __future__ import annotations

import json
import os
import re
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))
notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list[dict]:
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


def test_the_index_lists_every_notebook() -> None:
    index = (ROOT / "docs" / "tutorials" / "index.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"```\{toctree\}\n(?::.*\n)*\n(.*?)```", index, re.S)
    assert sorted(listed.split()) == [path.stem for path in NOTEBOOKS]


@notebooks
def test_a_notebook_is_stored_without_outputs(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"].keys() == {"kernelspec", "language_info"}
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert notebook["metadata"]["language_info"] == {"name": "python"}
    for cell in cells(path, "code"):
        assert cell["outputs"] == [] and cell["execution_count"] is None and cell["metadata"] == {}
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])


@notebooks
def test_a_notebook_ends_with_links_to_files_that_exist(path: Path) -> None:
    texts = ["".join(cell["source"]) for cell in cells(path, "markdown")]
    assert "## Next\n" in texts[-1]
    targets = [target for text in texts for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text)]
    assert len(targets) > 2
    assert [
        target for target in targets if not target.startswith("http") and not (path.parent / target).is_file()
    ] == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
@notebooks
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient: pip install '.[docs]'")
    pytest.importorskip("ipykernel", reason="needs ipykernel: pip install '.[docs]'")
    import nbformat

    monkeypatch.setenv("PATH", sysconfig.get_path("scripts") + os.pathsep + os.environ["PATH"])  # for `!seqtasks`
    for name in ("PYTHONSAFEPATH", "TF_CPP_MIN_LOG_LEVEL", "XLA_FLAGS"):  # set for the tests, and not where users are
        monkeypatch.delenv(name, raising=False)
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    folder = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=900, kernel_name="python3", resources=folder).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    assert (tmp_path / "runs").is_dir()
