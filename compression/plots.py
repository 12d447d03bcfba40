"""Plots of a compression run, as Altair charts; the rows come from :mod:`compression.summary`.

Layers stand in the network's order. Colours are those of Okabe and Ito ("Color Universal Design", 2008), which people
with any kind of colour vision can tell apart; shapes repeat what colours say.
"""

import math
from collections.abc import Sequence

import altair as alt

from compression.summary import KEPT, TAKEN_BACK, LayerPatterns, Row

__all__ = [
    "accuracy_plot",
    "en_sparsity_plot",
    "histogram_plot",
    "loss_plot",
    "macs_plot",
    "pattern_plot",
    "steps_plot",
    "weights_plot",
]

BLUE, ORANGE, VERMILION, GREY, BLACK = "#0072B2", "#E69F00", "#D55E00", "#A6A6A6", "#222222"
STEP_WIDTH = 14
"""Pixels of a step; a line of small text fits."""

LETTER = 6.5
"""Pixels that a letter of small text takes, about."""

MOST_POINTS = 1000
"""Channels that are drawn as a point each; more would make a page of megabytes."""

Chart = alt.TopLevelMixin
Panel = alt.LayerChart | alt.FacetChart


def weights_plot(rows: Sequence[Row]) -> Chart:
    """Non-zero weights of each layer before and after (:func:`compression.summary.layer_rows`)."""
    return _before_and_after(rows, "before", "after", "Weights of each layer", "non-zero weights (log scale)")


def macs_plot(rows: Sequence[Row]) -> Chart:
    """Multiplications of each layer before and after (:func:`compression.summary.layer_rows`)."""
    axis = "multiplications for an image (log scale)"
    return _before_and_after(rows, "macs_before", "macs_after", "Multiplications of each layer", axis)


def _before_and_after(rows: Sequence[Row], before: str, after: str, title: str, axis: str) -> Chart:
    values = [
        {
            "layer": row["layer"],
            "stage": stage,
            "count": row[key],
            "bar": max(row[key], 1),  # a logarithmic scale has no 0
            "label": f"{row[key]:,}" + (f"  ({100 * row[key] / row[before]:.1f} %)" if key == after else ""),
        }
        for row in rows
        for stage, key in (("before", before), ("after", after))
    ]
    largest = max((value["bar"] for value in values), default=1)
    scale = alt.Scale(type="log", domain=[1, 10 * largest], nice=False)  # room for the labels
    ticks = alt.Axis(format="~s", values=[10**power for power in range(len(str(largest)) + 1)])
    base = alt.Chart(_data(values)).encode(
        y=alt.Y("layer:N", sort=None, title=None, scale=alt.Scale(paddingInner=0.25)),
        yOffset=alt.YOffset("stage:N", sort=["before", "after"]),
    )
    bars = base.mark_bar().encode(
        x=alt.X("bar:Q", scale=scale, title=axis, axis=ticks),
        x2=alt.datum(1),
        color=alt.Color("stage:N", title=None, scale=alt.Scale(domain=["before", "after"], range=[GREY, BLUE])),
        tooltip=[alt.Tooltip("layer:N"), alt.Tooltip("stage:N"), alt.Tooltip("count:Q", format=",")],
    )
    labels = base.mark_text(align="left", dx=4, fontSize=10).encode(x=alt.X("bar:Q", scale=scale), text="label:N")
    return _styled((bars + labels).properties(title=title, width=560, height=alt.Step(15)))


def histogram_plot(rows: Sequence[Row], thresholds: dict[str, float]) -> Chart:
    """The spread of each layer's non-zero weights before and after, with the pruning threshold either side of zero.

    Args:
        rows: :func:`compression.summary.histogram_rows`.
        thresholds: :func:`compression.summary.thresholds`.
    """
    layers = list(dict.fromkeys(row["layer"] for row in rows))
    panels = [
        _histogram([row for row in rows if row["layer"] == layer], layer, thresholds.get(layer)) for layer in layers
    ]
    text = "grey: before; blue: where pruning stopped; dashed: thresholds. Counts on a symmetric-log scale."
    return _styled(alt.concat(*panels, columns=3, title=_title("Non-zero weights (float) of each layer", text)))


