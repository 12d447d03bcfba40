"""What a run did, as rows for plots and tables: from the description and the history beside it, without PyTorch."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite, prod
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

import golden
from compression.errors import CompressionError
from compression.history import (
    EnSparsity,
    EpochDone,
    Histogram,
    Histograms,
    Quantised,
    Record,
    Started,
    StepDone,
    Tuned,
    TuningEpoch,
    read_history,
)

__all__ = [
    "KEPT",
    "TAKEN_BACK",
    "LayerPatterns",
    "Row",
    "Run",
    "en_sparsity_rows",
    "histogram_rows",
    "layer_rows",
    "load_run",
    "loss_rows",
    "patterns",
    "step_rows",
    "thresholds",
]

Row = dict[str, Any]
KEPT, TAKEN_BACK = "kept", "taken back"

_Kind = TypeVar("_Kind", bound=Record)


@dataclass(frozen=True)
class Run:
    """A run that has ended.

    Attributes:
        network: the description that it saved.
        started: the dense network.
        quantised: the description, measured.
        records: all of the history, in order.
    """

    network: golden.Network
    started: Started
    quantised: Quantised
    records: tuple[Record, ...]

    @property
    def bound(self) -> float:
        """The least accuracy that a step must keep, per cent of the judging images."""
        return 100 * self.started.required / self.started.images

    @property
    def factor(self) -> float:
        """How many times fewer weights the description has than the dense network."""
        return self.dense_weights / max(sum(each.nonzero for each in self.quantised.counts.values()), 1)

    @property
    def dense_weights(self) -> int:
        """All weights of the dense network."""
        return self.quantised.dense_weights or sum(each.weights for each in self.started.layers.values())

    def of(self, kind: type[_Kind]) -> list[_Kind]:
        """The records of one kind."""
        return [record for record in self.records if isinstance(record, kind)]


@dataclass(frozen=True)
class LayerPatterns:
    """The kernels of a convolution by which of their weights are not zero.

    Attributes:
        layer: its name.
        kernels: all of them.
        distinct: different patterns.
        masks: boolean (shown, kh, kw), the most used patterns first.
        counts: kernels that have each of these.
    """

    layer: str
    kernels: int
    distinct: int
    masks: NDArray[np.bool_]
    counts: tuple[int, ...]


def load_run(description: Path) -> Run:
    """Read ``NAME.json`` and ``NAME.history.jsonl``.

    Raises:
        CompressionError: there is no history, or it is damaged, of a run under way, or of another description.
        golden.DescriptionError: the description is damaged.
        OSError: a file cannot be read.
    """
    network = golden.load(description)
    file = description.with_suffix(".history.jsonl")
    if not file.exists():
        raise CompressionError(f"{file}: there is no history; only descriptions that compress has made have one.")
    records = tuple(read_history(file))
    started = next((each for each in records if isinstance(each, Started)), None)
    quantised = next((each for each in records if isinstance(each, Quantised)), None)
    if started is None or quantised is None:
        raise CompressionError(f"{file}: its run has not ended; let it, or repeat its command to go on.")
    stored = {each.name: (prod(each.weights.shape), each.weights.nonzeros) for each in network.weighted_layers}
    if stored != {name: (each.weights, each.nonzero) for name, each in quantised.counts.items()}:
        raise CompressionError(f"{file}: belongs to another description than {description}; compress anew.")
    return Run(network, started, quantised, records)


def layer_rows(run: Run) -> list[Row]:
    """Each layer, in the network's order: weights and multiplications (of an image) before and after, and storage.

    Multiplications with padding count. Layers that only the description has, as those put in for the engines, are left
    out.
    """
    rows = []
    for layer in run.network.weighted_layers:
        if layer.name not in run.started.layers:
            continue
        dense, after = run.started.layers[layer.name], layer.weights.nonzeros
        positions = prod(run.network.shapes[layer.name][1:])
        rows.append(
            {
                "layer": layer.name,
                "before": dense.weights,
                "after": after,
                "kept": 100 * after / dense.weights,
                "macs_before": dense.macs or dense.weights * positions,
                "macs_after": after * positions,
                "storage": layer.weights.format,
                "bytes": run.network.size(layer.name).total / 8,
            }
        )
    return rows


def histogram_rows(run: Run) -> list[Row]:
    """Non-zero float weights in each bin, before pruning and where it stopped; a bin is named by its lower edge.

    Both stages have the same bins; empty ones at either end are left out.
    """
    rows: list[Row] = []
    found = run.of(Histograms)
    if len(found) < 2:
        return rows
    before, after = found[0].layers, found[-1].layers
    for layer in before:
        if layer in after:
            limit = max(before[layer].limit, after[layer].limit)
            counts = [_in_bins(before[layer], limit), _in_bins(after[layer], limit)]
            edges = np.linspace(-limit, limit, len(counts[0]), endpoint=False)
            used = np.flatnonzero(counts[0] + counts[1])
            shown = slice(used[0], used[-1] + 2) if used.size else slice(0, 0)  # one more, where the last bin ends
            for stage, each in zip(("before", "after"), counts, strict=True):
                for edge, count in zip(edges[shown].tolist(), each[shown].tolist(), strict=True):
                    rows.append({"layer": layer, "stage": stage, "weight": edge, "count": count})
    return rows


def _in_bins(histogram: Histogram, limit: float) -> NDArray[np.int64]:
    """Its counts in as many bins from -limit to limit, each of which is a group of its own bins."""
    bins = len(histogram.counts)
    centres = (np.arange(bins) + 0.5) * 2 * histogram.limit / bins - histogram.limit
    grouped, _ = np.histogram(centres, bins=bins, range=(-limit, limit), weights=histogram.counts)
    counts: NDArray[np.int64] = np.rint(grouped).astype(np.int64)
    return counts


def thresholds(run: Run) -> dict[str, float]:
    """The magnitude below which each layer's weights were pruned; layers without a threshold are left out.

    ``reversed`` and the second reading of ``peak`` have one (q times the dense weights' deviation, and their setting);
    what ``magnitude`` and the first reading of ``peak`` leave begins at its least magnitude, after retraining. The
    other methods do not go by a weight's magnitude alone.
    """
    found = run.of(Histograms)
    if len(found) < 2:
        return {}
    dense, pruned = found[0].layers, found[-1].layers
    limits: dict[str, float] = {}
    by_histogram = run.started.settings.get("peak_reading") == "histogram"
    for step in run.of(StepDone):
        for layer in step.layers if step.accepted else ():
            if layer not in dense or layer not in pruned:
                continue
            if step.method == "reversed":
                limits[layer] = max(limits.get(layer, 0.0), step.setting * dense[layer].deviation)
            elif step.method == "peak" and by_histogram:
                limits[layer] = max(limits.get(layer, 0.0), step.setting)
            elif step.method in ("magnitude", "peak"):
                limits[layer] = max(limits.get(layer, 0.0), pruned[layer].least)
    return limits


def step_rows(run: Run) -> list[Row]:
    """The steps in order, the dense network as step 0; ``turn`` counts the changes of method or layer."""
    images, total = run.started.images, run.dense_weights

    def row(step: int, method: str, layer: str, setting: float, verdict: str, correct: int, left: int) -> Row:
        return {
            "step": step,
            "method": method,
            "layer": layer,
            "setting": setting,
            "verdict": verdict,
            "accuracy": 100 * correct / images,
            "weights": left,
            "factor": total / max(left, 1),
        }

    dense = sum(each.nonzero for each in run.started.layers.values())
    rows = [row(0, "none", "dense", 0.0, KEPT, run.started.correct, dense) | {"turn": 0}]
    for step in run.of(StepDone):
        left = sum(each.nonzero for each in step.counts.values())
        verdict = KEPT if step.accepted else TAKEN_BACK
        new = row(step.step, step.method, _label(step), step.setting, verdict, step.correct, left)
        same = all(rows[-1][key] == new[key] for key in ("method", "layer"))
        rows.append(new | {"turn": rows[-1]["turn"] + (not same)})
    return rows


def _label(step: StepDone) -> str:
    """The layer that a step prunes, or a word where it is not one."""
    if len(step.layers) == 1:
        return step.layers[0]
    return f"{len(step.layers)} layers" if step.layers else "retrained"


def loss_rows(run: Run) -> list[Row]:
    """The mean loss of every epoch, of steps and of fine-tuning behind them (whose stage is named as ``step``);
    ``total`` counts the epochs of the run from 1. Losses that are no finite numbers are left out."""
    ends: dict[str, tuple[bool, str]] = {str(step.step): (step.accepted, _label(step)) for step in run.of(StepDone)}
    ends |= {tuned.stage: (tuned.accepted, "all") for tuned in run.of(Tuned)}
    rows = []
    epochs = [record for record in run.records if isinstance(record, EpochDone | TuningEpoch)]
    for total, epoch in enumerate(epochs, start=1):
        step = str(epoch.step) if isinstance(epoch, EpochDone) else epoch.stage
        accepted, layer = ends.get(step, (False, ""))
        if isfinite(epoch.loss):
            fields = {"total": total, "step": step, "epoch": epoch.epoch, "loss": epoch.loss, "layer": layer}
            rows.append({**fields, "verdict": KEPT if accepted else TAKEN_BACK})
    return rows


def patterns(run: Run, most: int = 16) -> list[LayerPatterns]:
    """For each convolution of more than one position that ``ikr`` pruned, its kernels' patterns, the ``most`` used."""
    pruned = {step.layers[0] for step in run.of(StepDone) if step.method == "ikr" and step.accepted}
    return list(_patterns(run.network, pruned, most))


def _patterns(network: golden.Network, layers: set[str], most: int) -> Iterator[LayerPatterns]:
    for layer in network.weighted_layers:
        if layer.name in layers and len(layer.weights.shape) == 4:
            masks = network.weights(layer.name) != 0
            kernels = masks.reshape(-1, *masks.shape[2:])
            distinct, counts = np.unique(kernels, axis=0, return_counts=True)
            order = np.argsort(-counts, kind="stable")[:most]
            shown = tuple(counts[order].tolist())
            yield LayerPatterns(layer.name, len(kernels), len(distinct), distinct[order], shown)


def en_sparsity_rows(run: Run) -> list[Row]:
    """Each channel's En-sparsity, per cent, first and last measurement; greatest share first. ``scale`` ("absolute" or
    "relative") is theirs and theta's."""
    found = run.of(EnSparsity)
    scale = run.started.settings.get("en_sparsity", "absolute")  # older runs know no other
    rows: list[Row] = []
    for record in found[:1] + found[1:][-1:]:
        for layer, shares in record.layers.items():
            for rank, (share, channel) in enumerate(sorted(((s, -c) for c, s in enumerate(shares)), reverse=True)):
                fields = {"layer": layer, "step": record.step, "theta": record.theta, "scale": scale}
                rows.append({**fields, "rank": rank, "channel": -channel, "share": 100 * share})
    return rows
