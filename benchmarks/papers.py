"""Small forms of experiments from papers: what their authors found, and what the cells of this package do.

    python benchmarks/papers.py --runs runs/papers            trains what docs/papers.csv lacks
    python benchmarks/papers.py --runs runs/papers --only parity,recall --seeds 1
    python benchmarks/papers.py --left                        prints the commands that are missing
    python docs/make_tables.py                                writes the tables of docs/benchmarks/papers.md

Each row is a run of `seqtasks run` on one thread, three seeds each. A row is written as soon as its run is finished, so
that the command may be interrupted. The experiments of the papers are larger.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csv_rows import append, rows

ROOT = Path(__file__).resolve().parent.parent
ROWS = ROOT / "docs" / "papers.csv"
COLUMNS: tuple[str, ...] = ("experiment", "model", "seed", "score", "baseline", "parameters", "epochs", "seconds")
COLUMNS += ("engine", "backend", "version")
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


@dataclass(frozen=True)
class Experiment:
    """A task on which several models are compared.

    Attributes:
        task: Name of the task and its settings, the same for all models.
        models: Settings of each model by the name it has in the table.
        score: The score that is compared: of the longest test sequences, where they are longer than training ones.
        percent: Whether the score is a share.
    """

    task: str
    models: dict[str, str]
    score: str = "accuracy"
    percent: bool = True


def of_cells(*cells: str, settings: str = "encoder.match=lstm:32") -> dict[str, str]:
    """Models of one cell each, with equal parameters unless `settings` says otherwise."""
    return {cell: f"encoder.cell={cell} {settings}" for cell in cells}


LONGER = "options.length=24 options.test_length=256 options.tests=300 options.embedding_dim=64"
PAIRS = "options.tests=300 options.embedding_dim=64"
EXPERIMENTS = {
    "parity": Experiment(
        f"parity {LONGER} train.min_updates=900",
        of_cells("lstm", "slstm", "mlstm", "lru", "min_gru", "mamba", "delta_net")
        | {"delta_net, rates to 2": "encoder.cell=delta_net encoder.options.beta_max=2 encoder.match=lstm:32"},
        score="accuracy_to_256",
    ),
    "permutations of three": Experiment(
        f"permutations {LONGER} train.min_updates=900",
        of_cells("lstm", "slstm", "lru", "min_gru"),
        score="accuracy_to_256",
    ),
    "permutations of five": Experiment(
        f"permutations options.size=5 {LONGER} train.min_updates=3000",
        of_cells("lstm", "slstm", "lru", "min_gru"),
        score="accuracy_to_256",
    ),
    "recall of joined pairs": Experiment(
        "associative_recall options.length=64 options.joined=true options.pairs=8 options.unused=8 options.values=8 "
        f"{PAIRS} train.min_updates=900",
        of_cells("lstm", "min_gru", "mlstm", "delta_net"),
    ),
    "recall": Experiment(
        f"associative_recall options.length=64 options.pairs=8 options.unused=8 options.values=8 {PAIRS} "
        "train.min_updates=1500 encoder.block=gated encoder.layers=2",
        {
            "delta_net": "encoder.cell=delta_net encoder.units=32",
            "mamba": "encoder.cell=mamba encoder.units=64 encoder.options.state_dim=16",
            "min_gru": "encoder.cell=min_gru encoder.units=64",
        },
    ),
    "selective copying": Experiment(
        "selective_copying options.length=64 options.copied=8 options.kinds=8 options.tests=300 "
        "options.embedding_dim=64 encoder.layers=2 encoder.units=64 train.min_updates=2400",
        {
            "s4d": "encoder.cell=s4d",
            "mamba": "encoder.cell=mamba",
            "s4d in the block": "encoder.cell=s4d encoder.block=gated",
            "mamba in the block": "encoder.cell=mamba encoder.block=gated",
            "lstm": "encoder.cell=lstm",
        },
    ),
    "copy memory": Experiment(
        "copy_memory options.length=200 train.min_updates=2000",
        {
            "exp_rnn": "encoder.cell=exp_rnn encoder.units=190",
            "lstm": "encoder.cell=lstm encoder.units=64",
        },
        score="loss",
        percent=False,
    ),
}


def commands(names: list[str], seeds: int) -> Iterator[tuple[str, str, int, list[str]]]:
    """Experiment, model, seed and the words after `seqtasks run` of each run; all models with seed 0 first."""
    for seed in range(seeds):
        for name in names:
            experiment = EXPERIMENTS[name]
            for model, settings in experiment.models.items():
                yield name, model, seed, shlex.split(f"{experiment.task} {settings} seed={seed}")


def train(words: list[str], folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Trains a model, and returns the result rows of its run and of the simplest baseline.

    Raises:
        subprocess.CalledProcessError: The run failed.
    """
    environment = {**os.environ, **dict.fromkeys(THREADS, "1"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "seqtasks", "run", *words, "--runs", str(folder), "-q"]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    results = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*/result.json")]
    model = next(row for row in results if row["kind"] == "model")
    return model, min((row for row in results if row["kind"] == "baseline"), key=lambda row: row["params"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(EXPERIMENTS), help="experiments, separated by commas; default: all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at the same time")
    parser.add_argument("--runs", type=Path, default=Path("runs/papers"), help="folder of the run folders")
    parser.add_argument("--rows", type=Path, default=ROWS, help="CSV file of the rows; default: docs/papers.csv")
    parser.add_argument("--left", action="store_true", help="print the missing commands only")
    given = parser.parse_args()
    done = {(row["experiment"], row["model"], int(row["seed"])) for row in rows(given.rows)}
    missing = [one for one in commands(given.only.split(","), given.seeds) if one[:3] not in done]
    if given.left:
        for *_, words in missing:
            print("seqtasks run", shlex.join(words))
        return

    def one(point: tuple[str, str, int, list[str]]) -> None:
        name, model, seed, words = point
        folder = given.runs / name.replace(" ", "_") / model.replace(" ", "_") / str(seed)
        made, baseline = train(words, folder)
        key = EXPERIMENTS[name].score
        row = {
            "experiment": name,
            "model": model,
            "seed": seed,
            "score": round(made["scores"][key], 5),
            "baseline": round(baseline["scores"][key], 5) if key in baseline["scores"] else "",
            "parameters": made["encoder_params"],
            "epochs": made["epochs"],
            "seconds": round(made["seconds"], 1),
            "engine": made["engine"],
            "backend": made["versions"]["backend"],
            "version": made["versions"]["seqtasks"],
        }
        append(given.rows, COLUMNS, row)
        print(" ".join(str(value) for value in row.values()), flush=True)

    print(f"{len(missing)} missing", flush=True)
    with ThreadPoolExecutor(given.jobs) as pool:
        list(pool.map(one, missing))


if __name__ == "__main__":
    main()
