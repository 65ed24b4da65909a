"""Search for settings by Optuna: the driver asks for trials, an executor trains them, their scores are told back.

A trial is a run that never reads the test split: its row, of kind "trial", has the best validation score. Each trial
has a folder of its own; the study is an SQLite file that the driver alone opens.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import signal
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqtasks.core.errors import Interrupted, RunError
from seqtasks.core.extras import require
from seqtasks.experiments.executor import Announce, Ended, Executor, Point, announce_line, drive
from seqtasks.experiments.results import from_json
from seqtasks.experiments.run_folder import writing
from seqtasks.experiments.search_space import Space

LOOK = 1.0  # seconds between two looks at the histories of running trials
STARTUP = 10  # trials drawn at random before the model of the sampler is used
UNPRUNED = 5  # finished trials before the first trial is pruned


@dataclass(frozen=True)
class Budget:
    """When no further trial starts; each study has an equal part.

    Attributes:
        trials: Number of trials of each study; None: no limit.
        minutes: Time of all studies together; None: no limit.
    """

    trials: int | None
    minutes: float | None


@dataclass
class Study:
    """A study of Optuna: one for the whole space, or one for each value of the setting of `--per`.

    Attributes:
        name: Its name.
        space: Its space.
        study: The study of Optuna.
        seconds: Time of its finished trials.
        left: Trials that an earlier process began.
        running: Number of running trials.
    """

    name: str
    space: Space
    study: Any
    seconds: float = 0.0
    left: list[Any] = field(default_factory=list)
    running: int = 0

    @property
    def begun(self) -> int:
        """Number of trials that have begun, without those that wait to be continued."""
        waiting = sum(trial.state.name == "WAITING" for trial in self.study.get_trials(deepcopy=False))
        return len(self.study.get_trials(deepcopy=False)) - len(self.left) - waiting

    def best(self) -> Any | None:
        """The finished trial with the best score; None if there is none."""
        done = [trial for trial in self.study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
        return self.study.best_trial if done else None


@dataclass(frozen=True)
class _Running:
    study: Study
    trial: Any
    began: float


def import_optuna() -> Any:
    """Imports Optuna, without its messages.

    Raises:
        ConfigError: It is not installed.
    """
    require(["optuna"], "seqtasks tune", "tune")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


class Search:
    """A search over one or several spaces.

    Args:
        folder: Folder of the search; trials and study are stored there.
        task: Name or file of the task.
        spaces: Spaces by the name of their study.
        facts: What `seqtasks show --json` prints for the task.
        seed: Seed of the sampler.
        config_file: Value of `--config` of every trial.
        prune: Stop trials that are worse than the median of the others at the same epoch.
        announce: Function that prints one line of progress.

    Raises:
        ConfigError: Optuna is not installed.
        RunError: The folder has trials on other data, or cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        task: str,
        spaces: Mapping[str, Space],
        facts: Mapping[str, Any],
        *,
        seed: int = 0,
        config_file: str | None = None,
        prune: bool = True,
        announce: Announce = announce_line,
    ) -> None:
        self.optuna = import_optuna()
        self.folder, self.task, self.facts = folder, task, facts
        self.seed, self.config_file, self.announce = seed, config_file, announce
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        pruners = self.optuna.pruners
        pruner = pruners.MedianPruner(n_startup_trials=UNPRUNED, n_warmup_steps=1) if prune else pruners.NopPruner()
        self.studies = [self._open(name, space, pruner) for name, space in spaces.items()]
        self.running: dict[Point, _Running] = {}
        self._pruned: set[Point] = set()
        self._reported: dict[Point, int] = {}
        self._looked = 0.0

    def _open(self, name: str, space: Space, pruner: Any) -> Study:
        study = self.optuna.create_study(
            storage=f"sqlite:///{self.folder.resolve() / 'study.db'}",
            study_name=name,
            direction="maximize" if self.facts["monitor_mode"] == "max" else "minimize",
            load_if_exists=True,
            pruner=pruner,
        )
        data = {"source": self.facts["source"], "fingerprint": self.facts["fingerprint"]}
        before = study.user_attrs.get("data", data)
        if before != data:
            raise RunError(
                f"{self.folder} has trials on {before['source']} ({before['fingerprint']}), and the data is now "
                f"{data['source']} ({data['fingerprint']}); restore the data, or remove the folder to begin anew"
            )
        study.set_user_attr("data", data)
        trials = study.get_trials(deepcopy=False)
        seconds = sum(trial.user_attrs.get("seconds", 0.0) for trial in trials)
        left = [trial for trial in trials if trial.state.name == "RUNNING" and "settings" in trial.user_attrs]
        return Study(name, space, study, seconds, left)

    def enqueue(self, settings: Mapping[str, Any]) -> None:
        """Makes given settings, such as the defaults, the first trial of each study that has none yet.

        Args:
            settings: Values by key; those outside the space are left out.
        """
        for study in self.studies:
            first = {axis.key: axis.parameter(settings.get(axis.key)) for axis in study.space.axes}
            first = {key: value for key, value in first.items() if value is not None}
            if first and not study.study.get_trials(deepcopy=False):
                study.study.enqueue_trial(first)

    def run(self, executor: Executor, budget: Budget) -> bool:
        """Trains trials until the budget is spent; stops all of them at a signal.

        Args:
            executor: Where the trials run.
            budget: Number of trials and time.

        Returns:
            Whether a signal stopped it.
        """
        self._deadline = math.inf
        if budget.minutes is not None:
            spent = float(self.studies[0].study.user_attrs.get("spent", 0.0))
            self._deadline = time.monotonic() + 60 * budget.minutes - spent
        began, before = time.monotonic(), float(self.studies[0].study.user_attrs.get("spent", 0.0))
        try:
            return drive(
                executor,
                lambda: self._following(budget),
                lambda one, stopped: self._ended(one, stopped),
                lambda: self._watch(executor),
            )
        finally:
            self.studies[0].study.set_user_attr("spent", before + time.monotonic() - began)

    def _following(self, budget: Budget) -> Point | None:
        """The next trial: one that was begun before, or of the study that has used least of its budget."""
        for study in self.studies:
            if study.left:
                frozen = study.left.pop(0)
                trial = self.optuna.trial.Trial(study.study, frozen._trial_id)
                return self._point(study, trial, list(frozen.user_attrs["settings"]))
        if time.monotonic() > self._deadline:
            return None
        if budget.trials is None:
            study = min(self.studies, key=lambda one: (one.seconds, one.running, one.begun))
        else:
            study = min(self.studies, key=lambda one: one.begun)
            if study.begun >= budget.trials:
                return None
        # A sampler of its own for each trial: a search that is continued draws what an undisturbed one would draw.
        study.study.sampler = self.optuna.samplers.TPESampler(
            n_startup_trials=STARTUP, multivariate=True, constant_liar=True, seed=1000 * self.seed + study.begun
        )
        trial = study.study.ask()
        settings = study.space.draw(trial)
        trial.set_user_attr("settings", settings)
        return self._point(study, trial, settings)

    def _point(self, study: Study, trial: Any, settings: Sequence[str]) -> Point:
        varying = [text for text in settings if text not in study.space.fixed]
        name = f"{study.name} " if len(self.studies) > 1 else ""
        options = ["--trial", "--json", *(["--config", self.config_file] if self.config_file else [])]
        runs = self.folder / "trials" / f"{study.name}-{trial.number:04d}"
        with writing(runs):
            runs.mkdir(parents=True, exist_ok=True)
        label = f"{name}trial {trial.number}: {' '.join(varying)}"
        point = Point(label, ("run", self.task, *settings), tuple(options), runs)
        self.running[point] = _Running(study, trial, time.monotonic())
        study.running += 1
        return point

    def _ended(self, ended: Ended, stopped: bool) -> None:
        point = ended.point
        study, trial = self.running[point].study, self.running[point].trial
        seconds = time.monotonic() - self.running.pop(point).began
        study.running -= 1
        interrupted = ended.code in (Interrupted.exit_code, -signal.SIGTERM)
        if ended.code and stopped and (interrupted or ended.code < 0):
            return  # it stays a running trial of the study, and is continued by the same command
        state = self.optuna.trial.TrialState
        study.seconds += seconds
        trial.set_user_attr("seconds", seconds + float(trial.user_attrs.get("seconds", 0.0)))
        where = f" on {ended.node}" if ended.node else ""
        if point in self._pruned and interrupted:
            study.study.tell(trial, state=state.PRUNED)
            self.announce(f"{point.label}: pruned after epoch {self._reported[point]}{where}")
        else:
            try:
                value, epochs = _score(ended)
            except RunError as error:
                study.study.tell(trial, state=state.FAIL)
                self.announce(f"failed: {point.label}: {error}{where}")
            else:
                trial.set_user_attr("epochs", epochs)
                study.study.tell(trial, value)
                self.announce(f"{point.label}: {self.facts['monitor']} {value:.4g}{where}")
        for name in ("checkpoint.npz", "best.npz"):
            for path in point.runs.glob(f"*/{name}"):
                path.unlink(missing_ok=True)

    def _watch(self, executor: Executor) -> None:
        """Reports new epochs of running trials, and stops those that should be pruned."""
        if time.monotonic() - self._looked < LOOK:
            return
        self._looked = time.monotonic()
        for point, running in self.running.items():
            for epoch, value in epochs_of(executor.history(point), self.facts["monitor"]):
                if epoch <= self._reported.get(point, 0) or point in self._pruned:
                    continue
                self._reported[point] = epoch
                with warnings.catch_warnings():  # a trial that is continued reports its first epochs again
                    warnings.simplefilter("ignore")
                    running.trial.report(value, epoch)
                if running.trial.should_prune():
                    self._pruned.add(point)
                    executor.stop(signal.SIGTERM, point)


