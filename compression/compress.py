"""A trained network to a compressed model description: prune, fine-tune, quantise, save, measure what was saved."""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import prod
from pathlib import Path

from torch import nn

import golden
from compression.accuracy import count_correct_integers
from compression.data import DataSet
from compression.errors import CompressionError
from compression.finetune import FineTuning
from compression.fold import lowered
from compression.frontend import trace
from compression.history import LayerCount, Quantised, Record
from compression.loop import Outcome, Pruning, required_correct
from compression.prune import count_weights
from compression.quantise import quantise_graph
from compression.settings import Settings
from compression.state import RunFiles
from compression.train import LabelledImages, count_correct

__all__ = ["Compressed", "compress"]


@dataclass(frozen=True)
class Compressed:
    """What came of a compression.

    Attributes:
        outcome: of pruning.
        quantised: the saved description, measured on the test images.
        complaints: sentences about what was asked for and not reached; empty when all is well.
        notes: sentences about what the description has and the network has not.
    """

    outcome: Outcome
    quantised: Quantised
    complaints: tuple[str, ...]
    notes: tuple[str, ...] = ()


def compress(
    model: nn.Module,
    data: DataSet,
    settings: Settings,
    output: Path,
    report: Callable[[Record], None] = lambda record: None,
    teacher: nn.Module | None = None,
) -> Compressed:
    """Prune, retrain, fine-tune and quantise a network; write ``output``, its payload and its history.

    A run that was killed is continued by the same call, and ends in the same files.

    Args:
        model: the trained network, on the device to train on; pruned in place.
        data: its images.
        settings: what to do.
        output: the description, ``NAME.json``; beside it come ``NAME.safetensors``, ``NAME.history.jsonl`` and, as
            pruned in floating point, ``NAME.pruned.pt``, a checkpoint for another run.
        report: is told of everything that goes into the history.
        teacher: whose scores ``settings.distillation`` compares with, on the model's device; by default the model.

    Raises:
        CompressionError: wrong settings for these data, a layer that is not supported, the state of another run.
        golden.DescriptionError: ``output`` is no legal name.
        OSError: a file cannot be written.
    """
    training, judging = _divide(data, settings)
    notes = _check_export(model, data, output)
    dense_correct = count_correct(model, data.test)
    dense = count_weights(model)
    files = RunFiles(output)
    pruning = Pruning(model, training, judging, settings, files, report, teacher)
    outcome = pruning.run()
    files.save_pruned({name: each.cpu() for name, each in model.state_dict().items()})
    float_correct = count_correct(model, data.test)
    tuning = FineTuning(training, judging, settings, files, pruning.state, report, pruning.teacher)
    golden.save(tuning.run(model, output.stem), output)
    network = golden.load(output)
    quantised = Quantised(
        description=output.name,
        correct=count_correct_integers(network, data.test.pixels.numpy(), data.test.labels.numpy()),
        images=len(data.test),
        float_correct=float_correct,
        dense_correct=dense_correct,
        bits=network.total_bits,
        counts={
            layer.name: LayerCount(
                prod(layer.weights.shape), layer.weights.nonzeros, prod(network.shapes[layer.name][1:])
            )
            for layer in network.weighted_layers
        },
        dense_weights=dense.total,
        dense_macs=outcome.dense_macs,
    )
    files.record(quantised)
    report(quantised)
    files.finish()
    complaints = (*_tuning_complaints(pruning.state.untuned), *_complaints(outcome, quantised, settings))
    return Compressed(outcome, quantised, complaints, notes)


def _check_export(model: nn.Module, data: DataSet, output: Path) -> tuple[str, ...]:
    """Before hours of training: whether what will come can be quantised and saved at all; notes about it."""
    if output.suffix != ".json":
        raise CompressionError(f"{output}: a description's name must end in .json.")
    pixels = data.training.pixels[:1]
    graph = trace(deepcopy(model).cpu(), (pixels.shape[1], pixels.shape[2], pixels.shape[3]))
    quantise_graph(graph, pixels, output.stem)
    return tuple(
        f"{name}: {kind} cannot be folded exactly, so it is a depthwise convolution of its own"
        for name, kind in lowered(graph)
    )


def _tuning_complaints(diverged: Sequence[str]) -> Iterator[str]:
    for stage in diverged:
        yield f"fine-tuning ({stage}) left the finite numbers; the description holds the network before it"


def _complaints(outcome: Outcome, quantised: Quantised, settings: Settings) -> Iterator[str]:
    """What was asked for and not reached, with the best that was reached."""
    accuracy = f"{100 * outcome.correct / outcome.images:.2f} % of the {outcome.images} judging images right"
    if outcome.reason == "diverged":
        yield "training left the finite numbers; the description holds the last step before that"
    if settings.factor is not None and outcome.reason != "factor":
        yield (
            f"{settings.factor:g} times fewer weights cannot be had within {settings.max_loss:g} points; "
            f"the best that was reached is {quantised.factor:.2f} times fewer, with {accuracy}"
        )
    cut = 100 * (1 - outcome.macs / max(outcome.dense_macs, 1))
    if "layerwise" in settings.methods and cut < settings.flops_cut - 1e-9:
        yield (
            f"{settings.flops_cut:g} % fewer multiplications cannot be had within {settings.max_loss:g} points; "
            f"the best that was reached is {cut:.2f} % fewer, with {accuracy}"
        )
    elif settings.methods and settings.factor is None and outcome.reason == "bound" and not outcome.accepted:
        yield f"no step stayed within {settings.max_loss:g} points; nothing is pruned, with {accuracy}"
    required = required_correct(quantised.dense_correct, quantised.images, settings.max_loss)
    if quantised.correct < required:
        yield (
            f"the description loses more than {settings.max_loss:g} points: it gets {quantised.correct} of "
            f"{quantised.images} test images right, {required} were asked for"
        )


def _divide(data: DataSet, settings: Settings) -> tuple[LabelledImages, LabelledImages]:
    """Images to train on, and images to judge by."""
    if settings.held_out == 0:
        return data.training, data.test
    kept = len(data.training) - settings.held_out
    if kept < 1:
        raise CompressionError(f"held-out is {settings.held_out}, but there are {len(data.training)} training images.")
    pixels, labels = data.training.pixels, data.training.labels
    return LabelledImages(pixels[:kept], labels[:kept]), LabelledImages(pixels[kept:], labels[kept:])