def _histogram(rows: Sequence[Row], layer: str, threshold: float | None) -> Panel:
    scale = alt.Scale(type="symlog", constant=1, domainMin=0)
    base = alt.Chart(_data(rows)).encode(
        x=alt.X("weight:Q", title="weight", axis=alt.Axis(tickCount=6, grid=False)),
        y=alt.Y("count:Q", title="weights in a bin", scale=scale, stack=None, axis=_COUNT_AXIS),
    )
    marks = [
        base.transform_filter("datum.stage == 'before'").mark_area(interpolate="step-after", color=GREY),
        base.transform_filter("datum.stage == 'after'").mark_area(interpolate="step-after", color=BLUE, opacity=0.85),
    ]
    name = layer
    if threshold is not None:
        name = f"{layer}: threshold {threshold:.3g}"
        edges = [{"weight": sign * threshold, "threshold": threshold, "layer": layer} for sign in (-1, 1)]
        rules = alt.Chart(_data(edges)).mark_rule(color=VERMILION, strokeDash=[4, 3], strokeWidth=1.5)
        marks.append(rules.encode(x="weight:Q", tooltip=["layer:N", alt.Tooltip("threshold:Q", format=".4g")]))
    return alt.layer(*marks, title=alt.TitleParams(name, fontSize=11), width=230, height=110)


