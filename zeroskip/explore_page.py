"""An exploration as a page without scripts: the Pareto front as a table and, with the extra `report`, as plots."""

import html
import json

from generator.exploration import Exploration, Outcome

__all__ = ["page", "plot"]

_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}"
    "td,th{padding:.2em .8em;border-bottom:1px solid #ddd;text-align:right}tr.front{font-weight:bold}"
    "svg{max-width:100%}"
)
_AXES = {"DSP": "DSP slices", "memory": "block RAM and UltraRAM, Kbit", "LUT": "LUTs"}


def _row(outcome: Outcome, on_front: bool) -> dict[str, object]:
    assert outcome.resources is not None
    return {
        "configuration": outcome.point.name, "fps": outcome.fps, "DSP": outcome.resources.dsps,
        "memory": outcome.memory_kbit, "LUT": outcome.resources.luts, "front": "none better" if on_front else "beaten",
    }  # fmt: skip


def plot(found: Exploration) -> str:
    """Images a second against each resource, as SVG.

    Raises:
        ModuleNotFoundError: Altair or vl-convert is not installed.
    """
    import altair
    import vl_convert

    rows = [_row(outcome, outcome.point in found.pareto) for outcome in found.outcomes if outcome.status == "fits"]
    base = altair.Chart(altair.InlineData(values=rows)).mark_point(filled=True, size=45)
    colour = altair.Color("front:N", title=None, scale=altair.Scale(range=["#c2185b", "#b0bec5"]), sort="descending")
    charts = [
        base.encode(
            x=altair.X(f"{name}:Q", title=title),
            y=altair.Y("fps:Q", title="images a second"),
            color=colour,
            tooltip=["configuration:N", "fps:Q"],
        ).properties(width=260, height=240)
        for name, title in _AXES.items()
    ]
    return str(vl_convert.vegalite_to_svg(json.dumps(altair.hconcat(*charts).to_dict())))


def page(found: Exploration, drawn: str | None) -> str:
    """The HTML page; `drawn` is what :func:`plot` makes, or None."""
    heads = ("configuration", "images a second", "cycles", "utilisation %", "DSP", "memory Kbit", "LUT")
    cells = "".join(f"<th>{head}</th>" for head in heads)
    rows = "".join(_html_row(each, each.point in found.pareto) for each in found.outcomes if each.status == "fits")
    title = html.escape(f"{found.network} on {found.board}")
    missing = f"<p>{found.missing} configurations are missing: the exploration was interrupted.</p>" * bool(
        found.missing
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="generator" content="zeroskip explore">'
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>{missing}{drawn or ''}"
        f"<p>PEs x multipliers + FC PEs (s: slots of the streamed FC engine) + map lanes @ MHz. "
        f"In bold: none has more images a second with no more of any resource.</p>"
        f"<table><tr>{cells}</tr>{rows}</table></html>\n"
    )


def _html_row(outcome: Outcome, on_front: bool) -> str:
    assert outcome.resources is not None
    values = (
        html.escape(outcome.point.name), f"{outcome.fps:,.1f}", f"{outcome.cycles:,}",
        f"{100 * outcome.utilisation:.1f}",
        f"{outcome.resources.dsps:,}", f"{outcome.memory_kbit:,.0f}", f"{outcome.resources.luts:,}",
    )  # fmt: skip
    return f"<tr{' class=front' * on_front}>" + "".join(f"<td>{value}</td>" for value in values) + "</tr>"
