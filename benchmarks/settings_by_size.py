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

from seqtasks.core.config import resolve
from seqtasks.core.config_files import bundled, read_yaml
from seqtasks.core.plugins import load_task
from seqtasks.core.settings import flatten
from seqtasks.experiments.table_rows import show

TASKS = ("tagging", "sentiment", "translation")


def groups(task: str) -> dict[int | None, list[str]]:
    """The settings that `configs/` has for each size, as words that can be typed.

    Returns:
        For each size of the section `sizes:`, and None for larger data, all settings that differ between them.
    """
    options = load_task(task).Options
    sizes: list[int | None] = [*sorted(read_yaml(bundled()[task])["sizes"]), None]
    values = {most: {key: value for key, value, _ in flatten(resolve(task, options, size=most))} for most in sizes}
    varying = [key for key in values[None] if len({show(of_size[key]) for of_size in values.values()}) > 1]
    return {most: [f"{key}={show(of_size[key])}" for key in varying] for most, of_size in values.items()}


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--sizes", default="50,200,1000,5000", help="numbers of examples, between commas")
    parser.add_argument("--parallel", help="folder of parallel lines; without it translation is left out")
    parser.add_argument("--runs", default="runs", help="folder of all runs; finished ones are not trained again")
    given = parser.parse_args()
    for task in given.tasks.split(","):
        if task == "translation" and given.parallel is None:
            continue
        source = [f"data.source=files:{given.parallel}"] if task == "translation" else []
        words_of = groups(task)
        titles = ["settings of the full set" if most is None else f"up to {most:,}" for most in words_of]
        print(f"| {task}, examples | {' | '.join(titles)} |\n|{' --: |' * (len(titles) + 1)}", flush=True)
        for size in given.sizes.split(","):
            cells = []
            for words in words_of.values():
                common = [task, *source, f"data.limit={size}", "data.limit_test=200", "--runs", given.runs]
                (row,) = rows_of(["run", *common, "--json", "-q", *words])
                value = row["validation"][row["metric"]] * (1 if row["metric"] == "bleu" else 100)
                cells.append(f"{value:.1f}, loss {row['validation']['loss']:.2f} ({row['epochs']})")
            print(f"| {int(size):,} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
