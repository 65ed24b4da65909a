"""The run folder: its files, its lock and its status.

run.json        task, data and versions; written first
config.yaml     the resolved configuration
*.py            copies of the task's and the cell's file, where they are not installed
status.json     training, interrupted or diverged, for `seqtasks list runs`
history.csv     one line an epoch
checkpoint.npz  where training stands; removed at the end
best.npz        the best weights so far; removed at the end
model.keras     the trained model, for inference
result.json     the row; written when all of these are there, so a folder without it is no result
plots/          pictures and tables, drawn last; errors.txt where some could not be
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seqtasks.core.config import Config
from seqtasks.core.errors import DamagedRunError, RunError, suggest
from seqtasks.core.files import usable, write_text
from seqtasks.core.version import __version__
from seqtasks.experiments import repair

FORMAT = 2
READABLE = (1, 2)  # format 1 has former names of options, see `core.aliases`


@dataclass(frozen=True)
class Run:
    """A run folder.

    Attributes:
        path: the folder.
        facts: the content of `run.json`.
    """

    path: Path
    facts: dict[str, Any]

    @property
    def finished(self) -> bool:
        """Whether the folder holds a result."""
        return (self.path / "result.json").is_file()

    @property
    def task(self) -> str:
        """The name of the task.

        Raises:
            RunError: `run.json` gives none, or what cannot be one, such as a path.
        """
        name = self.facts.get("task")
        if not isinstance(name, str) or name.endswith(".py") or any(sign in name for sign in "/\\\0"):
            raise RunError(f"{self.path / 'run.json'} gives the task as {name!r}; allowed: a name; train again")
        return name

    @property
    def plugin(self) -> Path | None:
        """The copy of the task's file, for a task that was run from a file; see `copies`."""
        return self._copy("plugin", "task")

    def command(self, verb: str = "run") -> str:
        """The command that trains this run again, or does something else with it.

        Args:
            verb: `run`, or a command that takes a run folder.
        """
        if verb != "run":
            return shlex.join(["seqtasks", verb, str(self.path), *(["--trust"] if self.copies else [])])
        return repair.run_again(self.path, str(self.plugin or self.task), self.cell_plugin)

    @property
    def cell_plugin(self) -> Path | None:
        """The copy of the cell's file, for a cell that was given as a file; see `copies`."""
        return self._copy("cell_plugin", "cell")

    @property
    def copies(self) -> list[Path]:
        """The copied files, of the task and of the cell, whose code runs when the run is used.

        Raises:
            RunError: `run.json` names a file outside the folder.
        """
        return [path for path in (self.plugin, self.cell_plugin) if path is not None]

    def _copy(self, key: str, kind: str) -> Path | None:
        name = self.facts.get(key)
        if name is None:
            return None
        path = self.path / str(name)
        plain = isinstance(name, str) and "\0" not in name and Path(name).name == name and path.suffix == ".py"
        if not plain or path.resolve() != self.path.resolve() / str(name):
            raise RunError(
                f"{self.path / 'run.json'} names the {kind}'s file {name!r}, which is not in this folder; "
                "such a file is never used; train again with seqtasks run"
            )
        return path

    def config_values(self) -> dict[str, Any]:
        """The resolved configuration as nested mappings.

        Raises:
            RunError: `config.yaml` is missing or damaged.
        """
        return repair.stored_config(self.path)

    def same_data(self, config: Config) -> Config:
        """A configuration that reads the same files from any working folder, where `data.source` may be relative.

        Args:
            config: of this run.
        """
        source = str(self.facts.get("source", ""))
        if not config.data.source.startswith("files:") or not source.startswith("files:"):
            return config
        if not Path(source.removeprefix("files:")).exists():  # moved: as it was typed, it may be right again
            return config
        return dataclasses.replace(config, data=dataclasses.replace(config.data, source=source))

    def status(self) -> str:
        """One phrase on where the run stands."""
        if self.finished:
            return "finished"
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            status = str(json.loads((self.path / "status.json").read_text(encoding="utf-8"))["status"])
            return "its result.json is gone" if status == "finished" else status
        return "not started"

    def set_status(self, status: str) -> None:
        """Notes where the run stands."""
        with writing(self.path):
            write_text(self.path / "status.json", json.dumps({"status": status}) + "\n")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the folder for one process; a killed process lets go of it.

        Raises:
            RunError: another process is writing there.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / ".lock")
        with writing(self.path):
            try:
                lock.acquire(timeout=0)
            except Timeout as error:  # an OSError, too
                raise RunError(
                    f"another process is training in {self.path}; wait for it, or change a setting or --runs"
                ) from error
        try:
            yield
        finally:
            lock.release()

    def tidy(self) -> None:
        """Removes what a killed process was just writing; for the holder of the lock."""
        for path in self.path.glob(".*-*.*"):  # the names that `files.write_atomic` gives
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Removes what training wrote, to start afresh."""
        for name in ("result.json", "checkpoint.npz", "best.npz", "history.csv", "model.keras", "status.json"):
            (self.path / name).unlink(missing_ok=True)
        shutil.rmtree(self.path / "plots", ignore_errors=True)


def create(
    path: Path, config: Config, facts: Mapping[str, Any], plugin: Path | None, cell_code: str | None = None
) -> Run:
    """Makes the folder of a run, or opens it if it is there; of its first files it writes those that are damaged.

    Args:
        path: of the folder, see `path_of`.
        config: resolved.
        facts: what `run.json` stores besides the format.
        plugin: the task's file, for a task that is not installed.
        cell_code: the text of the cell's file, for a cell that was given as a file.

    Raises:
        RunError: the folder cannot be written, or is of another version.
    """
    if (path / "run.json").is_file():
        with contextlib.suppress(DamagedRunError):
            opened = open_run(path)
            if _complete(opened, config, facts, cell_code):
                return opened
    facts = {"format": FORMAT, "seqtasks": __version__, **facts}
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
        if plugin is not None:
            facts["plugin"] = f"{config.task}.py"
            copy = path / facts["plugin"]
            if not (copy.exists() and copy.samefile(plugin)):
                write_text(copy, plugin.read_text(encoding="utf-8"))
        if cell_code is not None:
            facts["cell_plugin"] = f"{config.encoder.cell}.cell.py"  # a task's file may have the plain name
            facts["cell_file"] = code_hash(cell_code)
            write_text(path / facts["cell_plugin"], cell_code)
        write_text(path / "config.yaml", yaml.safe_dump(config.to_dict(), sort_keys=False))
        write_text(path / "run.json", json.dumps(facts, indent=1) + "\n")
    return Run(path, facts)


def code_hash(code: str) -> str:
    """A short hash of the text of a file, with a prefix: YAML takes some hex digits, such as 81e041, for a number."""
    return f"sha256:{hashlib.sha256(code.encode()).hexdigest()[:8]}"


def path_of(runs_dir: Path, config: Config, identity: str, cell: str | None = None) -> Path:
    """Where a run lies; it is named by its cell, if not by another name given here."""
    return runs_dir / f"{config.task}-{cell or config.encoder.cell}-{identity}"


def open_run(path: Path) -> Run:
    """Opens a run folder.

    Raises:
        RunError: it is not one, is damaged, or is of another version.
    """
    file = path / "run.json"
    if not file.is_file():
        if (path / "config.yaml").is_file():
            raise RunError(f"{path} has lost its run.json; {repair.advice(path)}")
        raise RunError(f"{path} is not a run folder (no run.json); see seqtasks list runs")
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        number = facts["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedRunError(f"cannot read {file}: {error}; {repair.advice(path)}") from error
    if number not in READABLE:
        raise RunError(
            f"{path} has format {number}, written by seqtasks {facts.get('seqtasks')}; this is seqtasks {__version__} "
            f"with format {FORMAT}; use that version or train again"
        )
    return Run(path, facts)


def find(name: str, runs_dir: Path) -> Run:
    """The run of that path or name.

    Raises:
        RunError: there is none; the nearest name is suggested.
    """
    for path in (usable(name, "run"), usable(runs_dir / name, "run")):
        if path.is_dir():
            return open_run(path)
    hint = suggest(Path(name).name, _names(runs_dir), see=f"`seqtasks list runs --runs {runs_dir}`")
    raise RunError(f"there is no run {name!r} here or in {runs_dir}; {hint}")


def all_runs(runs_dir: Path) -> list[Run]:
    """Every readable run folder, finished or not, by name."""
    runs = []
    for name in _names(runs_dir):
        with contextlib.suppress(RunError):
            runs.append(open_run(runs_dir / name))
    return runs


def _complete(run: Run, config: Config, facts: Mapping[str, Any], cell_code: str | None) -> bool:
    """Whether the files that `create` writes are there, readable, and of this configuration and data."""
    with contextlib.suppress(RunError, OSError, UnicodeDecodeError):
        cell = None if run.cell_plugin is None else run.cell_plugin.read_text(encoding="utf-8")
        complete = repair.same_result(config, run.config_values()) and all(path.is_file() for path in run.copies)
        complete = complete and cell == cell_code
        return complete and {key: run.facts.get(key) for key in facts} == json.loads(json.dumps(facts))
    return False


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the file system refuses into an error that says what to do.

    Raises:
        RunError: instead of `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise RunError(
            f"cannot write to {path}: {error.strerror or error}; free space or choose another folder with --runs, "
            "then run the same command again: it continues from the last checkpoint"
        ) from error


def _names(runs_dir: Path) -> list[str]:
    if not runs_dir.is_dir():
        return []
    return sorted(p.name for p in runs_dir.iterdir() if (p / "run.json").is_file())
