"""Trackers of one run: starts them, sends what they lack, and goes on without those that fail."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtasks.core.config import Config
from seqtasks.core.environment import commit, versions
from seqtasks.core.errors import Interrupted
from seqtasks.core.files import write_text
from seqtasks.core.parsing import parse_json
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import results, run_folder
from seqtasks.experiments.history import read_history
from seqtasks.experiments.results import Row
from seqtasks.training.tracker import TrackedRun, Tracker, check

if TYPE_CHECKING:
    import numpy as np

FILE = "trackers.json"
SECONDS = 5.0  # minimum time between two requests of a tracker, as epochs of small data take milliseconds
LONGEST = 200  # maximum number of characters of a reason
PASSWORD = re.compile(r"//[^/\s@]*@")  # user name and password in the address of a server
log = logging.getLogger(__name__)


@dataclasses.dataclass
class _Tracked:
    """A tracker in a session.

    Attributes:
        tracker: The tracker.
        epochs: Number of the last epoch that it has; None: not started.
        alive: Whether it is started, or starts now, and has not failed.
    """

    tracker: Tracker
    epochs: int | None = None
    alive: bool = False

    def start(self) -> str:
        """Starts the tracker, and returns where its record can be looked at."""
        self.alive = True
        self.epochs = int(self.tracker.start())
        return str(self.tracker.address)

    def lacks(self, epoch: float) -> bool:
        """Whether the tracker was not sent the epoch."""
        return epoch > (self.epochs or 0)


class Session:
    """The trackers of a run, from the start of this process to its end.

    What a tracker needs to go on with the same record is kept in `trackers.json` of the run folder.

    Args:
        folder: Run folder.
        names: Names of trackers.
        run: What the trackers record of the run.
        reporter: Prints where the records are.

    Attributes:
        notes: A sentence for each tracker that failed, for the result row.

    Raises:
        SeqtasksError: As for `tracker.check`.
    """

    def __init__(self, folder: run_folder.Run, names: Sequence[str], run: TrackedRun, reporter: Reporter):
        self.folder = folder
        self.reporter = reporter
        self.notes: list[str] = []
        self._stored = _stored(folder.path)
        self._tracked = [_Tracked(cls(run, self._state(cls.name))) for cls in check(names)]
        self._sent = 0.0

    def start(self, history: Sequence[Mapping[str, float]]) -> None:
        """Starts the trackers, and sends the epochs that they lack.

        Args:
            history: Rows of the epochs that are finished.
        """
        for one in self._tracked:
            address = self._call(one, one.start)
            if one.alive:
                self.reporter.say(f"tracker {one.tracker.name}: {address}")
        self.log(history, now=True)

    def log(self, history: Sequence[Mapping[str, float]], now: bool = False) -> None:
        """Sends the epochs that the trackers lack, at most every 5 seconds.

        Args:
            history: Rows of the epochs that are finished.
            now: Send them at once.
        """
        if not now and time.monotonic() - self._sent < SECONDS:
            return
        self._sent = time.monotonic()
        for one in self._alive:
            if rows := [row for row in history if one.lacks(row["epoch"])]:
                self._call(one, one.tracker.log, rows)
                if one.alive:
                    one.epochs = int(rows[-1]["epoch"])
        self._store()

    def log_gradients(self, epoch: int, gradients: Mapping[str, np.ndarray]) -> None:
        """Sends the gradients of an epoch that is not sent yet.

        Args:
            epoch: Number of the epoch.
            gradients: Entries of the gradient of each layer.
        """
        for one in self._alive:
            for name, values in gradients.items() if one.lacks(epoch) else ():
                self._call(one, one.tracker.log_histogram, epoch, name, values)

    def log_texts(self, epoch: int, write: Callable[[], Mapping[str, str]]) -> None:
        """Sends texts that the model writes after an epoch.

        Args:
            epoch: Number of the epoch.
            write: Function that returns texts by name; called if a tracker takes texts and lacks the epoch.
        """
        takers = [one for one in self._alive if type(one.tracker).log_text is not Tracker.log_text]
        takers = [one for one in takers if one.lacks(epoch)]
        texts = write() if takers else {}
        for one in takers:
            for name, text in texts.items():
                self._call(one, one.tracker.log_text, epoch, name, text)

    def log_result(self, row: Row) -> None:
        """Sends the result."""
        for one in self._alive:
            self._call(one, one.tracker.log_result, row)

    def close(self, status: str) -> None:
        """Ends the session; see `Tracker.close`."""
        for one in self._alive:
            self._call(one, one.tracker.close, status)
            self._stored[one.tracker.name]["finished"] = one.alive and status == "finished"
            one.alive = False
        self._store()

    @property
    def _alive(self) -> list[_Tracked]:
        return [one for one in self._tracked if one.alive]

    def _state(self, name: str) -> dict[str, Any]:
        """The state of a tracker, which `_store` writes."""
        entry = self._stored.setdefault(name, {})
        state: dict[str, Any] = entry.setdefault("state", {})
        return state

    def _call(self, one: _Tracked, function: Callable[..., Any], *args: Any) -> Any:
        """Calls a method of a tracker, unless it failed; after an error, the tracker gets no more calls."""
        if not one.alive and function != one.start:
            return None
        try:
            return function(*args)
        except Exception as error:  # of a service, or of a plugin: they may fail in any way
            reason = PASSWORD.sub("//", " ".join(str(error).split())) or type(error).__name__
            reason = reason if len(reason) <= LONGEST else f"{reason[: LONGEST - 1]}…"
            when = "at its start" if one.epochs is None else f"after epoch {one.epochs}"
            one.alive = False
            note = f"{_beginning(one.tracker.name)} {when} and lacks what followed ({reason})"
            self.notes.append(f"{note}; the same command again sends it")
            log.warning("%s; training goes on without it", note)
            return None

    def _store(self) -> None:
        if self._tracked:
            with run_folder.writing(self.folder.path):
                write_text(self.folder.path / FILE, json.dumps(self._stored, indent=1) + "\n")


@contextlib.contextmanager
def track(folder: run_folder.Run, config: Config, reporter: Reporter) -> Iterator[Session]:
    """Tracks a run in the body; its end, or its error, closes the records.

    Args:
        folder: Run folder.
        config: Resolved configuration.
        reporter: Prints where the records are.
    """
    tracked = _tracked_run(folder, config.flat(), versions(), commit())
    session = Session(folder, config.train.trackers, tracked, reporter)
    try:
        yield session
    except (Interrupted, KeyboardInterrupt):
        session.close("interrupted")
        raise
    except BaseException:
        session.close("failed")
        raise
    session.close("finished")


def send_finished(folder: run_folder.Run, row: Row, names: Sequence[str], reporter: Reporter) -> Row:
    """Sends a finished run to trackers that have not got it: after they failed, or as they were not asked for.

    Args:
        folder: Run folder.
        row: Its result row.
        names: Names of trackers.
        reporter: Prints where the records are.

    Returns:
        The row, without notes on trackers that have the run now.
    """
    stored = _stored(folder.path)
    names = [name for name in names if not stored.get(name, {}).get("finished")]
    if not names:
        return row
    session = Session(folder, names, _tracked_run(folder, _flat(row.config), row.versions, row.commit), reporter)
    session.start(read_history(folder.path))
    session.log_result(row)
    session.close("finished")
    others = [note for note in row.notes if not note.startswith(tuple(_beginning(name) for name in names))]
    return with_notes(dataclasses.replace(row, notes=others), session.notes, folder.path, row)


def with_notes(row: Row, notes: Sequence[str], path: Path, stored: Row) -> Row:
    """Adds notes to a result row, and writes it if it then differs from the stored one.

    Args:
        row: The row.
        notes: Sentences.
        path: Run folder.
        stored: The row in the folder.
    """
    row = dataclasses.replace(row, notes=[*row.notes, *(note for note in notes if note not in row.notes)])
    if row != stored:
        results.write(row, path)
    return row


def _beginning(name: str) -> str:
    """The beginning of a note on a tracker that failed."""
    return f"tracker {name} failed"


def _stored(path: Path) -> dict[str, Any]:
    """Content of `trackers.json`; a damaged file counts as none, and the trackers begin new records."""
    with contextlib.suppress(OSError, ValueError):
        stored = parse_json((path / FILE).read_text(encoding="utf-8"))
        if isinstance(stored, dict) and all(isinstance(entry, dict) for entry in stored.values()):
            return {name: entry for name, entry in stored.items() if isinstance(entry.get("state"), dict)}
    return {}


def _tracked_run(
    folder: run_folder.Run, settings: Mapping[str, Any], packages: Mapping[str, str], revision: str | None
) -> TrackedRun:
    names = {
        "task": "task",
        "version": "task_version",
        "source": "source",
        "fingerprint": "fingerprint",
        "kind": "kind",
    }
    facts = {name: str(folder.facts[key]) for key, name in names.items() if key in folder.facts}
    return TrackedRun(folder.path, dict(settings), {**facts, **packages, "commit": revision or "unknown"})


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        nested = isinstance(value, Mapping) and (not prefix or key != "options")  # encoder.options is one setting
        flat |= _flat(value, f"{prefix}{key}.") if nested else {prefix + key: value}
    return flat
