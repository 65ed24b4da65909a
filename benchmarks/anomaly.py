"""Anomaly detection on three data sets inside the package aeon, with the settings of configs/anomaly.yaml for all.

    python benchmarks/anomaly.py
    python benchmarks/anomaly.py --seeds 0,1 --sets aeon:KDD-TSAD_135 options.method=rebuild

For each set: both baselines, then the model with each seed. Prints a Markdown table: mean ± standard deviation over
the seeds. `peak` is the number of seeds whose highest score is at most 100 steps away from a marked one, the measure of
the UCR anomaly archive. `false alarms` are for 1,000 normal steps; the threshold is the 0.999 quantile of the scores
of validation. Needs the package aeon, which is not imported: pip install 'seqtasks[series-aeon]'.
"""

from __future__ import annotations

import argparse
import os
import statistics
from typing import Any

from result_rows import rows_of

SETS = "aeon:KDD-TSAD_135,aeon:ecg-diff-count-3,aeon:Daphnet_S06R02E0"
SCORES = ["roc_auc", "pr_auc", "event_f1", "false_alarms"]
NEAR = 100  # steps


def mean(rows: list[dict[str, Any]], score: str) -> str:
    """Mean ± standard deviation of a score; a dash where it is not defined."""
    values = [row["scores"][score] for row in rows if score in row["scores"]]
    if not values:
        return "–"
    digits = 1 if score == "false_alarms" else 3
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


def peak(rows: list[dict[str, Any]]) -> str:
    """How many rows have their highest score near a marked step."""
    distances = [row["scores"]["peak_distance"] for row in rows if "peak_distance" in row["scores"]]
    return f"{sum(distance <= NEAR for distance in distances)} of {len(distances)}" if distances else "–"


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=SETS, help="values of data.source, between commas")
    parser.add_argument("--seeds", default="0,1,2,3,4", help="seeds of the model, between commas")
    parser.add_argument("--runs", default="runs", help="folder of all runs; finished ones are not trained again")
    parser.add_argument("settings", nargs="*", help="other settings, key=value")
    given = parser.parse_args()
    print("| data | model | ROC-AUC ↑ | PR-AUC ↑ | event F1 ↑ | false alarms ↓ | peak | seconds |", flush=True)
    print("| :-- | :-- | --: | --: | --: | --: | --: | --: |", flush=True)
    for source in given.sets.split(","):
        words = ["anomaly", f"data.source={source}", *given.settings, "--runs", given.runs, "--json", "-q"]
        models = [row for seed in given.seeds.split(",") for row in rows_of(["run", *words, f"seed={seed}"])]
        for rows in [*([row] for row in rows_of(["baseline", *words])), models]:
            cells = [mean(rows, score) for score in SCORES]
            seconds = f"{statistics.mean(row['seconds'] for row in rows):.0f}" if rows is models else "–"
            print(f"| {source} | {rows[0]['cell']} | {' | '.join(cells)} | {peak(rows)} | {seconds} |", flush=True)


if __name__ == "__main__":
    main()
