"""The atlas: scores of every cell in the probes of suite `atlas`, with equal parameters and updates.

    python benchmarks/atlas.py                     trains what docs/atlas.csv lacks
    python benchmarks/atlas.py --cells lstm,gru --probes parity
    python benchmarks/atlas.py --costs             times and memory that docs/atlas_costs.csv lacks
    python benchmarks/atlas.py --left              number of runs that are missing
    python docs/make_tables.py                     writes docs/atlas.md from both files

Every encoder has about as many parameters as `--match` (LSTM with 32 units), and is trained for `--updates` updates, or
for `--seconds` seconds of processor time if these are fewer: the column `updates` says how many a slow cell made. The
learning rate follows a cosine to the end of the updates that a cell makes. Compilation, data and scoring are not in the
time. One seed for all cells, three for those of `NAMED`, which are trained first. Each process trains many runs one
after the other, on one thread. A row is written as soon as its run is finished: the command may be interrupted.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from csv_rows import append, rows

ROOT = Path(__file__).resolve().parent.parent
ROWS, COSTS = ROOT / "docs" / "atlas.csv", ROOT / "docs" / "atlas_costs.csv"
SUITE = "atlas"
NAMED = (
    "lstm",
    "gru",
    "simple_rnn",
    "slstm",
    "min_gru",
    "lru",
    "rg_lru",
    "mamba",
    "mlstm",
    "delta_net",
    "gated_delta_net",
    "rwkv7",
)
COLUMNS = (
    "cell",
    "state",
    "probe",
    "seed",
    "score",
    "score_trained",
    "chance",
    "units",
    "parameters",
    "updates",
    "seconds",
    "engine",
    "backend",
    "version",
)
COST_COLUMNS = (
    "cell",
    "units",
    "parameters",
    "state_numbers",
    "forward_ms",
    "step_ms",
    "step_mb",
    "generation_ms",
    "engine",
    "backend",
    "version",
)
PER_PROCESS = {"points": 32, "costs": 1}  # runs of one process, as models leave some memory behind
WARM = 16  # first updates, from whose later half the time of an update is measured
COST_SHAPE = (32, 128)  # batch and time steps of the costs
LARGE = 16  # factor of the batch from which memory is measured, beside which that of tracing is small
ROUNDS = 5


def points(cells: list[str], probes: list[str], seeds: int) -> list[tuple[str, str, int]]:
    """All runs in the order in which they are trained: named cells, other cells, further seeds of the named ones."""
    first = [cell for cell in NAMED if cell in cells]
    others = [cell for cell in cells if cell not in NAMED]
    made = [(cell, probe, 0) for cell in first for probe in probes]
    made += [(cell, probe, 0) for cell in others for probe in probes]
    return made + [(cell, probe, seed) for seed in range(1, seeds) for cell in first for probe in probes]


@functools.cache
def probe_task(probe: str) -> tuple[Any, Any, Any, float]:
    """The task of a column of the suite: task, configuration, data and chance level."""
    from seqtasks.core import plugins
    from seqtasks.core.config import resolve
    from seqtasks.data.source import Source
    from seqtasks.experiments.suites import suites

    column = next(one for one in suites()[SUITE].columns if one.name == probe)
    cls = plugins.load_task(column.task)
    config = resolve(column.task, cls.Options, column.settings)
    task: Any = cls(config.options)
    splits = task.load(Source("builtin", "generated"), 0)
    return task, config, splits, task.baselines(splits)["chance"]().scores["accuracy"]


@functools.cache
def encoder_of(cell: str, reference: str, features: int) -> Any:
    """Settings of an encoder with as many parameters as the reference, and their number."""
    from seqtasks.core.config import EncoderConfig
    from seqtasks.layers.parameter_matching import count, match

    made = match(EncoderConfig(cell=cell, match=reference), features)
    return made, count(made, features)


def train(cell: str, probe: str, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """Trains and scores one cell in one probe, in this process."""
    import keras

    from seqtasks.core.version import __version__
    from seqtasks.engines.backend.fused_adam import Adam
    from seqtasks.experiments.matrix import family_of
    from seqtasks.layers import Encoder

    task, config, splits, chance = probe_task(probe)
    settings, size = encoder_of(cell, given.match, config.options.embedding_dim)
    keras.utils.set_random_seed(seed)
    encoder = Encoder(settings)
    model = task.build_model(encoder)
    total = keras.Variable(float(given.updates), trainable=False, name="updates")  # a slow cell makes fewer
    rate = keras.optimizers.schedules.CosineDecay(config.train.learning_rate, total)
    model.compile(Adam(rate, global_clipnorm=config.train.clip_norm), task.loss(), jit_compile=False)
    batches = task.batches(splits.train, config.train.batch_size, shuffle=True, seed=seed)
    times: list[float] = []
    limit = given.updates
    for batch in forever(batches):
        begin = time.process_time()
        model.train_on_batch(*batch)
        times.append(time.process_time() - begin)
        if len(times) == WARM:  # the first of these compile
            limit = max(WARM, min(given.updates, int(given.seconds / statistics.median(times[WARM // 2 :]))))
            total.assign(float(limit))
        if len(times) >= limit:
            break
    scores = task.score(model, task.batches(splits.test, 50))
    return {
        "cell": cell,
        "state": family_of(cell),
        "probe": probe,
        "seed": seed,
        "score": round(scores["accuracy"], 4),
        "score_trained": round(scores.get("accuracy_trained", scores["accuracy"]), 4),
        "chance": round(chance, 4),
        "units": settings.units,
        "parameters": size,
        "updates": len(times),
        "seconds": round(len(times) * statistics.median(times), 1),
        "engine": encoder.running_engine,
        "backend": keras.backend.backend(),
        "version": __version__,
    }


def forever(batches: Any) -> Iterator[Any]:
    """Training batches of epoch after epoch."""
    epoch = 0
    while True:
        batches.seek(epoch, 0)
        yield from (batches[index] for index in range(batches.batches_per_epoch))
        epoch += 1


def measure_costs(cell: str, given: argparse.Namespace) -> dict[str, Any]:
    """Processor time of a forward pass, a training step and a step of generation, and memory, in this process."""
    import keras
    import numpy as np

    from seqtasks.core.version import __version__
    from seqtasks.engines.backend.compile import compiled
    from seqtasks.layers import Encoder

    features = 64
    settings, size = encoder_of(cell, given.match, features)
    encoder = Encoder(settings)
    inputs = keras.Input((None, features))
    model = keras.Model(inputs, keras.layers.Dense(8)(encoder(inputs)[0]))
    model.compile("sgd", "mse", jit_compile=False)
    one_step = compiled(lambda x, states: encoder(x, initial_state=[states]))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(*COST_SHAPE, features)).astype("float32")
    y = np.zeros((*COST_SHAPE, 8), "float32")
    states = [keras.ops.convert_to_tensor(state) for state in encoder.initial_state(1)[0]]
    first = keras.ops.convert_to_tensor(x[:1, :1])

    def many() -> None:
        for _ in range(50):
            one_step(first, states)

    step = milliseconds(lambda: model.train_on_batch(x, y))
    # TensorFlow keeps the memory of a step for the next one: the larger batch has to ask for the difference.
    before = memory(reset=True)
    model.train_on_batch(np.repeat(x, LARGE, axis=0), np.repeat(y, LARGE, axis=0))
    used = (memory() - before - (LARGE - 1) * (x.nbytes + y.nbytes) / 2**20) / (LARGE - 1)
    return {
        "cell": cell,
        "units": settings.units,
        "parameters": size,
        "state_numbers": int(sum(state.shape[-1] for state in states)),
        "forward_ms": round(milliseconds(lambda: model.predict_on_batch(x)), 2),
        "step_ms": round(step, 2),
        "step_mb": round(max(0.0, used), 1),
        "generation_ms": round(milliseconds(many) / 50, 3),
        "engine": encoder.running_engine,
        "backend": keras.backend.backend(),
        "version": __version__,
    }


def milliseconds(call: Any) -> float:
    """Median processor time of a call, after two that compile."""
    times = []
    for _ in range(ROUNDS + 2):
        begin = time.process_time()
        call()
        times.append(1000 * (time.process_time() - begin))
    return sorted(times[2:])[ROUNDS // 2]


def memory(reset: bool = False) -> float:
    """Largest resident memory of this process, in MB.

    Args:
        reset: Start again from the present memory, where Linux allows it.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS" if reset else "VmHWM"))
    return int(line.split()[1]) / 1024