def accuracy_plot(rows: Sequence[Row], bound: float, layers: Sequence[str]) -> Chart:
    """Accuracy against sparsity, step by step; a line joins what was kept, in the order of the steps.

    Args:
        rows: :func:`compression.summary.step_rows`.
        bound: least accuracy allowed, per cent.
        layers: the network's, in order.
    """
    found = {row["layer"] for row in rows}
    names = [name for name in ("dense", *layers) if name in found]
    names += sorted(found.difference(names))
    shades = alt.Scale(domain=names, scheme=alt.SchemeParams("viridis", extent=[0, 0.9]))  # all yellow is too pale
    legend = alt.Legend(symbolLimit=200, columns=-(-len(names) // 18), symbolOpacity=1)
    base = alt.Chart(_data(rows)).encode(
        x=alt.X("factor:Q", scale=_factor_scale(rows), axis=_FACTOR_AXIS, title="times fewer weights (log scale)"),
        y=alt.Y("accuracy:Q", scale=_accuracy_scale(rows, bound), title="accuracy on the judging images (%)"),
    )
    kept = base.transform_filter(f"datum.verdict == '{KEPT}'")
    line = kept.mark_line(color=GREY, strokeWidth=1.5).encode(order="step:Q")
    points = base.mark_point(size=70, strokeWidth=2, opacity=1).encode(
        color=alt.Color("layer:O", sort=names, title="layer", scale=shades, legend=legend),
        shape=_VERDICT,
        tooltip=_STEP_TOOLTIP,
    )
    ends = base.transform_filter(alt.FieldOneOfPredicate("step", _turn_ends(rows, bound))).encode(text="layer:N")
    halo = ends.mark_text(dy=-12, fontSize=10, stroke="white", strokeWidth=3, aria=False)
    labels = ends.mark_text(dy=-12, fontSize=10, color=BLACK)
    chart = line + _bound_rule(rows, bound) + points + halo + labels
    return _styled(
        chart.properties(title=_title("Accuracy against sparsity", _bound_text(bound)), width=620, height=320)
    )


def _turn_ends(rows: Sequence[Row], bound: float) -> list[int]:
    """The last kept step of each turn, without those whose label would lie on another one's or leave the plot."""
    low, high = _accuracy_range(rows, bound)
    widest = math.log(max(row["factor"] for row in rows)) or 1.0
    placed: list[tuple[float, float, float]] = []
    steps = []
    for row in {row["turn"]: row for row in rows if row["verdict"] == KEPT}.values():
        half = LETTER / 2 * len(row["layer"])
        x, y = 23 + math.log(row["factor"]) / widest * 574, (row["accuracy"] - low) / (high - low) * 320
        free = all(abs(x - other) > half + reach or abs(y - height) > 13 for other, height, reach in placed)
        if free and x + half < 620:
            placed.append((x, y, half))
            steps.append(row["step"])
    return steps


def steps_plot(rows: Sequence[Row], bound: float) -> Chart:
    """The steps in their order, with the layers that they prune: accuracy and sparsity of each.

    Args:
        rows: :func:`compression.summary.step_rows`.
        bound: least accuracy allowed, per cent.
    """
    width = STEP_WIDTH * max(len(rows), 20)
    scale = alt.Scale(domain=[-0.7, max(row["step"] for row in rows) + 0.7], nice=False)
    x = alt.X("step:Q", title="step", scale=scale, axis=_STEP_AXIS)
    turns = [{"step": row["step"], "turn": f"{row['method']} {row['layer']}"} for row in _turn_starts(rows)]
    room = 10 + round(LETTER * max((len(row["turn"]) for row in turns), default=0))
    names = alt.Chart(_data(turns)).mark_text(angle=270, align="left", baseline="middle", fontSize=10)
    above = names.encode(text="turn:N", y=alt.value(room - 2), x=alt.X("step:Q", axis=None, scale=scale))
    ticks = alt.Chart(_data(turns)).mark_rule(color="#DDDDDD", aria=False)
    ticks = ticks.encode(x=alt.X("step:Q", title=None, scale=scale, axis=_STEP_AXIS))
    base = alt.Chart(_data(rows)).mark_point(size=50, strokeWidth=2, opacity=1)
    points = base.encode(color=_VERDICT_COLOUR, shape=_VERDICT, tooltip=_STEP_TOOLTIP)
    share = alt.Y("accuracy:Q", scale=_accuracy_scale(rows, bound), title="accuracy (%)")
    accuracy = points.encode(x=alt.X("step:Q", title=None, scale=scale, axis=_STEP_AXIS), y=share)
    factor = alt.Y("factor:Q", scale=_factor_scale(rows), axis=_FACTOR_AXIS, title="times fewer weights (log)")
    chart = alt.vconcat(
        above.properties(width=width, height=room, view=alt.ViewBackground(stroke=None)),
        (ticks + _bound_rule(rows, bound) + accuracy).properties(width=width, height=200),
        (ticks + points.encode(x=x, y=factor)).properties(width=width, height=160),
        spacing=4,
    )
    return _styled(chart.properties(title=_title("Steps in their order", _bound_text(bound))))


def _turn_starts(rows: Sequence[Row]) -> list[Row]:
    return [row for before, row in zip(rows, rows[1:], strict=False) if row["turn"] != before["turn"]]


def loss_plot(rows: Sequence[Row]) -> Chart:
    """Training loss by epoch; a line for each step (:func:`compression.summary.loss_rows`)."""
    base = alt.Chart(_data(rows)).encode(
        x=alt.X(
            "total:Q",
            title="epoch, over all steps",
            scale=alt.Scale(domain=[0.5, len(rows) + 0.5], nice=False),
            axis=alt.Axis(format="d", tickMinStep=1),
        ),
        y=alt.Y("loss:Q", title="mean training loss (cross-entropy)", scale=alt.Scale(zero=False)),
        color=_VERDICT_COLOUR,
        detail="step:N",
    )
    tooltip = [alt.Tooltip(f"{name}:{kind}") for name, kind in (("step", "N"), ("layer", "N"), ("epoch", "Q"))]
    points = base.mark_point(size=35, strokeWidth=2, opacity=1).encode(
        shape=_VERDICT, tooltip=[*tooltip, alt.Tooltip("loss:Q", format=".4f")]
    )
    return _styled((base.mark_line() + points).properties(title="Loss by epoch", width=620, height=240))


def pattern_plot(layers: Sequence[LayerPatterns]) -> Chart:
    """For each layer its kernels' patterns as grids, the most used first, with how many kernels have each."""
    title = _title("Kernel patterns", "blue: weights that are not zero; below each pattern: kernels that have it")
    return _styled(alt.vconcat(*map(_pattern_row, layers), spacing=14, title=title))


def _pattern_row(layer: LayerPatterns) -> Panel:
    _, height, width = layer.masks.shape
    cell, gap = 9 if max(height, width) <= 5 else 6, max(2, 6 - width)
    pitch = width + gap
    cells = [
        {"x": number * pitch + column, "y": row, "weight": "kept" if mask[row, column] else "zero", "kernels": count}
        for number, (mask, count) in enumerate(zip(layer.masks, layer.counts, strict=True))
        for row in range(height)
        for column in range(width)
    ]
    used = [{"x": number * pitch + width / 2, "label": f"{count:,}"} for number, count in enumerate(layer.counts)]
    shown = f", the {len(layer.counts)} most used shown" if layer.distinct > len(layer.counts) else ""
    title = f"{layer.layer}: {layer.kernels:,} kernels, {layer.distinct:,} different patterns{shown}"
    total = len(layer.counts) * pitch
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, total], nice=False))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[height + 1.6, 0], nice=False))
    shades = alt.Scale(domain=["kept", "zero"], range=[BLUE, "#EEEEEE"])
    grid = (
        alt.Chart(_data(cells))
        .mark_rect(stroke="white", strokeWidth=1, aria=False)
        .transform_calculate(right="datum.x + 1", below="datum.y + 1")
    )
    grids = grid.encode(x=x, x2="right:Q", y=y, y2="below:Q", color=alt.Color("weight:N", scale=shades, legend=None))
    numbers = (
        alt.Chart(_data(used))
        .mark_text(fontSize=10, baseline="top")
        .encode(x=x, y=alt.datum(height + 0.3), text="label:N")
    )
    return alt.layer(
        grids,
        numbers,
        view=alt.ViewBackground(stroke=None),
        title=alt.TitleParams(title, fontSize=11, anchor="start"),
        width=total * cell,
        height=round((height + 1.6) * cell),
    )


