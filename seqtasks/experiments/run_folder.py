"""The run folder: files, lock and status.

run.json        task, data and versions; written first
config.yaml     the resolved configuration
*.py            copies of task and cell, if they were given as files
status.json     training, interrupted or diverged; shown by `seqtasks list runs`
history.csv     losses and scores of each epoch
gradients.csv   gradient norms of each update, with train.log_gradients
checkpoint.npz  state of training; removed after training
best.npz        weights of the best epoch so far; removed after training
refit.npz       state of the training on training and validation examples, see `Task.refit_examples`; removed after it
model.keras     the trained model, for inference
trackers.json   what trackers need to go on with the same record, with train.trackers
tensorboard/    event files, with train.trackers=[tensorboard]
outputs.npz     outputs for each test example, by which tables compare models
result.json     the result row; written last of these, so that a folder without it is not finished
plots/          plots and tables, drawn after that; errors.txt if some failed
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import logging
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seqtasks.core.config import Config
from seqtasks.core.errors import BusyRunError, DamagedRunError, RunError, suggest
from seqtasks.core.files import usable, write_text
from seqtasks.core.parsing import parse_json
from seqtasks.core.version import __version__
from seqtasks.experiments import repair

FORMAT = 2
READABLE = (1, 2)  # formats that can be read; format 1 has former names of options, see `core.aliases`
LOCK = ".lock"  # locked while a process trains in the folder
# Errors of file systems without `flock`; Windows has no ENOTSUP.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, getattr(errno, "ENOTSUP", errno.ENOSYS)}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """A run folder.

    Attributes:
        path: Path of the folder.
        facts: Content of `run.json`.
    """

    path: Path
    facts: dict[str, Any]

    @property
    def finished(self) -> bool:
        """Whether the folder has a result."""
        return (self.path / "result.json").is_file()

    @property
    def is_trial(self) -> bool:
        """Whether the run is a trial of a search, which is never scored on the test split and keeps no model."""
        return self.facts.get("kind") == "trial"

    @property
    def task(self) -> str:
        """Name of the task.

        Raises:
            RunError: `run.json` has no name, or one that could be a path.
        """
        name = self.facts.get("task")
        if not isinstance(name, str) or name.endswith(".py") or any(sign in name for sign in "/\\\0"):
            raise RunError(f"{self.path / 'run.json'}: task is {name!r}; allowed: a name; train again")
        return name

    @property
    def plugin(self) -> Path | None:
        """Copy of the task's file, for a task that was given as a file; see `copies`."""
        return self._copy("plugin", "task")

    def command(self, verb: str = "run") -> str:
        """A command line for this run, for messages.

        Args:
            verb: `run` to train it again, or the name of a command that takes a run folder.
        """
        if verb != "run":
            return shlex.join(["seqtasks", verb, str(self.path), *(["--trust"] if self.copies else [])])
        return repair.run_again(self.path, str(self.plugin or self.task), self.cell_plugin)

    @property
    def cell_plugin(self) -> Path | None:
        """Copy of the cell's file, for a cell that was given as a file; see `copies`."""
        return self._copy("cell_plugin", "cell")

    @property
    def copies(self) -> list[Path]:
        """Copied files of task and cell, whose code is executed when the run is used.

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
                f"{self.path / 'run.json'} names the {kind}'s file {name!r}; allowed: a file in this folder; train "
                "again with seqtasks run"
            )
        return path

    def config_values(self) -> dict[str, Any]:
        """The resolved configuration as nested mappings.

        Raises:
            RunError: `config.yaml` is missing or damaged.
        """
        return repair.stored_config(self.path)

    def same_data(self, config: Config) -> Config:
        """Replaces a relative `data.source=files:…` by the absolute path of the run.

        Args:
            config: Configuration of this run.
        """
        source = str(self.facts.get("source", ""))
        if not config.data.source.startswith("files:") or not source.startswith("files:"):
            return config
        if not Path(source.removeprefix("files:")).exists():  # moved: the relative path may still be right
            return config
        return dataclasses.replace(config, data=dataclasses.replace(config.data, source=source))

    def status(self) -> str:
        """State of the run: "finished", "training", "interrupted", "not started" or a reason.

        A run whose process was killed is "interrupted", although its file says "training".
        """
        if self.finished:
            return "finished"
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            status = str(parse_json((self.path / "status.json").read_text(encoding="utf-8"))["status"])
            if status == "training" and not self._locked():
                return "interrupted"
            return "its result.json is missing" if status == "finished" else status
        return "not started"

    def set_status(self, status: str) -> None:
        """Writes the state of the run to `status.json`."""
        with writing(self.path):
            write_text(self.path / "status.json", json.dumps({"status": status}) + "\n")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Locks the folder for one process; the lock ends with the process.

        On a file system without locks, such as some network mounts, a warning is logged instead.

        Raises:
            BusyRunError: Another process holds the lock.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / LOCK)
        with writing(self.path):
            try:
                lock.acquire(timeout=0.2)  # `status` of another process holds it for some microseconds
            except (NotImplementedError, OSError) as error:  # filelock before 4 raises one of them, or times out
                timed_out = isinstance(error, Timeout)
                if timed_out and _has_locks(self.path):
                    raise BusyRunError(
                        f"another process is training in {self.path}; wait for it, or change a setting or --runs"
                    ) from error
                if not timed_out and getattr(error, "errno", errno.ENOSYS) not in _NO_LOCKS:
                    raise
                log.warning("the file system of %s has no locks; do not start the same run twice", self.path)
        try:
            yield
        finally:
            lock.release()

    def _locked(self) -> bool:
        """Whether a process trains in the folder; true if that cannot be determined."""
        from filelock import FileLock, Timeout

        if not (self.path / LOCK).is_file():
            return False
        try:
            with FileLock(self.path / LOCK, timeout=0):
                return False
        except (Timeout, NotImplementedError, OSError):
            return True

    def tidy(self) -> None:
        """Removes temporary files of a killed process; only the holder of the lock may call it."""
        for path in self.path.glob(".*-*.*"):  # names of temporary files of `files.write_atomic`
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Removes everything that training wrote, to train from the beginning."""
        training = ("checkpoint.npz", "best.npz", "refit.npz", "history.csv", "gradients.csv", "status.json")
        for name in ("result.json", "model.keras", "outputs.npz", "trackers.json", *training):
            (self.path / name).unlink(missing_ok=True)
        for name in ("plots", "tensorboard"):
            shutil.rmtree(self.path / name, ignore_errors=True)


