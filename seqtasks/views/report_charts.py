"""Charts of the report: score against size and time, and learning curves.

With the extra `report` they are Vega-Lite charts made by Altair, with tooltips and a legend to click on; without it
they are SVG pictures made by matplotlib. Both are drawn from the same points and curves.
"""

from __future__ import annotations

import base64
import html
import importlib.util
import io
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from seqtasks.experiments.table import Group, Table
from seqtasks.views.curves import Curve

MOST_NAMES = 20  # of a legend
SIZES = {"params": "parameters", "seconds": "training time, s"}


@dataclass(frozen=True)
class Point:
    """A model of the table.

    Attributes:
        label: Name of the model.
        mean: Mean score.
        sd: Standard deviation over the seeds; 0 for a single run.
        runs: Number of seeds.
        params: Number of parameters.
        seconds: Median time of training and validation.
    """

    label: str
    mean: float
    sd: float
    runs: int
    params: float
    seconds: float


@dataclass
class Charts:
    """Charts of a page.

    Attributes:
        interactive: Whether they are drawn by Altair.
        specs: Vega-Lite specification of each chart, by the id of its element; empty without Altair.
    """

    interactive: bool
    specs: dict[str, Any] = field(default_factory=dict)

    def add(self, chart: Any, description: str) -> str:
        """Adds a chart.

        Args:
            chart: Chart of Altair, or figure of matplotlib.
            description: What it shows, for screen readers.

        Returns:
            HTML of the chart.
        """
        if not self.interactive:
            return _svg(chart, description)
        name = f"chart{len(self.specs) + 1}"
        self.specs[name] = chart.to_dict()
        return f'<div class="chart" id="{name}" role="img" aria-label="{html.escape(description)}"></div>'

    def scripts(self) -> str:
        """HTML of the scripts that draw the charts, with all their code; empty without Altair."""
        if not self.specs:
            return ""
        import vl_convert

        code = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", "<\\/script")
        specs = json.dumps(self.specs, ensure_ascii=False).replace("<", "\\u003c")
        call = "vegaEmbed('#' + name, spec, {renderer: 'svg', actions: false})"
        loop = f"for (const [name, spec] of Object.entries({specs})) {call};"
        return f"<script>{code}</script>\n<script>{loop}</script>"