def en_sparsity_plot(rows: Sequence[Row]) -> Chart:
    """Each channel's share of near-zero feature-map values, sorted, for each layer, and theta, beyond which channels go
    (:func:`compression.summary.en_sparsity_rows`); both relative to the layer's fullest channel if the run's were."""
    steps = [{**row, "when": f"step {row['step']}"} for row in rows]
    whens = list(dict.fromkeys(row["when"] for row in steps))
    layers = list(dict.fromkeys(row["layer"] for row in rows))
    points = len(rows) <= MOST_POINTS
    panels = [_en_sparsity([row for row in steps if row["layer"] == layer], layer, whens, points) for layer in layers]
    relative = any(row["scale"] == "relative" for row in rows)
    what = "as if the layer's fullest channel had none" if relative else "behind batch normalisation and ReLU"
    text = f"share of near-zero values {what}; dashed: theta, channels above it go"
    return _styled(alt.concat(*panels, columns=3, title=_title("En-sparsity of each channel", text)))


def _en_sparsity(rows: Sequence[Row], layer: str, whens: Sequence[str], points: bool) -> Panel:
    colours = alt.Scale(domain=list(whens), range=[BLUE, ORANGE][: len(whens)])
    colour = alt.Color("when:N", title="measured for", sort=list(whens), scale=colours)
    axis = alt.Axis(format="d", tickMinStep=1, tickCount=6, grid=False)
    last = max(row["rank"] for row in rows)
    shares = alt.Scale(domain=[0, 100])
    line = alt.Chart(_data(rows)).mark_line(interpolate="step", point=alt.OverlayMarkDef(size=14) if points else False)
    line = line.encode(
        x=alt.X("rank:Q", title="channels, sorted", axis=axis, scale=alt.Scale(domain=[-0.5, last + 0.5], nice=False)),
        y=alt.Y("share:Q", title="near zero (%)", scale=shares),
        color=colour,
        tooltip=["layer:N", "channel:Q", alt.Tooltip("share:Q", format=".1f"), "when:N"],
    )
    limits = {row["when"]: {"when": row["when"], "limit": 100 * row["theta"], "layer": layer} for row in rows}
    theta = alt.Chart(_data(list(limits.values()))).mark_rule(strokeDash=[4, 3])
    theta = theta.encode(y=alt.Y("limit:Q", scale=shares), color=colour, tooltip=["layer:N", "limit:Q", "when:N"])
    return alt.layer(line, theta, title=alt.TitleParams(layer, fontSize=11), width=230, height=110)