def _has_locks(folder: Path) -> bool:
    """Whether the file system of a folder has locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in _NO_LOCKS
    return True


def create(
    path: Path, config: Config, facts: Mapping[str, Any], plugin: Path | None, cell_code: str | None = None
) -> Run:
    """Creates the folder of a run with its first files, or opens an existing one.

    If a first file of an existing folder is missing or damaged, all of them are written again.

    Args:
        path: Path of the folder, see `path_of`.
        config: Resolved configuration.
        facts: Content of `run.json` besides the format.
        plugin: File of the task, for a task that is not installed.
        cell_code: Text of the cell's file, for a cell that was given as a file.

    Raises:
        RunError: The folder cannot be written, or is of another version.
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
            facts["cell_plugin"] = f"{config.encoder.cell}.cell.py"  # CELL.py could be the name of the task's file
            facts["cell_file"] = code_hash(cell_code)
            write_text(path / facts["cell_plugin"], cell_code)
        write_text(path / "config.yaml", yaml.safe_dump(config.to_dict(), sort_keys=False))
        write_text(path / "run.json", json.dumps(facts, indent=1) + "\n")
    return Run(path, facts)


def code_hash(code: str) -> str:
    """A short hash of the text of a file, with a prefix.

    Without it, YAML would read hex digits such as 81e041 as a number.
    """
    return f"sha256:{hashlib.sha256(code.encode()).hexdigest()[:8]}"


def path_of(runs_dir: Path, config: Config, identity: str, cell: str | None = None) -> Path:
    """Path of a run folder.

    Args:
        runs_dir: Folder of all runs.
        config: Resolved configuration.
        identity: Hash of settings and data, see `Config.identity`.
        cell: Name in place of that of the cell; None: that of the cell.
    """
    return runs_dir / f"{config.task}-{cell or config.encoder.cell}-{identity}"


def open_run(path: Path) -> Run:
    """Opens a run folder.

    Raises:
        RunError: The folder is not a run folder, is damaged, or is of another version.
    """
    file = path / "run.json"
    if not file.is_file():
        if (path / "config.yaml").is_file():
            raise RunError(f"{path} lacks run.json; {repair.advice(path)}")
        raise RunError(f"{path} is not a run folder (it has no run.json); see `seqtasks list runs`")
    try:
        facts = parse_json(file.read_text(encoding="utf-8"))
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
    """Opens a run by the path of its folder, or by its name.

    Args:
        name: Path, or name of a folder in `runs_dir`.
        runs_dir: Folder of all runs.

    Raises:
        RunError: There is no such run; the message suggests similar names.
    """
    for path in (usable(name, "run"), usable(runs_dir / name, "run")):
        if path.is_dir():
            return open_run(path)
    hint = suggest(Path(name).name, _names(runs_dir), see=f"`seqtasks list runs --runs {runs_dir}`")
    raise RunError(f"there is no run {name!r} here or in {runs_dir}; {hint}")


def with_model(run: Run) -> Run:
    """Returns a run if it has a model, or is not finished, of which opening it says more.

    Raises:
        RunError: It is finished and has no model.
    """
    if run.finished and not (run.path / "model.keras").is_file():
        raise RunError(
            f"{run.path} has no model.keras (it is a baseline or a trial, or the file was removed); allowed: runs with "
            f"a model, see `seqtasks list runs`; name another one, or train it again: {run.command()} --force"
        )
    return run


def _complete(run: Run, config: Config, facts: Mapping[str, Any], cell_code: str | None) -> bool:
    """Whether the files of `create` are readable and agree with configuration and data."""
    with contextlib.suppress(RunError, OSError, UnicodeDecodeError):
        cell = None if run.cell_plugin is None else run.cell_plugin.read_text(encoding="utf-8")
        complete = repair.same_result(config, run.config_values()) and all(path.is_file() for path in run.copies)
        complete = complete and cell == cell_code
        return complete and {key: run.facts.get(key) for key in facts} == json.loads(json.dumps(facts))
    return False


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns an OSError of the body into a RunError with advice.

    Args:
        path: Folder that the body writes to.

    Raises:
        RunError: In place of an OSError.
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
