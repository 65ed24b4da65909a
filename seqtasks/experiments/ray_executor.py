"""Executor of a Ray cluster: one Ray task a point, which runs the same child process as on one machine.

The driver hands out the points. A point whose node is lost is started again on another one: it continues from its
checkpoint if the nodes share the folder of all runs, and begins anew otherwise.
"""

from __future__ import annotations

import collections
import contextlib
import json
import math
import os
import socket
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from seqtasks.core.errors import ConfigError, Interrupted, RunError, listed
from seqtasks.core.files import write_text
from seqtasks.experiments.executor import (
    POLL,
    Announce,
    Ended,
    Executor,
    Point,
    announce_line,
    data_facts,
    log_file,
)
from seqtasks.experiments.ray_worker import ATTEMPTS, Desk, Job, Report, examine, run_job, unpack
from seqtasks.experiments.results import to_json
from seqtasks.experiments.run_folder import writing

REACH = 10.0  # seconds to wait for an answer of the address of a cluster
LOOK = 1.0  # seconds between two looks at the desk
LEAST_FREE = 500_000_000  # bytes of free space on a node
# What nodes must agree in: settings of the data, and software that changes numbers.
_DATA = ("version", "source", "fingerprint", "train", "validation", "test")
_PASSED = ("KERAS_", "TF_", "XLA_", "JAX_", "SEQTASKS_", "TFDS_")  # environment variables that nodes get