def _score(ended: Ended) -> tuple[float, int]:
    """Score and number of epochs of a trial.

    Raises:
        RunError: It failed, or its row is of another kind.
    """
    if ended.code:
        raise ended.failure()
    row = from_json((ended.output.strip().splitlines() or [""])[-1])
    if row.kind != "trial":
        raise RunError(f"{row.run} is a finished {row.kind}; allowed: a trial; remove the folder of the search")
    return row.value, row.epochs


def epochs_of(history: str, monitor: str) -> list[tuple[int, float]]:
    """Number and validation score of each epoch of a text of `history.csv`, without those that are not finite.

    Example:
        >>> epochs_of("epoch,val_mse\\n1,0.5\\n2,nan\\n", "val_mse")
        [(1, 0.5)]
    """
    rows = [row for row in csv.DictReader(io.StringIO(history)) if row.get(monitor)]
    scores = [(int(float(row["epoch"])), float(row[monitor])) for row in rows]
    return [(epoch, value) for epoch, value in scores if math.isfinite(value)]


def folder_name(task: str, overrides: Sequence[str], *facts: Any) -> str:
    """Name of the folder of a search; the same command continues the search there.

    Args:
        task: Name or file of the task.
        overrides: Words of the space.
        *facts: Further values that make it another search.
    """
    text = json.dumps([task, sorted(overrides), *facts])
    return f"tune-{Path(task).stem}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