_FACTOR_AXIS = alt.Axis(format="~r", values=[first * 10**power for power in range(5) for first in (1, 1.5, 2, 3, 5, 7)])
_COUNT_AXIS = alt.Axis(format=",d", values=[0, *(first * 10**power for power in range(7) for first in (1, 3))])
_STEP_AXIS = alt.Axis(format="d", tickMinStep=1, grid=False)
_VERDICT = alt.Shape(
    "verdict:N",
    title="step",
    scale=alt.Scale(domain=[KEPT, TAKEN_BACK], range=["circle", "M-.7,-.7L.7,.7M.7,-.7L-.7,.7"]),
)
_VERDICT_COLOUR = alt.Color(
    "verdict:N", title="step", scale=alt.Scale(domain=[KEPT, TAKEN_BACK], range=[BLUE, VERMILION])
)
_STEP_TOOLTIP = [
    alt.Tooltip("step:Q"),
    alt.Tooltip("method:N"),
    alt.Tooltip("layer:N"),
    alt.Tooltip("setting:Q", format=".4g"),
    alt.Tooltip("verdict:N"),
    alt.Tooltip("accuracy:Q", format=".2f"),
    alt.Tooltip("factor:Q", title="times fewer weights", format=".2f"),
]


def _accuracy_range(rows: Sequence[Row], bound: float) -> tuple[float, float]:
    """The bound and what lies above it; steps far below it, which were taken back, are drawn on the lower edge."""
    top = max([bound, *(row["accuracy"] for row in rows)])
    least = min([bound, *(row["accuracy"] for row in rows)])
    spread = max(top - bound, 0.5)
    return max(least, bound - 3 * spread) - 0.2 * spread, top + 0.3 * spread


def _accuracy_scale(rows: Sequence[Row], bound: float) -> alt.Scale:
    return alt.Scale(domain=list(_accuracy_range(rows, bound)), nice=False, clamp=True)


def _factor_scale(rows: Sequence[Row]) -> alt.Scale:
    """From just below the dense network to just above the sparsest step."""
    largest = max(row["factor"] for row in rows)
    margin = max(largest, 1.5) ** 0.04
    return alt.Scale(type="log", domain=[1 / margin, max(largest, 1.5) * margin], nice=False)


def _bound_rule(rows: Sequence[Row], bound: float) -> alt.Chart:
    rule = alt.Chart(_data([{"bound": bound}])).mark_rule(color=BLACK, strokeDash=[6, 4])
    y = alt.Y("bound:Q", scale=_accuracy_scale(rows, bound))
    chart: alt.Chart = rule.encode(y=y, tooltip=alt.Tooltip("bound:Q", format=".2f"))
    return chart


def _bound_text(bound: float) -> str:
    return f"dashed: the least accuracy allowed, {bound:.2f} %"


def _title(text: str, subtitle: str) -> alt.TitleParams:
    return alt.TitleParams(text, subtitle=subtitle, anchor="start", subtitleFontSize=11)


def _data(rows: Sequence[Row]) -> alt.InlineData:
    return alt.InlineData(values=list(rows))


def _styled(chart: Chart) -> Chart:
    styled: Chart = (
        chart.configure(font="DejaVu Sans, Arial, sans-serif", background="white")
        .configure_title(anchor="start", fontSize=14)
        .configure_axis(titleFontWeight="normal", gridColor="#E8E8E8")
        .configure_view(stroke="#CCCCCC")
    )
    return styled
