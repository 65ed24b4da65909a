"""Pictures of states, gates, trajectories, eigenvalues and gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqtasks.core.arrays import BoolArray, FloatArray
from seqtasks.task_types.common import style
from seqtasks.views.gradient_flow import GradientFlow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

MOST_LABELS = 120  # above this number of steps, their texts do not fit below a picture
OPEN, SHUT = 0.9, 0.1  # values above and below which a gate counts as open and shut
NARROW = 6  # number of features up to which a signal is drawn as lines


@style.styled
def state_figure(
    title: str,
    states: Mapping[str, FloatArray],
    labels: Sequence[str] | None = None,
    signal: FloatArray | None = None,
) -> Figure:
    """Draws the sequence above a heat map of units × time for each state.

    The units are ordered by their loading on the first principal component of the state, so that similar ones are
    next to each other.

    Args:
        title: Title of the figure.
        states: Each state by its name, `(time, size)`.
        labels: Text of each step, `(time,)`.
        signal: Numbers of the sequence, `(time, features)`; its time axis is stretched to that of the states.
    """
    time = len(next(iter(states.values())))
    heights = [*([1.2] if signal is not None else []), *([3.0] * len(states))]
    figure = style.new_figure(_width(time), sum(heights) + 1.2)
    panels = list(np.atleast_1d(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)))
    figure.suptitle(title)
    if signal is not None:
        _draw_signal(panels.pop(0), signal, time)
    for axes, (name, values) in zip(panels, states.items(), strict=True):
        limit = float(np.quantile(np.abs(values), 0.97)) or 1.0  # a few large values would hide all others
        order = _by_first_component(values)
        image = axes.imshow(
            values[:, order].T, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest"
        )
        axes.set(ylabel=f"units of {name}, ordered")
        if len(order) <= 40:
            axes.set_yticks(range(len(order)), [str(unit) for unit in order], fontsize=6)
        figure.colorbar(image, ax=axes, label=f"value of {name}", pad=0.01)
    _label_steps(panels[-1], time, labels)
    return figure


@style.styled
def gate_figure(
    title: str,
    gates: Mapping[str, FloatArray],
    valid: BoolArray,
    example: int,
    steps: int,
    labels: Sequence[str] | None = None,
) -> Figure:
    """Draws each gate over one sequence, and how often each unit's gate is open and shut.

    Args:
        title: Title of the figure.
        gates: Each gate by its name, `(batch, time, size)`.
        valid: True at valid steps, `(batch, time)`.
        example: Row of the sequence.
        steps: Number of its steps that are drawn.
        labels: Text of each step.
    """
    figure = style.new_figure(_width(steps) + 3.2, 2.9 * len(gates) + 0.8)
    grid = figure.subplots(len(gates), 2, squeeze=False, width_ratios=[_width(steps), 3.0])
    figure.suptitle(title)
    for (left, right), (name, values) in zip(grid, gates.items(), strict=True):
        shown = values[example, :steps]
        ordered = shown[:, _by_first_component(shown)].T
        image = left.imshow(ordered, aspect="auto", cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
        left.set(ylabel="units, ordered", title=f"{name} gate")
        figure.colorbar(image, ax=left, label="0: shut, 1: open", pad=0.01)
        _label_steps(left, steps, labels)
        flat = values[valid]
        right.scatter((flat < SHUT).mean(axis=0), (flat > OPEN).mean(axis=0), s=14, alpha=0.6)
        right.plot([0, 1], [1, 0], color="grey", linewidth=0.5)
        right.set(
            xlim=(-0.03, 1.03),
            ylim=(-0.03, 1.03),
            xlabel=f"share of steps shut (below {SHUT})",
            ylabel=f"open (above {OPEN})",
            title=f"{name} gate, by unit",
        )
    return figure


@style.styled
def unit_figure(rows: Sequence[tuple[str, FloatArray, str, FloatArray]], labels: Sequence[str] | None) -> Figure:
    """Draws the values of units over one sequence, each with the property that it follows.

    Args:
        rows: For each unit: title, values `(time,)`, name of the property, and its values `(time,)`, NaN where not
            defined.
        labels: Text of each step.
    """
    time = len(rows[0][1])
    figure = style.new_figure(_width(time), 1.7 * len(rows) + 0.8)
    panels = np.atleast_1d(figure.subplots(len(rows), 1, sharex=True))
    for axes, (title, values, name, property_values) in zip(panels, rows, strict=True):
        axes.plot(values, color=style.colour(0), linewidth=1)
        axes.set_ylabel("unit", color=style.colour(0))
        other = axes.twinx()
        other.plot(property_values, color=style.colour(1), linewidth=1, drawstyle="steps-mid")
        other.set_ylabel(name if len(name) < 18 else "property", color=style.colour(1))
        axes.set_title(title, fontsize=10)
        axes.margins(x=0.005)
    _label_steps(panels[-1], time, labels)
    return figure


@style.styled
def trajectory_figure(
    title: str, paths: Sequence[FloatArray], names: Sequence[str], labels: Sequence[str] | None = None
) -> Figure:
    """Draws state trajectories in the plane of their first two principal components.

    Args:
        title: Title of the figure.
        paths: States over time of each sequence, `(time, sizes)`.
        names: Name of each sequence, such as its class, by which it is coloured; empty: coloured by time.
        labels: Text of each step of the first sequence, which is written at its points.
    """
    from sklearn.decomposition import PCA

    everything = np.concatenate(paths)
    pca = PCA(n_components=min(2, *everything.shape)).fit(everything)
    shares = [f"{100 * share:.0f} %" for share in pca.explained_variance_ratio_]
    figure = style.new_figure(7, 5.6)
    axes = figure.subplots()
    distinct = list(dict.fromkeys(names))
    colours = {name: style.colour(i) for i, name in enumerate(distinct)} if 1 < len(distinct) <= 10 else {}
    image: Any = None
    for i, path in enumerate(paths):
        points = pca.transform(path)
        points = points if points.shape[1] == 2 else np.column_stack([points, np.zeros(len(points))])
        colour = colours.get(names[i]) if names else None
        axes.plot(*points.T, color=colour or "grey", linewidth=0.8, alpha=0.6)
        if colour is None:
            image = axes.scatter(points[:, 0], points[:, 1], c=np.arange(len(points)), cmap="viridis", s=8)
        axes.plot(*points[-1], "o", color=colour or "black", markersize=6)
        axes.plot(*points[0], "x", color=colour or "black", markersize=6)
    if labels is not None:
        for label, (x, y) in zip(map(_visible, labels), pca.transform(paths[0])[:, :2], strict=False):
            axes.annotate(label, (x, y), fontsize=8, xytext=(2, 2), textcoords="offset points")
    for name, colour in colours.items():
        axes.plot([], [], color=colour, label=name)
    if colours:
        axes.legend(title="class")
    elif image is not None:
        figure.colorbar(image, ax=axes, label="step")
    axes.set(
        title=f"{title}\n× first step, ● last step",
        xlabel=f"first component ({shares[0]} of the variance)",
        ylabel=f"second component ({shares[1]})" if len(shares) > 1 else "",
    )
    return figure


@style.styled
def spectrum_figure(title: str, matrices: Mapping[str, np.ndarray], jacobians: Sequence[np.ndarray]) -> Figure:
    """Draws eigenvalues in the complex plane with the unit circle.

    Args:
        title: Title of the figure.
        matrices: Eigenvalues of each recurrent matrix by its name; may be empty.
        jacobians: Eigenvalues of the Jacobian of a step, one array for each step that was chosen.
    """
    panels = [(name, [values]) for name, values in matrices.items()] + [("Jacobian of a step", list(jacobians))]
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = style.new_figure(3.6 * columns, 3.7 * rows + 0.5)
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    figure.suptitle(title)
    angle = np.linspace(0, 2 * np.pi, 200)
    for axes, (name, groups) in zip(grid, panels, strict=False):
        axes.plot(np.cos(angle), np.sin(angle), color="grey", linewidth=0.8)
        for i, values in enumerate(groups):
            axes.scatter(values.real, values.imag, s=8, alpha=0.6, color=style.colour(i))
        radius = max((float(np.abs(values).max(initial=0)) for values in groups), default=0.0)
        steps = f", {len(groups)} steps" if len(groups) > 1 else ""
        limits = (-max(1.1, 1.05 * radius), max(1.1, 1.05 * radius))
        axes.set(aspect="equal", xlim=limits, ylim=limits, xlabel="real", ylabel="imaginary")
        axes.set_title(f"{name}{steps}\nlargest |λ| {radius:.3f}")
    for axes in grid[len(panels) :]:
        axes.axis("off")
    return figure


@style.styled
def gradient_figure(
    title: str, flows: Sequence[GradientFlow], clip: float | None, training: Mapping[str, DataFrame] | None = None
) -> Figure:
    """Draws gradient norms over the steps back, and over training where they were logged.

    Args:
        title: Title of the figure.
        flows: Norms of each network; a dashed line is an untrained one.
        clip: Norm at which training clips the gradient of the weights; None: it does not, or it differs.
        training: Tables of `gradients.csv` by name of the network.
    """
    figure = style.new_figure(8, 8.6 if training else 5.4)
    axes, *others = figure.subplots(2 if training else 1, 1, squeeze=False)[:, 0]
    figure.suptitle(title)
    colours: dict[tuple[str, str], str] = {}
    for flow in flows:
        for layer, norms in flow.norms.items():
            colour = colours.setdefault((flow.label, layer), style.colour(len(colours)))
            several = len(flow.norms) > 1
            label = f"{flow.label}{f', {layer}' if several else ''}{'' if flow.trained else ', untrained'}"
            back, positive = np.arange(len(norms)), np.asarray(norms) > 0
            axes.plot(
                back[positive], norms[positive], color=colour, linestyle="-" if flow.trained else "--", label=label
            )
    axes.set(xlabel="steps back from the last step", ylabel="norm of the gradient\nwith respect to the state")
    if training:
        _draw_training(others[0], training, clip)
    for panel in (axes, *others):
        if clip is not None:
            label = f"clipping threshold of the weights ({clip:g})"
            panel.axhline(clip, color="black", linestyle=":", linewidth=1, label=label)
        _log_scale(panel)
        panel.legend(fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.13))
    return figure


def _draw_training(axes: Axes, training: Mapping[str, DataFrame], clip: float | None) -> None:
    """Draws the logged norms over the updates: of each layer for one network, of all weights for several."""
    for name, table in training.items():
        columns = ["all"] if len(training) > 1 else [c for c in table if c not in ("epoch", "step", "clipped")]
        share = f", {100 * table['clipped'].mean():.0f} % clipped" if clip is not None else ""
        for column in columns:
            label = f"{name}{share}" if column == "all" else str(column)
            values = table[column].rolling(max(1, len(table) // 100), min_periods=1).mean()
            axes.plot(np.arange(1, len(table) + 1), values, linewidth=1, label=label)
    axes.set(xlabel="logged update, mean of a hundredth of them", ylabel="norm of the gradient\nof the weights")


def _log_scale(axes: Axes) -> None:
    """Makes the vertical axis logarithmic, with labels such as 1e-5: figures draw texts literally, not as formulas."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e+"))
    axes.yaxis.set_minor_formatter(lambda value, _: "")
    axes.grid(alpha=0.3)