def has_altair() -> bool:
    """Whether the extra `report` is installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("altair", "vl_convert"))


def point_of(label: str, group: Group) -> Point:
    """The point of a group of runs.

    Args:
        label: Name of the model.
        group: Its line of the table.
    """
    rows = group.rows
    seconds = statistics.median(row.seconds for row in rows)
    return Point(label, group.mean, group.sd or 0.0, len(rows), float(rows[-1].params), seconds)


def frontier(points: Sequence[Point], size: str, higher_is_better: bool) -> list[Point]:
    """The models that no other model beats with as few parameters, or as little time.

    Args:
        points: The models.
        size: "params" or "seconds".
        higher_is_better: Whether a higher score is better.

    Returns:
        The models from small to large.

    Example:
        >>> points = [Point("a", 0.9, 0, 1, 10, 1), Point("b", 0.8, 0, 1, 20, 1), Point("c", 0.95, 0, 1, 30, 1)]
        >>> [point.label for point in frontier(points, "params", True)]
        ['a', 'c']
    """
    sign = 1 if higher_is_better else -1
    kept: list[Point] = []
    for point in sorted(points, key=lambda one: (getattr(one, size), -sign * one.mean)):
        if not kept or sign * point.mean > sign * kept[-1].mean:
            kept.append(point)
    return kept


def score_charts(charts: Charts, table: Table, points: Sequence[Point]) -> list[str]:
    """Score against parameters, and against training time; the frontier and the best baseline are marked.

    Args:
        charts: Charts of the page.
        table: The table of the models.
        points: Its models.

    Returns:
        HTML of each chart.
    """
    best = next((group for group in table.groups if group.kind == "baseline"), None)
    baselines = [group for group in table.groups if group.kind == "baseline"]
    if baselines:
        best = (max if table.higher_is_better else min)(baselines, key=lambda group: group.mean)
    baseline = None if best is None else (str(best.labels[0]), best.mean)
    made = []
    draw: Callable[..., Any] = _altair_scores if charts.interactive else _figure_scores
    for size, name in SIZES.items():
        edge = frontier(points, size, table.higher_is_better)
        made.append(charts.add(draw(points, edge, size, table, baseline), f"{table.metric} against {name}"))
    return made


def curve_chart(charts: Charts, curves: Sequence[Curve], name: str) -> str:
    """A value over the epochs, a line for each model; its band is the range over the seeds.

    Args:
        charts: Charts of the page.
        curves: The models.
        name: Name of the value.
    """
    draw: Callable[..., Any] = _altair_curves if charts.interactive else _figure_curves
    return charts.add(draw(curves, name), f"{name} over the epochs")


def _altair_scores(
    points: Sequence[Point], edge: Sequence[Point], size: str, table: Table, baseline: tuple[str, float] | None
) -> Any:
    import altair as alt

    values = [
        {
            "model": point.label,
            "score": point.mean,
            "low": point.mean - point.sd,
            "high": point.mean + point.sd,
            "sd": point.sd,
            "runs": point.runs,
            size: getattr(point, size),
        }
        for point in points
    ]
    x = alt.X(f"{size}:Q", title=SIZES[size], scale=_scale(alt, [getattr(point, size) for point in points]))
    y = alt.Y("score:Q", title=_axis(table), scale=alt.Scale(zero=False))
    models = alt.Chart(alt.Data(values=values))
    colour = _colour(alt, len(points))
    facts = [alt.Tooltip(f"{name}:{kind}") for name, kind in (("model", "N"), ("score", "Q"), ("sd", "Q"))]
    facts += [alt.Tooltip(f"{size}:Q", title=SIZES[size], format=",.4~r"), alt.Tooltip("runs:Q")]
    layers = [
        alt.Chart(alt.Data(values=[{size: getattr(one, size), "score": one.mean} for one in edge]))
        .mark_line(interpolate="step-after", color="#999", strokeDash=[2, 2])
        .encode(x=x, y=y),
        models.mark_rule().encode(x=x, y=alt.Y("low:Q", title=_axis(table)), y2="high:Q", color=colour),
        models.mark_point(filled=True, size=70, opacity=1).encode(x=x, y=y, color=colour, tooltip=facts),
    ]
    if baseline is not None:
        line = alt.Chart(alt.Data(values=[{"baseline": f"{baseline[0]} (baseline)", "score": baseline[1]}]))
        layers.append(line.mark_rule(strokeDash=[6, 3], color="#666").encode(y=y, tooltip=["baseline:N", "score:Q"]))
        layers.append(
            line.mark_text(align="left", dx=4, dy=-5, color="#666").encode(x=alt.value(0), y=y, text="baseline:N")
        )
    return alt.layer(*layers).properties(width="container", height=260)


def _altair_curves(curves: Sequence[Curve], name: str) -> Any:
    import altair as alt

    values = [
        {"model": line.label, "epoch": epoch, "value": mean, "low": low, "high": high}
        for line in curves
        for epoch, mean, low, high in zip(line.epochs, line.mean, line.low, line.high, strict=True)
    ]
    last = max(line.epochs[-1] for line in curves)
    ticks = list(range(0, last + 1, max(1, -(-last // 10))))
    chosen = alt.selection_point(fields=["model"], bind="legend")
    colour = _colour(alt, len(curves))
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X("epoch:Q", axis=alt.Axis(values=ticks, format="d")), color=colour
    )
    band = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", title=name, scale=alt.Scale(zero=False)), y2="high:Q")
    lines = base.mark_line(point=any(map(_single, curves))).encode(
        y=alt.Y("value:Q", title=name, scale=alt.Scale(zero=False)),
        opacity=alt.condition(chosen, alt.value(1.0), alt.value(0.1)),
        tooltip=["model:N", "epoch:Q", "value:Q", "low:Q", "high:Q"],
    )
    return alt.layer(band, lines.add_params(chosen)).properties(width="container", height=260)


def _colour(alt: Any, models: int) -> Any:
    from seqtasks.task_types.common.style import COLOURS

    legend = alt.Legend(symbolOpacity=1, symbolType="circle") if models <= MOST_NAMES else None
    return alt.Color("model:N", title=None, sort=None, legend=legend, scale=alt.Scale(range=list(COLOURS)))


def _scale(alt: Any, values: Sequence[float]) -> Any:
    return alt.Scale(type="log", nice=False, padding=20) if _wide(values) else alt.Scale(zero=False, padding=20)


def _wide(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) > 8 * min(values)


def _axis(table: Table) -> str:
    return f"{table.metric} {'↑' if table.higher_is_better else '↓'}"


def _figure_scores(
    points: Sequence[Point], edge: Sequence[Point], size: str, table: Table, baseline: tuple[str, float] | None
) -> Any:
    from seqtasks.task_types.common import style

    with style.context():
        figure = style.new_figure(6, 3.2)
        axes = figure.subplots()
        axes.plot(
            [getattr(one, size) for one in edge], [one.mean for one in edge],
            color="0.6", linestyle=":", drawstyle="steps-post",
        )  # fmt: skip
        for number, point in enumerate(points):
            axes.errorbar(
                getattr(point, size), point.mean, yerr=point.sd or None, fmt="o", markersize=5, capsize=2,
                color=style.colour(number), label=point.label,
            )  # fmt: skip
        if baseline is not None:
            style.baseline(axes, *baseline)
        if _wide([getattr(point, size) for point in points]):
            axes.set_xscale("log")
        axes.set(xlabel=SIZES[size], ylabel=_axis(table))
        axes.grid(visible=True)
        if len(points) <= MOST_NAMES:
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _figure_curves(curves: Sequence[Curve], name: str) -> Any:
    from seqtasks.task_types.common import style

    with style.context():
        figure = style.new_figure(6, 3.2)
        axes = figure.subplots()
        for number, line in enumerate(curves):
            marker = "o" if _single(line) else None
            axes.plot(line.epochs, line.mean, color=style.colour(number), marker=marker, label=line.label)
            axes.fill_between(line.epochs, line.low, line.high, color=style.colour(number), alpha=0.15, linewidth=0)
        style.whole_numbers(axes.xaxis)
        axes.set(xlabel="epoch", ylabel=name)
        axes.grid(visible=True)
        if len(curves) <= MOST_NAMES:
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _single(line: Curve) -> bool:
    """Whether a curve has one epoch, which is drawn as a point."""
    return len(line.epochs) == 1


def _svg(figure: Any, description: str) -> str:
    import matplotlib

    from seqtasks.task_types.common.fonts import plain_text

    buffer = io.BytesIO()
    # Text as text: smaller, and the picture is shown by a browser, which has fonts.
    with matplotlib.rc_context({"svg.fonttype": "none"}), plain_text(figure):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img class="chart" alt="{html.escape(description)}" src="data:image/svg+xml;base64,{data}">'
