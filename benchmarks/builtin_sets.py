"""Every task on its built-in set, with no data and no network: score, best baseline, seconds of the whole command.

    python benchmarks/builtin_sets.py
    python benchmarks/builtin_sets.py --tasks mnist_rows --seeds 0,1,2 encoder.cell=gru

Each is `seqtasks run TASK data.source=builtin` in a process of its own. The baselines are all of the task's,
also those that take longer than the command itself would wait for.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

from result_rows import rows_of

from seqtasks.core import plugins


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default=",".join(plugins.tasks.names()))
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--runs", default="runs")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE")
    given = parser.parse_args()
    print("| task | metric | best baseline | value | seconds |", flush=True)
    print("| :-- | :-- | :-- | --: | --: |", flush=True)
    for task in given.tasks.split(","):
        words = [task, "data.source=builtin", *given.settings, "--runs", given.runs, "--json", "-q"]
        values, seconds = [], []
        for seed in given.seeds.split(","):
            begin = time.monotonic()
            (row,) = rows_of(["run", *words, f"seed={seed}", "--force"])
            seconds.append(time.monotonic() - begin)
            values.append(row["value"])
        baselines = rows_of(["baseline", *words])
        best = (max if row["higher_is_better"] else min)(baselines, key=lambda one: one["value"], default=None)
        shown = f"{best['cell']} {best['value']:.4g}" if best else "none"
        spread = f" ± {statistics.stdev(values):.2g}" if len(values) > 1 else ""
        arrow = "↑" if row["higher_is_better"] else "↓"
        print(
            f"| {task} | {row['metric']} {arrow} | {shown} | {statistics.mean(values):.4g}{spread} | "
            f"{statistics.mean(seconds):.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