class RayExecutor(Executor):
    """Runs points on the nodes of a Ray cluster.

    Args:
        address: Address of the cluster; "auto": the one that this machine belongs to; None: a cluster of this
            machine alone, which is started here.
        jobs: Number of points at the same time; None: as many as fit.
        cpus: Processor cores for each point.
        gpus: GPUs for each point.
        announce: Function that prints one line of progress.

    Raises:
        ConfigError: Ray is not installed, or `cpus` is 0.
    """

    def __init__(
        self,
        address: str | None = None,
        jobs: int | None = None,
        cpus: float = 1,
        gpus: float = 0,
        announce: Announce = announce_line,
    ) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # no warning: `start` hides the GPUs itself
        try:
            import ray

            if not hasattr(ray, "init"):  # a folder named ray, which Python takes for a package
                raise ImportError("ray has no init")
        except ImportError as error:
            raise ConfigError("--on ray needs Ray, which is not installed; run pip install 'seqtasks[ray]'") from error
        self.ray: Any = ray
        self.address, self.jobs, self.cpus, self.gpus, self.announce = address, jobs, cpus, gpus, announce
        self.token = f".shared-{uuid.uuid4().hex}"
        self._desk: Any = None
        self._points: list[Point] = []
        self._refs: dict[Any, int] = {}
        self._begun: collections.Counter[int] = collections.Counter()
        self._histories: dict[int, str] = {}
        self._done: list[Ended] = []
        self._tokens: set[Path] = set()
        self._looked = 0.0
        self._stops = 0
        self._connected = False

    def __enter__(self) -> Self:
        ray = self.ray
        if not ray.is_initialized():
            where = {None: "on this machine", "auto": "as ray:auto"}.get(self.address, f"at {self.address}")
            quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
            if self.address is None:
                quiet["include_dashboard"] = False
            try:
                if self.address not in (None, "auto"):
                    _reach(self.address)
                ray.init(address=self.address or "local", **quiet)
                # Ray prints logs of lost nodes even with log_to_driver=False; `_look` announces what is tried again.
                with contextlib.suppress(AttributeError):
                    ray._private.worker._worker_logs_enabled = False
            except (ConnectionError, RuntimeError, ValueError, OSError) as error:
                reason = " ".join(str(error).split())[:300].rstrip(".")
                raise RunError(
                    f"cannot use Ray {where}: {reason}; allowed: a running cluster with the same versions of Ray "
                    "and Python; start one with ray start --head, or leave out --on"
                ) from error
            self._connected = True
        here = self._at(ray.get_runtime_context().get_node_id())
        self._desk = ray.remote(Desk).options(num_cpus=0, scheduling_strategy=here).remote()
        return self

    def __exit__(self, *_: object) -> None:
        for path in self._tokens:
            path.unlink(missing_ok=True)
        with contextlib.suppress(self.ray.exceptions.RayError):
            self.ray.kill(self._desk)
        if self._connected:
            self.ray.shutdown()

    @property
    def queued(self) -> int:  # type: ignore[override]
        """As many as the slots, so that a free machine has work at once, and a cluster that grows sees the demand."""
        return 0 if self.jobs else self.slots

    @property
    def slots(self) -> int:
        return self.jobs or max(1, sum(self._fit(node["Resources"]) for node in self._nodes()))

    def prepare(self, runs: Path, data: Sequence[Sequence[str]], points: int | None = None) -> None:
        nodes = {node["NodeID"]: node for node in self._nodes() if self._fit(node["Resources"])}
        if not nodes:
            sizes = [f"{cpus:g}" for cpus in sorted(node["Resources"].get("CPU", 0) for node in self._nodes())]
            gpus = f" and {self.gpus:g} GPUs" if self.gpus else ""
            raise RunError(
                f"no node has the {self.cpus:g} CPUs{gpus} that a point needs; the nodes have {', '.join(sizes)} CPUs; "
                "lower --cpus or --gpus, or add nodes"
            )
        self._share(runs)
        driver = {"data": [data_facts(tuple(words)) for words in data], "error": "", "free": math.inf}
        remote, names = self.ray.remote(examine), self._names()
        arguments = ([list(words) for words in data], str(runs.resolve()), self.token, str(Path.cwd()), _environment())
        refs = {
            names[node]: remote.options(num_cpus=0, max_retries=0, scheduling_strategy=self._at(node)).remote(
                *arguments
            )
            for node in nodes
        }
        facts: dict[str, dict[str, Any]] = {}
        for name, ref in refs.items():
            try:
                facts[name] = self.ray.get(ref)
            except self.ray.exceptions.RayError as error:
                raise RunError(
                    f"node {name} cannot run seqtasks: {_reason(error)}; allowed: nodes with the same installation; "
                    "install seqtasks there"
                ) from error
        check_nodes({"this machine": driver, **facts})
        shared = all(node["shared"] for node in facts.values())
        way = "they share the folder of all runs" if shared else "finished runs are sent to this machine"
        self.announce(f"{len(facts)} node{'s' * (len(facts) > 1)} ({listed(sorted(facts))}): {way}")

    def start(self, point: Point) -> None:
        self._share(point.runs)
        row = None if self.recall is None else self.recall(point)
        if row is not None:
            self._done.append(Ended(point, 0, to_json(row, skipped=True)))
            return
        number = len(self._points)
        self._points.append(point)
        runs, threads = str(point.runs.resolve()), max(1, math.floor(self.cpus))
        env = _environment() | ({} if self.gpus else {"CUDA_VISIBLE_DEVICES": ""})
        job = Job(number, point.words, point.options, runs, self.token, str(Path.cwd()), env, threads)
        options = {"num_cpus": self.cpus, "num_gpus": self.gpus, "max_retries": ATTEMPTS - 1, "name": point.label}
        self._refs[self.ray.remote(run_job).options(**options).remote(job, self._desk)] = number

    def poll(self, seconds: float = POLL) -> list[Ended]:
        self._look()
        if self._refs and not self._done:
            ready, _ = self.ray.wait(list(self._refs), num_returns=1, timeout=seconds, fetch_local=False)
            self._done += [self._ended(ref) for ref in ready]
        done, self._done = self._done, []
        return done

    def stop(self, number: int, point: Point | None = None) -> None:
        self._look(now=True)
        chosen = None if point is None else self._points.index(point)
        self.ray.get(self._desk.stop.remote(int(number), chosen))
        self._stops += point is None
        for ref, running in self._refs.items():
            if chosen in (None, running) and (self._stops > 1 or not self._begun[running]):
                self.ray.cancel(ref, force=self._stops > 1)

    def history(self, point: Point) -> str:
        return self._histories.get(self._points.index(point), "")

    def _ended(self, ref: Any) -> Ended:
        point = self._points[self._refs.pop(ref)]
        try:
            report: Report = self.ray.get(ref)
        except self.ray.exceptions.TaskCancelledError:
            return Ended(point, Interrupted.exit_code, json.dumps({"error": "stopped"}))
        except self.ray.exceptions.RayError as error:
            lost = f"its worker was lost {ATTEMPTS} times, or cannot start: {_reason(error)}"
            return Ended(point, 1, json.dumps({"error": f"{lost}; look at the node, then run the same command again"}))
        log = log_file(point)
        write_text(log, report.messages)
        if report.archive is not None:
            with writing(point.runs):
                arrived = unpack(report.archive, point.runs)
            if self.adopt is not None:
                for folder in arrived:
                    self.adopt(folder)
        return Ended(point, report.code, report.output, log, self._names().get(report.node, report.node[:6]))

    def _look(self, now: bool = False) -> None:
        """Asks the desk where points have begun, at most every `LOOK` seconds, and announces it."""
        if not now and time.monotonic() - self._looked < LOOK:
            return
        attempts, self._histories = self.ray.get(self._desk.look.remote())
        names = self._names() if attempts else {}
        for number, node in attempts:
            self._begun[number] += 1
            again = f", attempt {self._begun[number]}" if self._begun[number] > 1 else ""
            self.announce(f"{self._points[number].label}: starts on {names.get(node, node[:6])}{again}")
        self._looked = time.monotonic()

    def _share(self, runs: Path) -> None:
        """Writes the file by which a node finds out whether it sees the folder of all runs of this machine."""
        path = runs / self.token
        if path not in self._tokens:
            with writing(runs):
                runs.mkdir(parents=True, exist_ok=True)
                self._tokens.add(path)
                path.write_text(self.token, encoding="utf-8")

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self.ray.nodes() if node["Alive"]]

    def _names(self) -> dict[str, str]:
        """Names of all nodes by Ray's ids: host names, with the beginning of the id where several are equal."""
        hosts = {node["NodeID"]: str(node["NodeManagerHostname"]) for node in self.ray.nodes()}
        count = collections.Counter(hosts.values())
        return {node: host if count[host] == 1 else f"{host}/{node[:6]}" for node, host in hosts.items()}

    def _at(self, node: str) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return NodeAffinitySchedulingStrategy(node, soft=False)

    def _fit(self, resources: Mapping[str, float]) -> int:
        """Number of points that a node can run at the same time."""
        counts = [resources.get("CPU", 0) / self.cpus]
        counts += [resources.get("GPU", 0) / self.gpus] if self.gpus else []
        return math.floor(min(counts) + 1e-9)


