"""The report: one HTML file with table, charts, pictures, errors and commands."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqtasks.core.errors import RunError, TableError
from seqtasks.experiments import example_outputs
from seqtasks.experiments.example_outputs import ExampleOutputs
from seqtasks.views import report, report_charts
from seqtasks.views.curves import Curve
from seqtasks.views.report_charts import Point, frontier
from tests.experiments.test_results import make, store
from tests.views.test_curves import trained

BASELINE = make(kind="baseline", cell="SVM", value=0.7, run="mnist_rows-svm-0", encoder_params=0)


class Page(HTMLParser):
    """The tags of a page, and whether each is closed."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two seeds of gru and one of lstm, with pictures and errors, and a baseline."""
    store(BASELINE, tmp_path)
    for cell, seed in (("gru", 0), ("gru", 1), ("lstm", 0)):
        folder = tmp_path / trained(tmp_path, cell, seed, params=1000 + len(cell)).run
        (folder / "plots").mkdir()
        Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(folder / "plots" / "confusion.png")
        text = "example,true,predicted,text\n7,no,yes,<script>alert(1)</script> & more\n"
        (folder / "plots" / "worst_errors.csv").write_text(text)
    return tmp_path


@pytest.fixture(params=[False, True], ids=["matplotlib", "altair"])
def page(request, runs: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The report on all runs, with and without Altair."""
    if request.param:
        pytest.importorskip("altair", reason="the extra report is not installed")
        pytest.importorskip("vl_convert", reason="the extra report is not installed")
    monkeypatch.setattr(report_charts, "has_altair", lambda: request.param)
    return report.build_page(report.select([], runs), runs)


def test_the_page_has_everything_inside(page: str) -> None:
    parsed = Page(page)
    assert not parsed.open
    for tag, attributes in parsed.tags:
        source = attributes.get("src") or attributes.get("href") or "#"
        assert source.startswith(("data:", "#")), (tag, source)
        assert tag != "img" or attributes["alt"]
    for text in (
        "3 runs of mnist_rows", "mnist_rows on tfds:mnist", "SVM", "Learning curves", "Settings that differ",
        "gru, the best mean", "examples: train 9", "fingerprint 0123abcd", "confusion",
    ):  # fmt: skip
        assert text in page
    assert "<svg" not in re.sub(
        r"<script.*?</script>", "", page, flags=re.S
    )  # as data, so that the ids of two pictures cannot clash


def test_texts_of_the_data_are_escaped(page: str) -> None:
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page


def test_the_commands_train_the_runs_again(page: str) -> None:
    commands = re.search(r"<h3>Commands</h3>\s*<pre>(.*?)</pre>", page, re.S)
    assert commands is not None
    lines = commands[1].splitlines()
    assert len(lines) == 3
    assert all(line.startswith("seqtasks run mnist_rows ") for line in lines)
    assert [line for line in lines if "seed=1" in line and "encoder.cell=gru" in line]


def test_models_like_the_best_are_marked_here_too(runs: Path) -> None:
    for row in report.select([], runs):
        if row.kind == "model":
            value = round(row.value * 1000) / 1000
            kept = ExampleOutputs.of(np.arange(1000) < value * 1000)
            example_outputs.write(kept, runs / row.run)
    assert "≈" in report.build_page(report.select([], runs), runs)


def test_the_frontier_has_no_dominated_model() -> None:
    models = (("a", 3, 5), ("b", 2, 1), ("c", 4, 9), ("d", 1, 2))
    points = [Point(name, score, 0, 1, size, 1) for name, score, size in models]
    assert [point.label for point in frontier(points, "params", higher_is_better=False)] == ["b", "d"]
    assert [point.label for point in frontier(points, "params", higher_is_better=True)] == ["b", "a", "c"]


def test_a_curve_of_one_epoch_is_a_point() -> None:
    def svg(epochs: list[int]) -> str:
        line = Curve("gru", epochs, *([0.5] * len(epochs) for _ in range(3)), best=[])
        chart = report_charts.curve_chart(report_charts.Charts(False), [line], "loss")
        return base64.b64decode(chart.partition("base64,")[2].rstrip('">')).decode()

    point = "fill: #0072b2; stroke: #0072b2"
    assert point in svg([1]) and point not in svg([1, 2])


def test_pictures_that_do_not_fit_are_left_out(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "PICTURE_BYTES", 0)
    page = report.build_page(report.select([], runs), runs)
    assert "2 pictures are left out, to keep the file small" in page and "<figure>" not in page


@pytest.mark.slow
def test_27_runs_stay_below_five_megabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, size=(500, 600, 3), dtype=np.uint8)
    for number in range(27):
        folder = tmp_path / trained(tmp_path, f"cell{number // 3}", number % 3).run / "plots"
        folder.mkdir()
        for name in ("confusion", "attention"):
            Image.fromarray(noise).save(folder / f"{name}.png")  # 0.9 MB, far more than a plot
    page = report.build_page(report.select([], tmp_path), tmp_path)
    assert 1_000_000 < len(page.encode()) < 5_000_000 and "pictures are left out" in page


def test_runs_and_tasks_are_selected(runs: Path) -> None:
    rows = report.select(["mnist_rows-lstm-0"], runs)
    assert sorted(row.run for row in rows) == ["mnist_rows-lstm-0", "mnist_rows-svm-0"]
    assert len(report.select(["mnist_rows"], runs)) == 4
    page = report.build_page(report.select(["mnist_rows", "seed=1"], runs), runs, ["seed=1"])
    assert "lstm" not in re.sub(r"<script.*?</script>", "", page, flags=re.S)
    with pytest.raises(
        RunError, match=r"'no_such' is neither a run nor a task with finished runs in .*mnist_rows; see"
    ):
        report.select(["no_such"], runs)
    with pytest.raises(RunError, match="no finished run of a model"):
        report.select([], runs / "empty")
    with pytest.raises(TableError, match="no row has seed=9"):
        report.build_page(rows, runs, ["seed=9"])


def test_the_command_writes_the_file(runs: Path, cli) -> None:
    code, out, err = cli("report", "mnist_rows", "-o", runs / "page.html", "--runs", runs)
    assert (code, out.strip(), err) == (0, str(runs / "page.html"), "")
    assert (runs / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    code, _, err = cli("report", "-o", runs / "page.pdf", "--runs", runs)
    assert code == 2 and ".html" in err and len(err.splitlines()) == 1


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_a_browser_shows_it_without_an_error(page: str, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(page, encoding="utf-8")
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
    words += ["--enable-logging=stderr", "--virtual-time-budget=5000", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        ["chromium", *words, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    assert "CONSOLE" not in done.stderr, done.stderr
    drawn = done.stdout.count('class="chart vega-embed')
    assert drawn == (5 if "vegaEmbed" in page else 0)
