"""A compression run as a folder to look at: ``index.html``, which holds everything, and each plot as SVG and PNG.

Needs the extra ``report``; the pages need neither network nor scripts.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import jinja2
import vl_convert

from compression import plots
from compression.errors import CompressionError
from compression.history import Tuned
from compression.summary import (
    KEPT,
    TAKEN_BACK,
    Run,
    en_sparsity_rows,
    histogram_rows,
    layer_rows,
    load_run,
    loss_rows,
    patterns,
    step_rows,
    thresholds,
)

__all__ = ["Plot", "check_folder", "draw", "report_folder", "write_report"]

GENERATOR = "zeroskip compress-report"
PNG_SCALE = 1.5
"""Pixels of a PNG for each of the SVG's units."""

_SVG = "http://www.w3.org/2000/svg"


@dataclass(frozen=True)
class Plot:
    """A plot, drawn.

    Attributes:
        name: of its files, without the ending.
        caption: what is to be known when reading it.
        svg: as text; hovering over a mark shows its numbers.
        png: as bytes.
    """

    name: str
    caption: str
    svg: str
    png: bytes


def report_folder(description: Path) -> Path:
    """Where the report on ``NAME.json`` goes: ``NAME.report``."""
    return description.with_suffix(".report")


def check_folder(folder: Path) -> None:
    """Refuse to replace anything but an earlier report.

    Raises:
        CompressionError: ``folder`` exists and is none.
    """
    if not folder.exists() and not folder.is_symlink():
        return
    try:
        head = (folder / "index.html").read_bytes()[:1000] if any(folder.iterdir()) else GENERATOR.encode()
    except OSError:
        head = b""
    if folder.is_symlink() or GENERATOR.encode() not in head:
        raise CompressionError(f"{folder}: is no report, and is not replaced by one; move it away.")


def write_report(description: Path, folder: Path | None = None) -> Path:
    """Draw the run that made a description; an earlier report is replaced when the new one is complete.

    Args:
        description: ``NAME.json``, with ``NAME.history.jsonl`` beside it.
        folder: where to write; ``NAME.report`` by default.

    Returns:
        The folder.

    Raises:
        CompressionError: no history, a damaged one or another run's; ``folder`` exists and is no report.
        golden.DescriptionError: the description is damaged.
        OSError: a file cannot be read or written.
    """
    folder = folder or report_folder(description)
    check_folder(folder)
    run = load_run(description)
    drawn = list(draw(run))
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for plot in drawn:
            (temporary / f"{plot.name}.svg").write_text(plot.svg)
            (temporary / f"{plot.name}.png").write_bytes(plot.png)
        (temporary / "index.html").write_text(_page(run, drawn))
        temporary.chmod(0o755)
        _replace(folder, temporary)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _replace(folder: Path, finished: Path) -> None:
    """Puts ``finished`` in the place of ``folder``, whose old content goes last."""
    old = finished.with_name(f"{finished.name}-old")
    if folder.exists():
        os.replace(folder, old)
    os.replace(finished, folder)
    shutil.rmtree(old, ignore_errors=True)


def draw(run: Run) -> Iterator[Plot]:
    """The plots that the run has data for, in the order of the report."""
    layers, steps, histograms = layer_rows(run), step_rows(run), histogram_rows(run)
    losses, kernels, shares = loss_rows(run), patterns(run), en_sparsity_rows(run)
    names = list(run.started.layers)
    if layers:
        caption = "Before: the dense network. After: what the description holds, behind quantisation."
        yield _drawn("weights", caption, plots.weights_plot(layers))
        yield _drawn("multiplications", "By weights that are not zero, of one image.", plots.macs_plot(layers))
    caption = "Label: the layer whose turn ends there; where labels would overlap, the later one is left out."
    yield _drawn("accuracy", caption, plots.accuracy_plot(steps, run.bound, names))
    yield _drawn("steps", "Above: method and layer, from the step on.", plots.steps_plot(steps, run.bound))
    if losses:
        yield _drawn("loss", "Epochs of one step are joined.", plots.loss_plot(losses))
    if histograms:
        caption = (
            "Threshold: q times the standard deviation of the dense weights (reversed), the peak's far edge (peak by "
            "histogram), or the least magnitude left (the other magnitude methods). Retraining moves weights across it."
        )
        yield _drawn("histograms", caption, plots.histogram_plot(histograms, thresholds(run)))
    if kernels:
        caption = "As stored: weights that quantisation rounded to zero make patterns of their own."
        yield _drawn("patterns", caption, plots.pattern_plot(kernels))
    if shares:
        yield _drawn("en-sparsity", "Channels of every layer, sorted by it.", plots.en_sparsity_plot(shares))


def _drawn(name: str, caption: str, chart: plots.Chart) -> Plot:
    svg = vl_convert.vegalite_to_svg(json.dumps(chart.to_dict()))
    return Plot(name, caption, _made_ready(svg, name), vl_convert.svg_to_png(svg, scale=PNG_SCALE))


def _made_ready(svg: str, name: str) -> str:
    """What the marks say to screen readers is shown on hovering, too; names are made unlike those of other plots."""
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        label = element.get("aria-label")
        if label and element.get("role") == "graphics-symbol" and element.tag == f"{{{_SVG}}}path":
            ElementTree.SubElement(element, f"{{{_SVG}}}title").text = label
    text = ElementTree.tostring(root, encoding="unicode")
    numbers = {old: f"{name}-{new}" for new, old in enumerate(re.findall(r'\bid="([^"]+)"', text))}
    return re.sub(r'(\bid="|url\(#)([^")]+)', lambda found: found[1] + numbers.get(found[2], found[2]), text)


def _page(run: Run, drawn: list[Plot]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        generator=GENERATOR, run=run, facts=_facts(run), layers=layer_rows(run), plots=drawn, steps=step_rows(run)
    )


def _facts(run: Run) -> list[tuple[str, str]]:
    quantised = run.quantised
    after = sum(each.nonzero for each in quantised.counts.values())

    def share(correct: int) -> str:
        return f"{100 * correct / quantised.images:.2f} % ({correct:,} of {quantised.images:,} test images)"

    return [
        ("methods", ", ".join(run.started.settings.get("methods", ()))),
        ("weights", f"{run.dense_weights:,} before, {after:,} after: {run.factor:.2f} times fewer"),
        (
            "storage",
            f"{quantised.bits / 8:,.0f} bytes, with indices, scales and biases; {4 * run.dense_weights:,} as float32",
        ),
        *((f"fine-tuning: {each.stage}", _tuned(each)) for each in run.of(Tuned)),
        ("dense network, PyTorch", share(quantised.dense_correct)),
        ("pruned, PyTorch", share(quantised.float_correct)),
        ("description, golden", share(quantised.correct)),
    ]


def _tuned(stage: Tuned) -> str:
    share = f"{100 * stage.before / stage.images:.2f} % to {100 * stage.correct / stage.images:.2f} %"
    return f"{share} of the judging images, {KEPT if stage.accepted else TAKEN_BACK}"
