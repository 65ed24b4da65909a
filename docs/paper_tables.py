"""Tables of docs/benchmarks/papers.md, from docs/papers.csv."""

from __future__ import annotations

from benchmark_files import mean_and_spread, module, rows


def table(name: str) -> str:
    """The results of an experiment as a Markdown table, one row for each model, and the simplest baseline.

    Args:
        name: Name of the experiment in `benchmarks/papers.py`.

    Raises:
        KeyError: There is no experiment of this name.
    """
    experiment = module("papers").EXPERIMENTS[name]
    of_experiment = [row for row in rows("papers.csv") if row["experiment"] == name]
    lines = ["| model | score | seeds | parameters | engine |", "| :-- | --: | --: | --: | :-- |"]
    for model in experiment.models:
        of_model = [row for row in of_experiment if row["model"] == model]
        if not of_model:
            lines.append(f"| {model} | not trained yet | | | |")
            continue
        first, values = of_model[0], [float(row["score"]) for row in of_model]
        lines.append(
            f"| {model} | {shown(values, experiment.percent)} | {len(values)} | {int(first['parameters']):,} "
            f"| `{first['engine']}` |"
        )
    if baselines := [float(row["baseline"]) for row in of_experiment if row["baseline"]]:
        lines.append(f"| *simplest baseline* | {shown(baselines[:1], experiment.percent)} | | | |")
    return "\n".join([*lines, ""])


def shown(values: list[float], percent: bool) -> str:
    """Mean and standard deviation, in percent or with four digits."""
    return mean_and_spread([100 * value for value in values]) if percent else mean_and_spread(values, digits=4)