def work(given: argparse.Namespace) -> None:
    """Trains the runs, or measures the cells, that standard input names; prints a JSON line for each."""
    for line in sys.stdin.read().splitlines():
        cell, *rest = line.split()
        row = measure_costs(cell, given) if given.costs else train(cell, rest[0], int(rest[1]), given)
        print(json.dumps(row), flush=True)


def run_child(lines: list[str], given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Starts a process for some runs and yields their rows.

    Raises:
        subprocess.CalledProcessError: A run failed.
    """
    threads = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), "1")
    command = [sys.executable, __file__, "--work", "--match", given.match, "--updates", str(given.updates)]
    command += ["--seconds", str(given.seconds), *(["--costs"] if given.costs else [])]
    environment = {**os.environ, **threads, "TF_CPP_MIN_LOG_LEVEL": "3"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write("\n".join(lines))
        child.stdin.close()
        for line in child.stdout:
            if line.startswith("{"):
                yield json.loads(line)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)


def main() -> None:
    from seqtasks.core import plugins
    from seqtasks.experiments.suites import suites

    bundled = [entry.name for entry in plugins.cells.entries() if entry.module.startswith("seqtasks.cells.")]
    probes = [column.name for column in suites()[SUITE].columns]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", default=",".join(sorted(bundled)), help="names, separated by commas; default: all")
    parser.add_argument("--probes", default=",".join(probes), help="columns of the suite; default: all")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds of the named cells")
    parser.add_argument("--updates", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=12, help="maximum processor time of the updates of a run")
    parser.add_argument("--match", default="lstm:32")
    parser.add_argument("--rows", type=Path, help="CSV file of the rows; default: docs/atlas.csv or atlas_costs.csv")
    parser.add_argument("--costs", action="store_true", help="measure times and memory instead of scores")
    parser.add_argument("--left", action="store_true", help="print the number of missing runs only")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(given)
        return
    path = given.rows or (COSTS if given.costs else ROWS)
    cells = given.cells.split(",")
    if given.costs:
        known = {row["cell"] for row in rows(path)}
        missing = [cell for cell in cells if cell not in known]
    else:
        done = {(row["cell"], row["probe"], int(row["seed"])) for row in rows(path)}
        wanted = points(cells, given.probes.split(","), given.seeds)
        missing = [f"{cell} {probe} {seed}" for cell, probe, seed in wanted if (cell, probe, seed) not in done]
    print(f"{len(missing)} missing", flush=True)
    size = PER_PROCESS["costs" if given.costs else "points"]
    for start in range(0, 0 if given.left else len(missing), size):
        left = missing[start : start + size]
        while left:
            try:
                for row in run_child(left, given):
                    append(path, COST_COLUMNS if given.costs else COLUMNS, row)
                    print(" ".join(str(value) for value in row.values()), flush=True)
                    left = left[1:]
                break
            except subprocess.CalledProcessError:
                print(f"failed: {left[0]}", flush=True)
                left = left[1:]


if __name__ == "__main__":
    main()
