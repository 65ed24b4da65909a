"""Validation scores of the `sizes:` of configs/ on data of several sizes: how these settings were chosen.

    python benchmarks/settings_by_size.py --parallel DIR
    python benchmarks/settings_by_size.py --tasks tagging --sizes 50,200

Each run is `seqtasks run TASK data.limit=N` with one group of settings given by hand, seed 0. Prints a Markdown
table of validation scores and losses: rows are examples, columns are the groups, in brackets are the epochs.

Needs prepared data of tensorflow-datasets (`TFDS_DATA_DIR`) for IMDB and en_ewt, and for translation a folder of
parallel lines in English and German, such as Multi30k.
"""

from __future__ import annotations

import argparse
import os

from result_rows import rows_of

GROUPS = {  # the largest number of training examples that a group is meant for: its settings, see configs/
    "tagging": {
        300: "encoder.units=64 train.min_updates=1500 train.batch_size=8 options.dropout=0.5",
        2000: "encoder.units=100 train.min_updates=3000 train.batch_size=8 options.dropout=0.5",
        None: "encoder.units=200 train.min_updates=3000 train.batch_size=32 options.dropout=0.4",
    },
    "sentiment": {
        500: "train.min_updates=400 train.batch_size=16 options.pooling=mean options.word_dropout=0.3",
        7500: "train.min_updates=1500 train.batch_size=16 options.pooling=mean options.word_dropout=0.3",
        None: "train.min_updates=2000 train.batch_size=32 options.pooling=max options.word_dropout=0",
    },
    "translation": {
        1000: "train.min_updates=1500 train.batch_size=16 options.vocab_size=1000 options.dropout=0.5",
        5000: "train.min_updates=1500 train.batch_size=32 options.vocab_size=2000 options.dropout=0.5",
        None: "train.min_updates=4500 train.batch_size=64 options.vocab_size=4000 options.dropout=0.3",
    },
}


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default=",".join(GROUPS))
    parser.add_argument("--sizes", default="50,200,1000,5000", help="numbers of examples, between commas")
    parser.add_argument("--parallel", help="folder of parallel lines; without it translation is left out")
    parser.add_argument("--runs", default="runs", help="folder of all runs; finished ones are not trained again")
    given = parser.parse_args()
    for task in given.tasks.split(","):
        if task == "translation" and given.parallel is None:
            continue
        source = [f"data.source=files:{given.parallel}"] if task == "translation" else []
        titles = ["settings of the full set" if most is None else f"up to {most:,}" for most in GROUPS[task]]
        print(f"| {task}, examples | {' | '.join(titles)} |\n|{' --: |' * (len(titles) + 1)}", flush=True)
        for size in given.sizes.split(","):
            cells = []
            for words in GROUPS[task].values():
                common = [task, *source, f"data.limit={size}", "data.limit_test=200", "--runs", given.runs]
                (row,) = rows_of(["run", *common, "--json", "-q", *words.split()])
                value = row["validation"][row["metric"]] * (1 if row["metric"] == "bleu" else 100)
                cells.append(f"{value:.1f}, loss {row['validation']['loss']:.2f} ({row['epochs']})")
            print(f"| {int(size):,} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
