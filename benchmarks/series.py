"""The task `series` with its defaults on small sets of the UEA and UCR archives, beside the baselines; and cells.

    python benchmarks/series.py
    python benchmarks/series.py --sets JapaneseVowels,GunPoint --seeds 0,1 --cells ""
    python benchmarks/series.py --sets windows --cells lstm,gru

Each run is `seqtasks run series data.source=aeon:SET` in a process of its own: the official split, validation series
held out of the training series and learnt from in the end (not with the setting `options.refit=false`), the test split
read once. `windows` is a table of 300 windows that is written here:
three channels of 50 steps, two classes, nothing given but the columns. Prints two Markdown tables: means ± standard
deviations over the seeds with the best baseline and the seconds of a whole command; and cells with as many parameters
as `gru:64`.

Needs the data files of aeon (`pip install "seqtasks[series-aeon]"`); where aeon can be imported, MiniRocket and
1-NN DTW are baselines.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from result_rows import rows_of

SETS = "JapaneseVowels,BasicMotions,GunPoint,ItalyPowerDemand,ArrowHead,OSULeaf,Covid3Month,CardanoSentiment,windows"
CELLS = "lstm,gru,min_gru,lem"
WINDOWS = ["options.id=window", "options.time=time", "options.target=state"]


def write_windows(path: Path, count: int = 300) -> None:
    """Windows of three channels: one of them rises and later falls, or falls and later rises; all else is noise."""
    rng = np.random.default_rng(0)
    lines = ["window,time,x,y,z,state"]
    for window in range(count):
        values = rng.normal(size=(50, 3))
        first, second = sorted(rng.choice(np.arange(2, 46), 2, replace=False))
        rises = bool(rng.random() < 0.5)
        for begin, sign in ((first, 1), (second, -1)):
            values[begin : begin + 4, 1] += 2 * (sign if rises else -sign)
        state = "rise first" if rises else "fall first"
        lines += [f"{window},{time},{x:.3f},{y:.3f},{z:.3f},{state}" for time, (x, y, z) in enumerate(values)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def shown(row: dict[str, Any], values: list[float]) -> str:
    """Mean ± standard deviation as tables have it: shares in percent."""
    factor, digits = (100, ".1f") if row["metric"] == "accuracy" else (1, ".4g")
    spread = f" ± {format(factor * statistics.stdev(values), digits)}" if len(values) > 1 else ""
    return format(factor * statistics.mean(values), digits) + spread


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--cells", default=CELLS, help="at the size of gru:64, between commas; empty: none")
    parser.add_argument("--runs", default="runs", help="folder of all runs; finished ones are not trained again")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE")
    given = parser.parse_args()
    seeds, cells = given.seeds.split(","), [name for name in given.cells.split(",") if name]
    folder = Path(given.runs).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    windows = folder / "windows.csv"
    write_windows(windows)

    def words(name: str) -> list[str]:
        source = [f"data.source=files:{windows}", *WINDOWS] if name == "windows" else [f"data.source=aeon:{name}"]
        return ["series", *source, *given.settings, "--runs", given.runs, "--json", "-q"]

    print("| set | series | metric | best baseline | others | defaults | seeds | epochs | seconds |", flush=True)
    print("| :-- | --: | :-- | :-- | :-- | --: | --: | --: | --: |", flush=True)
    for name in given.sets.split(","):
        rows, seconds = [], []
        for seed in seeds:
            begin = time.monotonic()
            rows += rows_of(["run", *words(name), f"seed={seed}"])
            seconds.append(time.monotonic() - begin)
        baselines = rows_of(["baseline", *words(name)])
        up = rows[0]["higher_is_better"]
        baselines.sort(key=lambda row: -row["value"] if up else row["value"])
        best, *others = [f"{row['cell']} {shown(row, [row['value']])}" for row in baselines]
        epochs = f"{min(row['epochs'] for row in rows)}-{max(row['epochs'] for row in rows)}"
        value = shown(rows[0], [row["value"] for row in rows])
        arrow = "↑" if up else "↓"
        count = rows[0]["examples_per_second"] * rows[0]["seconds_per_epoch"]
        print(
            f"| {name} | {count:.0f} | {rows[0]['metric']} {arrow} | "
            f"{best} | {', '.join(others)} | **{value}** | {len(rows)} | {epochs} | {statistics.mean(seconds):.0f} |",
            flush=True,
        )
    if not cells:
        return
    print(f"\n| set | {' | '.join(cells)} |\n| :-- |{' --: |' * len(cells)}", flush=True)
    for name in given.sets.split(","):
        columns = []
        for cell in cells:
            size = [f"encoder.cell={cell}", *([] if cell == "gru" else ["encoder.match=gru:64"])]
            rows = [row for seed in seeds for row in rows_of(["run", *words(name), *size, f"seed={seed}"])]
            columns.append(shown(rows[0], [row["value"] for row in rows]))
        print(f"| {name} | {' | '.join(columns)} |", flush=True)


if __name__ == "__main__":
    main()
