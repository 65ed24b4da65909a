"""Tasks on little data: the defaults of small data, the settings of the large sets, and the best baseline.

    python benchmarks/small_data.py --parallel DIR
    python benchmarks/small_data.py --rows tagging:50,char_lm:30000 --seeds 0

Each run is `seqtasks run TASK data.limit=N` in a process of its own and reads the whole test split. The
settings of the large set, given by hand, are what every run had before settings followed the size of the
data; they run with the first seed only. Prints a Markdown table: mean ± standard deviation over the seeds.

Needs prepared data of tensorflow-datasets (`TFDS_DATA_DIR`) for IMDB, en_ewt and tiny Shakespeare, and for
translation a folder of parallel lines in English and German, such as Multi30k: train.en, train.de, val.*, test.*.
"""

from __future__ import annotations

import argparse
import os
import statistics
from typing import Any

from result_rows import rows_of

LARGE = {  # the settings for the sets of the docs, see configs/
    "sentiment": "train.epochs=3 train.batch_size=32 options.pooling=max options.word_dropout=0",
    "tagging": "train.epochs=8 train.batch_size=32",
    "translation": "train.epochs=10 train.batch_size=64 options.vocab_size=4000 options.dropout=0.3",
    "char_lm": "train.epochs=10 train.batch_size=64 encoder.units=512 encoder.layers=2 encoder.dropout=0.4",
}
ROWS = "sentiment:300,sentiment:2000,tagging:50,tagging:200,tagging:1000,translation:500,translation:3000,char_lm:30000"


def shown(row: dict[str, Any], value: float) -> str:
    """A value as tables have it: shares in percent."""
    return f"{100 * value:.1f}" if row["metric"] in ("accuracy", "f1") else f"{value:.3g}"


def mean(rows: list[dict[str, Any]], score: str) -> str:
    """Mean ± standard deviation of a score."""
    values = [row["scores"][score] for row in rows]
    spread = f" ± {shown(rows[0], statistics.stdev(values))}" if len(values) > 1 else ""
    return shown(rows[0], statistics.mean(values)) + spread


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=ROWS, help="TASK:EXAMPLES, between commas")
    parser.add_argument("--seeds", default="0,1,2", help="of the runs with the defaults")
    parser.add_argument("--parallel", help="folder of parallel lines; without it translation is left out")
    parser.add_argument("--runs", default="runs", help="folder of all runs; finished ones are not trained again")
    given = parser.parse_args()
    seeds = given.seeds.split(",")
    print("| data | best baseline | large-set settings, 1 seed | defaults | seeds | epochs | minutes |", flush=True)
    print("| :-- | :-- | --: | --: | --: | --: | --: |", flush=True)
    for name in given.rows.split(","):
        task, _, count = name.partition(":")
        words = [task, f"data.limit={count}", "--runs", given.runs, "--json", "-q"]
        if task == "translation":
            if given.parallel is None:
                continue
            words.insert(1, f"data.source=files:{given.parallel}")
        baselines = rows_of(["baseline", *words])
        up = baselines[0]["higher_is_better"]
        best = (max if up else min)(baselines, key=lambda row: row["value"])
        (large,) = rows_of(["run", *words, f"seed={seeds[0]}", *LARGE[task].split()])
        rows = [row for seed in seeds for row in rows_of(["run", *words, f"seed={seed}"])]
        dynamic = f"dynamic_{best['metric']}"
        default = mean(rows, best["metric"])
        if all(dynamic in row["scores"] for row in rows):
            default += f"; {mean(rows, dynamic)} by dynamic evaluation"
        minutes = statistics.mean(row["seconds"] for row in rows) / 60
        epochs = f"{min(row['epochs'] for row in rows)}-{max(row['epochs'] for row in rows)}"
        cells = [
            f"{task}, {int(count):,}",
            f"{best['cell']} {shown(best, best['value'])}",
            shown(large, large["value"]),
        ]
        cells += [default, str(len(rows)), epochs, f"{minutes:.1f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
