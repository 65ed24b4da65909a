"""The option `--on`: which executor trains the runs of a grid or a search."""

from __future__ import annotations

from seqtasks.core.errors import ConfigError
from seqtasks.experiments.executor import Announce, Executor, announce_line
from seqtasks.experiments.local_executor import LocalExecutor
from seqtasks.experiments.ray_executor import RayExecutor


def make_executor(
    on: str = "local",
    jobs: int | None = None,
    cpus: float | None = None,
    gpus: float | None = None,
    announce: Announce = announce_line,
) -> Executor:
    """The executor that the option `--on` names.

    Args:
        on: "local"; "ray", a cluster of this machine alone; "ray:auto", the cluster that this machine belongs to; or
            "ray=ADDRESS", the cluster at an address.
        jobs: Number of points at the same time; None: 1 here, as many as fit on a cluster.
        cpus: Processor cores for each point on a cluster; None: 1.
        gpus: GPUs for each point on a cluster; None: none.
        announce: Function that prints one line of progress.

    Raises:
        ConfigError: Unknown value of `--on`, `--cpus` or `--gpus` without a cluster, or Ray is not installed.
    """
    if jobs is not None and jobs < 1:
        raise ConfigError(f"--jobs is {jobs}; allowed: ≥ 1; set --jobs 1 for one run at a time")
    if on == "local":
        given = [f"--{name} {value:g}" for name, value in (("cpus", cpus), ("gpus", gpus)) if value is not None]
        if given:
            raise ConfigError(
                f"{' '.join(given)} is for a cluster, and --on is local; allowed: --jobs, whose runs share the cores; "
                "leave it out or add --on ray"
            )
        return LocalExecutor(jobs or 1, announce=announce)
    name, sign, address = on.partition("=")
    if on not in ("ray", "ray:auto") and (name != "ray" or not sign or not address.strip()):
        raise ConfigError(
            f"--on is {on!r}; allowed: local, ray, ray:auto, ray=ADDRESS; write for example --on ray=10.0.0.1:6379"
        )
    return RayExecutor(
        "auto" if on == "ray:auto" else address or None, jobs, 1 if cpus is None else cpus, gpus or 0, announce
    )