def check_nodes(nodes: Mapping[str, Mapping[str, Any]]) -> None:
    """Checks that all nodes can run the points, with equal results.

    Args:
        nodes: By name of the node, what `examine` returned.

    Raises:
        RunError: A node cannot load the data, has little free space, or differs in its data or versions.
    """
    for name, node in nodes.items():
        if node["error"]:
            raise RunError(f"node {name}: {node['error']}")
        if node["free"] < LEAST_FREE:
            raise RunError(
                f"node {name} has {node['free'] / 1e6:,.0f} MB of free space; needed: {LEAST_FREE / 1e6:,.0f} MB; free "
                "some, or set TMPDIR there to a larger disk"
            )
    for facts in zip(*(node["data"] for node in nodes.values()), strict=True):
        differences = []
        for key in (*_DATA, *dict.fromkeys(f"versions.{key}" for fact in facts for key in fact["versions"]), "commit"):
            values = [_value(fact, key) for fact in facts]
            if len(set(values)) > 1:
                groups = {value: [n for n, v in zip(nodes, values, strict=True) if v == value] for value in set(values)}
                places = " and ".join(f"{value} on {listed(names)}" for value, names in sorted(groups.items()))
                differences.append(f"{key.removeprefix('versions.')} is {places}")
        if differences:
            raise RunError(
                f"the nodes differ: {'; '.join(differences[:3])}; allowed: the same data and versions everywhere; copy "
                "the data, or install the same versions"
            )


def _reach(address: str) -> None:
    """Checks that something listens at an address; Ray itself would try for minutes.

    Raises:
        OSError: Nothing does.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=REACH).close()
    except (OSError, OverflowError) as error:
        raise OSError(f"nothing answers there ({getattr(error, 'strerror', None) or error})") from error


def _value(facts: Mapping[str, Any], key: str) -> str:
    group, _, name = key.rpartition(".")
    return str((facts[group] if group else facts).get(name, "missing"))


def _environment() -> dict[str, str]:
    """The environment variables of this process that change what a point computes or reads."""
    return {name: value for name, value in os.environ.items() if name.startswith(_PASSED) and name != "SEQTASKS_RUNS"}


def _reason(error: Exception) -> str:
    """The last line of an error of Ray, whose text has the traceback of the worker."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[-1][:300]
