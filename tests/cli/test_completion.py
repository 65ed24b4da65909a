"""Completion at the Tab key: candidates for a word, what the scripts of the shells do with them, silence, time."""

from __future__ import annotations

import json
import os
import pty
import resource
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from seqtasks.cli import completion
from seqtasks.cli.completion_values import VALUES, stored
from seqtasks.cli.main import app

COMMANDS = stored()["commands"]
FREE = {"new.name", "score.texts", "bench.seconds", "bench.threads"}  # what nobody can guess
FREE |= {f"{command}.{name}" for command in ("compare", "tune") for name in ("jobs", "cpus", "gpus")}
FREE |= {"tune.trials", "tune.minutes", "tune.seeds"}
FREE |= {"new.words"}  # the settings of another task type
FREE |= {f"look.{name}" for name in ("layer", "unit", "top", "example", "steps")}
FREE |= {f"app.{name}" for name in ("host", "port", "password")}
FREE |= {f"serve.{name}" for name in ("host", "port", "token", "batch_wait", "session_time", "time_limit")}
FREE |= {f"serve.max_{name}" for name in ("batch", "body", "inputs", "length", "tokens", "sessions", "waiting")}
FREE |= {"pack.licence", "pack.push", "unpack.sha256"}
PARAMETERS = [
    (name, parameter)
    for name, command in COMMANDS.items()
    for parameter in (*command["arguments"], *command["options"].values())
]


