"""The task `forecast` with its defaults on small public series, beside the baselines.

    python benchmarks/forecast.py
    python benchmarks/forecast.py --sets sunspots,Airline --seeds 0,1

Each run is `seqtasks run forecast data.source=SET` in a process of its own: the last fifth of the series is the test
split (of 181 yearly series the last 6 steps), and forecasts begin at up to 50 rolling origins in it. Prints a Markdown
table: MASE, mean ± standard deviation over the seeds, of the model and of each baseline; the coverage of the interval
of 80 %; the seconds of a whole command. The last row has the means over the sets.

ETS and AR are fitted to everything before the first test origin, which is training and validation, and go on with the
same parameters.

Needs `pip install 'seqtasks[series]'` and the data files of aeon (`seqtasks[series-aeon]`).
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

from result_rows import rows_of

SETS = {
    "sunspots": ["data.source=statsmodels:sunspots", "options.season=11"],
    "elec_equip": ["data.source=statsmodels:elec_equip"],
    "Airline": ["data.source=aeon:Airline"],
    "co2": ["data.source=statsmodels:co2", "options.horizon=24"],
    "m1_yearly": ["data.source=aeon:m1_yearly_dataset", "options.horizon=6"],
}
BASELINES = ["last value", "seasonal naive", "ETS", "AR"]


def shown(values: list[float]) -> str:
    """Mean ± standard deviation."""
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}"


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--runs", default="runs", help="folder of all runs; finished ones are not trained again")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE")
    given = parser.parse_args()
    print(f"| set | {' | '.join(BASELINES)} | model | coverage | seconds |", flush=True)
    print(f"| :-- |{' --: |' * (len(BASELINES) + 3)}", flush=True)
    totals: dict[str, list[float]] = {}
    for name in given.sets.split(","):
        words = ["forecast", *SETS[name], *given.settings, "--runs", given.runs, "--json", "-q"]
        rows, seconds = [], []
        for seed in given.seeds.split(","):
            begin = time.monotonic()
            rows += rows_of(["run", *words, f"seed={seed}"])
            seconds.append(time.monotonic() - begin)
        values = {row["cell"]: row["value"] for row in rows_of(["baseline", *words])}
        values["model"] = statistics.mean(row["value"] for row in rows)
        for method, value in values.items():
            totals.setdefault(method, []).append(value)
        columns = [f"{values[method]:.3f}" if method in values else "–" for method in BASELINES]
        coverage = statistics.mean(row["scores"]["coverage_80"] for row in rows)
        model = shown([row["value"] for row in rows])
        columns += [f"**{model}**", f"{100 * coverage:.0f} %", f"{statistics.mean(seconds):.0f}"]
        print(f"| {name} | {' | '.join(columns)} |", flush=True)
    count = len(totals["model"])
    means = [f"{statistics.mean(totals[method]):.3f}" if len(totals.get(method, [])) == count else "–"
             for method in [*BASELINES, "model"]]  # fmt: skip
    print(f"| mean | {' | '.join(means)} | | |", flush=True)


if __name__ == "__main__":
    main()