def _draw_signal(axes: Axes, signal: FloatArray, time: int) -> None:
    """Draws the numbers of a sequence as lines, or as an image if they are many."""
    extent = (-0.5, time - 0.5)
    if signal.shape[1] <= NARROW:
        at = (np.arange(len(signal)) + 0.5) * time / len(signal) - 0.5
        axes.plot(at, signal, linewidth=1)
        axes.margins(x=0)
    else:
        axes.imshow(signal.T, aspect="auto", cmap="gray", extent=(*extent, signal.shape[1] - 0.5, -0.5))
    axes.set(ylabel="input", xlim=extent)


def _by_first_component(values: FloatArray) -> np.ndarray:
    """Order of the units by their loading on the first principal component, `(size,)`."""
    centred = values - values.mean(axis=0)
    return np.argsort(np.linalg.svd(centred, full_matrices=False)[2][0])


def _visible(label: str) -> str:
    """A text with signs for a space, a tab or a line break."""
    return {"\n": "↵", " ": "␣", "\t": "⇥"}.get(label, label)


def _width(time: int) -> float:
    """Width of a picture of so many steps, in inches."""
    return float(np.clip(0.13 * time + 2, 6, 18))


def _label_steps(axes: Axes, time: int, labels: Sequence[str] | None) -> None:
    """Writes the texts of the steps below a picture if they fit, else the numbers of the steps."""
    if labels is None or time > MOST_LABELS:
        axes.set_xlabel("step")
        return
    texts = [_visible(label) for label in labels[:time]]
    longest = max(map(len, texts), default=1)
    axes.set_xticks(range(len(texts)), texts, rotation=90 if longest > 1 else 0, fontsize=8 if longest > 1 else 7)
