"""`seqtasks bench` as people type it."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from seqtasks.bench.shapes import SHAPES, Shape
from seqtasks.cli import bench_command
from seqtasks.core.errors import ConfigError


def test_words_make_a_shape():
    assert bench_command.shape_of([]) == ("your shape", Shape())
    name, shape = bench_command.shape_of(["char", "units=32", "lengths=[3,4]", "cell=gru"])
    assert name == "char units=32 lengths=[3,4] cell=gru"
    assert shape == SHAPES["char"].of(units=32, lengths=(3, 4), cell="gru")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cahr"], "unknown shape 'cahr'; did you mean char"),
        (["char", "ptb"], "unknown shape 'char ptb'; allowed: one of mnist, char"),
        (["unit=3"], "unknown setting unit; did you mean units"),
        (["units=0"], "units is 0"),
        (["cell=mgu"], "cell is 'mgu'; .*allowed: lstm, gru, simple_rnn"),
    ],
)
def test_words_that_make_none(words, message):
    with pytest.raises(ConfigError, match=message):
        bench_command.shape_of(words)


def test_the_command(cli, tmp_path, monkeypatch):
    # Processes of contenders are those of tests/bench/test_race.py.
    monkeypatch.setattr("seqtasks.bench.race._worker", lambda name, shape, threads: nullcontext(name))
    answer = {"seconds": 0.5, "turn": 1.0, "memory": 2**28}
    monkeypatch.setattr("seqtasks.bench.race._ask", lambda worker, turn: answer)
    words = ["units=8", "batch=4", "time=6", "--contenders", "loop,stock", "--seconds", "0", "--threads", "1"]
    files = ["--markdown", tmp_path / "t.md", "--picture", tmp_path / "b.png"]
    code, out, err = cli("bench", *words, *files, "--quiet")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].startswith("your shape units=8 batch=4 time=6: time of a training step on 1 thread, 3 interleaved")
    assert any(line.startswith("seqtasks, engine loop / stock Keras, TensorFlow: ") for line in lines)
    assert "| your shape units=8" in (tmp_path / "t.md").read_text() and (tmp_path / "b.png").stat().st_size > 1000
    code, out, err = cli("bench", "--contenders", "lop")
    assert (code, out) == (2, "") and err.startswith("seqtasks: unknown contender 'lop'; did you mean loop?")


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ({"markdown": Path("none/table.md")}, "--markdown none/table.md: there is no folder none"),
        ({"picture": Path("none/bars.png")}, "--picture none/bars.png: there is no folder none"),
        ({"picture": Path("bars.gif")}, "ends in '.gif'; allowed: .png, .pdf, .svg"),
    ],
)
def test_output_path_is_checked_before_timing(monkeypatch, option, says):
    monkeypatch.setattr("seqtasks.bench.race.race", lambda *_: pytest.fail("it began"))
    given = {"markdown": None, "picture": None, **option}
    with pytest.raises(ConfigError, match=says):
        bench_command.main([], "loop", 1, 1, quiet=True, **given)
