"""Random configurations of a task on little data, ranked by validation: whether a baseline can be reached at all.

    python benchmarks/small_search.py char_lm data.limit=30000
    python benchmarks/small_search.py sentiment data.limit=300 --trials 20 --seed 0

Each trial draws one value for each setting of the space below, on top of the task's defaults for that data.
Prints every trial; the test score is read of the best on validation only, beside the baselines.
"""

from __future__ import annotations

import argparse
import os
import random

from result_rows import rows_of

SPACES: dict[str, dict[str, list[str]]] = {
    "char_lm": {
        "encoder.cell": ["gru", "lstm", "mgu"],
        "encoder.units": ["128", "256", "512"],
        "encoder.layers": ["1", "2"],
        "encoder.dropout": ["0.2", "0.4", "0.6"],
        "encoder.weight_drop": ["0", "0.3", "0.5"],
        "options.embedding_dim": ["16", "32", "64"],
        "options.word_dropout": ["0", "0.1"],
        "train.batch_size": ["8", "16", "32"],
        "train.learning_rate": ["1e-3", "2.5e-3", "5e-3"],
        "train.average": ["none", "ema"],
        "train.min_updates": ["1000", "2000"],
    },
    "sentiment": {
        "encoder.cell": ["gru", "lstm", "mgu"],
        "encoder.units": ["16", "32", "64"],
        "encoder.skip": ["none", "dense"],
        "options.embedding_dim": ["50", "100", "200"],
        "options.min_frequency": ["1", "2", "3"],
        "options.pooling": ["mean", "max", "concat", "attention"],
        "options.word_dropout": ["0.1", "0.3", "0.5"],
        "options.embedding_dropout": ["0.1", "0.3", "0.5"],
        "options.dropout": ["0.1", "0.3", "0.5"],
        "options.adversarial": ["0", "3", "5"],
        "train.batch_size": ["8", "16", "32"],
        "train.learning_rate": ["1e-3", "2e-3", "4e-3"],
        "train.min_updates": ["300", "600", "1500"],
    },
}


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=sorted(SPACES))
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", default="runs")
    given = parser.parse_args()
    draw, common = random.Random(given.seed), [given.task, *given.settings, "--runs", given.runs, "--json", "-q"]
    trials: list[tuple[float, list[str]]] = []
    for number in range(given.trials):
        words = [f"{key}={draw.choice(values)}" for key, values in SPACES[given.task].items()]
        (row,) = rows_of(["run", *common, *words, "data.limit_test=100"])
        value = row["validation"][row["metric"]]
        trials.append((value if row["higher_is_better"] else -value, words))
        print(f"{number + 1:2} validation {row['metric']} {value:.4f}  {' '.join(words)}", flush=True)
    best = max(trials)[1]
    (row,) = rows_of(["run", *common, *best])
    print(f"best on validation, whole test split: {row['metric']} {row['value']:.4f}  {' '.join(best)}")
    for one in rows_of(["baseline", *common]):
        print(f"baseline {one['cell']}: {one['value']:.4f}")


if __name__ == "__main__":
    main()