def words(*typed: str) -> list[str]:
    return [value for value, _ in completion.candidates(typed)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with a program `seqtasks` in a folder of its own."""
    program = tmp_path / "bin" / "seqtasks"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m seqtasks "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("SEQTASKS_RUNS", raising=False)
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def test_commands_and_options() -> None:
    assert sorted(words("")) == sorted(COMMANDS) and words("comp") == ["compare", "completion"]
    assert words("--") == ["--help", "--version"]
    assert words("run", "adding", "--f") == ["--force"] and words("compare", "adding", "--no") == ["--no-baseline"]
    assert {"--config", "--runs", "-q", "--help", "--debug"} <= set(words("run", "-"))
    assert words("table", "--format", "m") == ["markdown"] and words("table", "-f", "cs") == ["csv"]
    assert words("table", "--format=m") == ["--format=markdown"]
    assert words("list", "c") == ["cells", "configs"] and words("completion", "") == ["bash", "zsh", "fish"]
    assert words("run", "--quiet", "add") == ["adding"], "a flag takes no value"
    assert words("run", "--config", "x", "add") == ["adding"] == words("run", "--config=x", "add")
    assert words("run", "--", "add") == ["adding"] and words("run", "--", "--f") == []
    assert words("resume", "a", "") == [] and words("no_such", "") == [] and words("no_such", "run", "") == []


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS, ids=[f"{name}.{one['name']}" for name, one in PARAMETERS])
def test_every_parameter_has_values(name, parameter) -> None:
    key = f"{name}.{parameter['name']}"
    known = bool(parameter["flag"] or parameter["choices"] or key in VALUES or parameter["name"] in VALUES)
    assert known != (key in FREE), f"{key}: name its values in completion_values.VALUES, or add it to FREE"


def test_the_table_has_what_typer_parses() -> None:
    group = typer.main.get_command(app)
    made = json.loads(completion.table(group.commands, {"a": "b"}, {}))  # type: ignore[attr-defined]
    assert made["task"] == {"a": "b"} and made["commands"].keys() == COMMANDS.keys()
    run = made["commands"]["run"]
    assert run["help"] == "Train a task and score it on the test split."
    assert [(one["name"], one["many"]) for one in run["arguments"]] == [("task", False), ("overrides", True)]
    assert run["options"]["-q"] == run["options"]["--quiet"] and run["options"]["--quiet"]["flag"]
    assert not run["options"]["--config"]["flag"]
    assert made["commands"]["table"]["options"]["-f"]["choices"][:2] == ["text", "markdown"]


def test_descriptions_are_on_one_line() -> None:
    about = dict(completion.candidates(["run", "adding", "encoder.cell=gru"]))
    assert "Gated recurrent unit" in about["encoder.cell=gru"]
    for typed in ([""], ["run", "--"], ["run", "translation", "options."], ["list", ""]):
        assert all("\n" not in text and "\t" not in text for _, text in completion.candidates(typed))
    assert all(text for _, text in completion.candidates(["run", "translation", "options."]))


@pytest.mark.parametrize(
    ("word", "text", "quote"),
    [
        ("a", "a", ""),
        ("", "", ""),
        (r"my\ data", "my data", ""),
        ("'my data'", "my data", ""),
        ("\"it's", "it's", '"'),
        ("'a", "a", "'"),
        ('data.source="files:my d', "data.source=files:my d", '"'),
    ],
)
def test_words_of_bash(word: str, text: str, quote: str) -> None:
    assert completion._unquoted(word) == (text, quote)


def test_candidates_of_bash_are_escaped_and_end_in_a_space() -> None:
    assert completion._inserted("adding", "") == "adding " and completion._inserted("encoder.", "") == "encoder."
    assert completion._inserted("files:my $x/", "") == r"files:my\ \$x/"
    assert completion._inserted("my data", '"') == "my data"


def test_wrong_words_are_silent(cli) -> None:
    wrong = (["complete"], ["complete", "bash"], ["complete", "bash", "--"])
    for arguments in (*wrong, ["complete", "zsh", "--", "run", "a", "data.source=files:/no/such/"]):
        assert cli(*arguments) == (0, "", "")


def test_failures_are_silent(monkeypatch, capfd) -> None:
    def fail(*_: object) -> None:
        print("a warning", file=sys.stderr)
        raise RuntimeError("broken")

    monkeypatch.setitem(VALUES, "task", fail)
    completion.main(["bash", "--", "run", ""])
    assert capfd.readouterr() == ("", "")


def test_a_process_that_fails_is_silent(folder: Path) -> None:
    (folder / "adding.py").symlink_to("adding.py")  # a loop
    for typed in (
        ["run", "./adding.py", "options."],
        ["predict", "\0"[:0], "--"],
        ["run", "a", "data.source=files:~x/"],
    ):
        done = subprocess.run(["seqtasks", "complete", "fish", "--", *typed, ""], capture_output=True, text=True)
        assert done.stderr == "" and done.returncode == 0
    done = subprocess.run(["seqtasks", "complete", "fish", "--", "run", "add"], stdout=subprocess.PIPE, close_fds=True)
    assert done.stdout.startswith(b"adding\t")


def test_an_answer_takes_a_fraction_of_a_second(folder: Path) -> None:
    heavy = "{'keras', 'tensorflow', 'numpy', 'pandas', 'typer', 'rich'} & set(sys.modules)"
    code = (
        "import sys\n"
        "from seqtasks.__main__ import main\n"
        "sys.argv = ['seqtasks', 'complete', 'bash', '--', 'run', 'mnist_rows', 'encoder.cell=gr']\n"
        "main()\n"
        f"assert not {heavy}, {heavy}\n"
    )
    times = []
    for _ in range(5):
        begin = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-P", "-c", code], check=True, capture_output=True, text=True)
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(end.ru_utime - begin.ru_utime + end.ru_stime - begin.ru_stime)
    assert done.stdout.splitlines() == ["encoder.cell=gru ", "encoder.cell=gru_d ", "encoder.cell=gru_v1 "]
    assert min(times) < 0.3, times  # 0.1 s of processor time on two cores of an AMD EPYC (Zen 4)


BASH = r"""
eval "$(seqtasks completion bash)"
complete -p seqtasks
COMP_LINE=$1 COMP_POINT=${2:-${#1}}
shift 2
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_seqtasks
printf '[%s]\n' "${COMPREPLY[@]}"
"""


def bash(line: str, *split: str, point: int | str = "", breaks: str | None = None) -> list[str]:
    """The candidates of bash for a line, which it has split at blanks and at `=` and `:`."""
    before = "" if breaks is None else f"COMP_WORDBREAKS={breaks!r}\n"
    command = ["bash", "--norc", "--noprofile", "-c", before + BASH, "bash", line, str(point), *split]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    registered, *replies = done.stdout.splitlines()
    assert registered == "complete -o nospace -F _seqtasks seqtasks"
    return [] if replies == ["[]"] else [reply[1:-1] for reply in replies]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash(folder: Path) -> None:
    (folder / "my data").mkdir()
    (folder / "my data" / "a.csv").touch()
    assert bash("seqtasks run mnist_r", "seqtasks", "run", "mnist_r") == ["mnist_rows "]
    assert "adding " in bash("seqtasks run ", "seqtasks", "run", "")
    run = ("seqtasks", "run", "sentiment")
    line = " ".join(run)
    assert bash(f"  {line}  train.opt", *run, "train.opt") == ["train.optimizer="]
    # Only what comes after the last = or : is replaced.
    assert bash(f"{line} encoder.cell=gr", *run, "encoder.cell", "=", "gr") == ["gru ", "gru_d ", "gru_v1 "]
    assert "lstm " in bash(f"{line} encoder.cell=", *run, "encoder.cell", "=")
    assert bash(f"{line} data.source=tfds:", *run, "data.source", "=", "tfds", ":") == ["imdb_reviews "]
    files = ("data.source", "=", "files", ":")
    assert bash(f"{line} data.source=files:my", *run, *files, "my") == [r"my\ data/"]
    assert bash(rf"{line} data.source=files:my\ data/", *run, *files, r"my\ data/") == [r"my\ data/a.csv "]
    assert bash(f'{line} "data.source=files:my d', *run, '"data.source=files:my d') == ["data.source=files:my data/"]
    assert bash(f'{line} data.source="files:my d', *run, "data.source", "=", '"files:my d') == ["files:my data/"]
    # Words after the cursor, and a shell that does not split.
    assert bash("seqtasks run mnist_r seed=1", "seqtasks", "run", "mnist_r", point=20) == ["mnist_rows "]
    assert bash(f"{line} encoder.cell=gru_v", *run, "encoder.cell=gru_v", breaks=" ") == ["encoder.cell=gru_v1 "]
    assert bash("seqtasks no_such x", "seqtasks", "no_such", "x") == []


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish(folder: Path) -> None:
    (folder / "my data").mkdir()

    def fish(line: str) -> list[str]:
        code = f"seqtasks completion fish | source; complete -C {line!r}"
        done = subprocess.run(["fish", "--no-config", "-c", code], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout.splitlines()

    assert fish("seqtasks completion ") == ["bash", "fish", "zsh"]
    (answer,) = fish("seqtasks run mnist_rows encoder.cell=gru_v")
    assert answer.startswith("encoder.cell=gru_v1\tGated recurrent unit")
    for line in (r"seqtasks run sentiment data.source=files:my\ d", 'seqtasks run sentiment "data.source=files:my d'):
        assert fish(line) == ["data.source=files:my data/"]
    assert fish("seqtasks no_such x") == []


SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(seqtasks completion bash)"'),
    "zsh": (["zsh", "-f", "-i"], 'eval "$(seqtasks completion zsh)"'),
}


class Terminal:
    """A shell in a pseudo-terminal."""

    def __init__(self, command: list[str]):
        self.number, slave = pty.openpty()
        environment = os.environ | {"TERM": "dumb", "PS1": "$ ", "HISTFILE": os.devnull}
        streams = {"stdin": slave, "stdout": slave, "stderr": slave}
        self.process = subprocess.Popen(command, env=environment, start_new_session=True, **streams)
        os.close(slave)

    def type(self, keys: str, expected: str) -> str:
        """Types keys, and waits until a text appears; returns what was printed."""
        os.write(self.number, keys.encode())
        printed, end = "", time.monotonic() + 30
        while expected not in printed and time.monotonic() < end:
            if select.select([self.number], [], [], 0.1)[0]:
                printed += os.read(self.number, 65536).decode(errors="replace")
        assert expected in printed, f"after {keys!r}: {printed!r}"
        return printed

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.number)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_terminal(folder: Path, shell: str) -> None:
    command, setup = SHELLS[shell]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{shell} is not installed")
    (folder / "my data").mkdir()
    terminal = Terminal(command)
    try:
        terminal.type(f"{setup}; echo read''y\r", "ready")
        typed = "seqtasks run sent\tencoder.cell=lem\tdata.sou\tfiles:my\t"
        for part in typed.split("\t")[:-1]:
            terminal.type(part, part[-1])
            time.sleep(0.2)
            terminal.type("\t", {"t": "iment", "m": " ", "u": "rce=", "y": "data/"}[part[-1]])
        terminal.type(
            "\x01echo result: \x05\r", "result: seqtasks run sentiment encoder.cell=lem data.source=files:my data/"
        )
    finally:
        terminal.close()
