"""The zoo's compressed networks: for each the command lines of `zeroskip` that make it, and what its figures are.

``python -m zoo.recipes NAME`` trains the dense network if ``zoo/checkpoints`` lacks it, runs the commands (or goes on
where it was stopped) and puts description and history into ``zoo/descriptions``. ``python -m zoo.recipes`` prints the
table of all that are there, as docs/compression.md shows it.
"""

import argparse
import os
import shlex
import shutil
import sys
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

import golden
import golden.formats
from compression.history import Quantised, read_history
from zoo.history import DESCRIPTIONS

__all__ = ["RECIPES", "Recipe", "command_lines", "main"]

BUILD = Path(__file__).resolve().parent.parent / "build" / "zoo"
TRAINED = Path(__file__).resolve().parent / "checkpoints"
DATA = Path(__file__).resolve().parent.parent / "data"

CIFAR = "--shift 4 --flip --precision bfloat16"


@dataclass(frozen=True)
class Run:
    """One call of ``zeroskip compress``.

    Attributes:
        options: all but the files.
        teacher: the network of ``zoo.baselines`` that ``--distillation`` compares with, if it is not the own one.
        described: begin with the description of the run before, not with its pruned network in floating point.
    """

    options: str
    teacher: str | None = None
    described: bool = False


@dataclass(frozen=True)
class Recipe:
    """A compressed network.

    Attributes:
        network: the dense network's name.
        data: the data set's.
        runs: run after run; each goes on from the one before, the first one from the dense network.
    """

    network: str
    data: str
    runs: tuple[Run, ...]


_CIFAR10_CNN = "--flip --precision bfloat16 --epochs 1 --codebook 16 --bias-correction"
_VGG_SMALL = "--shift 3 --flip --precision bfloat16 --weight-decay 3e-4 --bias-correction"
_VGG_SMALL_CUT = (
    f"{_VGG_SMALL} --method feature-map --penalty 0.3 --theta-step 0.025 --epochs 16 --max-loss 6 --learning-rate 0.06"
)
_VGG_SMALL_IKR = (
    "--shift 3 --flip --precision bfloat16 --batch 256 --learning-rate 0.12 --weight-decay 2e-4 --distillation 0.5"
    " --bias-correction --calibration 8000 --max-loss 30 --method ikr --patterns 16 --keep conv1"
)
_ONLY_CONV2 = "--keep conv3 --keep conv4 --keep conv5 --keep conv6"
_LENET5_TEACHER = "vgg-small-grey"
_LENET5 = "--batch 128 --learning-rate 0.05 --distillation 0.8"
_LENET5_STEPS = f"{_LENET5} --weight-decay 3e-4 --max-loss 4 --epochs 1 --seed 10"
_LENET5_SMALL_STEPS = f"{_LENET5_STEPS} --epoch-images 15000 --final-epochs 0"
# Small steps, each with a quarter of the images, lose far less than few large ones with more retraining in between.
# Each layer's share is about what a ranking of all weights by their squares times their gradients' leaves it.
_LENET5_PRUNED = tuple(
    Run(options, _LENET5_TEACHER)
    for options in (
        f"{_LENET5} --final-epochs 16",
        # From here on trained on a GPU, with PyTorch 2.11: a CPU gives other roundings.
        f"{_LENET5_SMALL_STEPS} --method reversed --budget by-weights --q-step 0.1 --factor 2.9"
        " --keep conv1 --keep conv2 --keep fc2 --keep fc3",
        f"{_LENET5_SMALL_STEPS} --method peak --share 0.01 --factor 8.06 --keep conv1 --keep conv2 --keep fc3",
        f"{_LENET5_SMALL_STEPS} --method peak --share 0.01 --factor 12.4 --keep conv1 --keep fc1 --keep fc3",
        f"{_LENET5_SMALL_STEPS} --method peak --share 0.01 --factor 13.65 --keep conv1 --keep fc1 --keep conv2",
        f"{_LENET5_SMALL_STEPS} --method peak --share 0.01 --factor 15.05 --keep conv1 --keep fc3",
        f"{_LENET5_STEPS} --final-epochs 200 --bias-correction --calibration 8000",
    )
)
_RESNET20 = f"{CIFAR} --weight-decay 5e-4 --distillation 0.5 --bias-correction --learning-rate 0.05"
_RESNET20_MAPS = (
    f"{CIFAR} --weight-decay 5e-4 --distillation 0.5 --bias-correction --method feature-map --penalty 1.3"
    " --en-sparsity absolute --max-loss 12 --calibration 8000"
)
_RESNET20_CUT = f"{_RESNET20} --method layerwise --flops-cut 42 --max-loss 10 --epochs 12"
_RESNET20_CUT_60 = f"{_RESNET20} --method layerwise --flops-cut 60 --max-loss 12 --epochs 10"
_RESNET20_QUANTISE = Run(
    f"{CIFAR} --weight-decay 5e-4 --bias-correction --max-loss 1 --final-epochs 0 --calibration 8000"
)

RECIPES = {
    "lenet5_reversed": Recipe("lenet5", "fashion-mnist", _LENET5_PRUNED),
    "lenet5_reversed_codebook": Recipe(
        "lenet5",
        "fashion-mnist",
        (
            *_LENET5_PRUNED,
            Run(
                "--batch 128 --learning-rate 0.01 --distillation 0.8 --max-loss 1 --final-epochs 0 --codebook 16"
                " --codebook-epochs 24 --bias-correction --calibration 8000",
                _LENET5_TEACHER,
            ),
        ),
    ),
    "cifar10_cnn_reversed": Recipe(
        "cifar10-cnn",
        "cifar-10",
        (
            Run(
                f"{_CIFAR10_CNN} --shift 4 --method reversed --method peak --budget by-weights --q-step 1"
                " --epoch-images 8000 --factor 21 --max-loss 4 --learning-rate 0.003 --final-epochs 60"
            ),
            Run(f"{_CIFAR10_CNN} --shift 2 --epoch-images 10000 --max-loss 1 --learning-rate 0.005 --final-epochs 80"),
            Run(
                f"{_CIFAR10_CNN} --shift 2 --epoch-images 10000 --method peak --share 0.2 --factor 21 --max-loss 5"
                " --learning-rate 0.005 --final-epochs 50"
            ),
            Run(
                f"{_CIFAR10_CNN} --shift 2 --epoch-images 10000 --method peak --share 0.3 --factor 26 --max-loss 5"
                " --learning-rate 0.005 --final-epochs 22"
            ),
        ),
    ),
    "vgg_small_feature_map_1": Recipe(
        "vgg-small",
        "cifar-10",
        (Run(f"{_VGG_SMALL_CUT} --distillation 0.5 --theta-low 0.49 --theta-high 0.53"),),
    ),
    "vgg_small_feature_map_2": Recipe(
        "vgg-small",
        "cifar-10",
        (
            Run(f"{_VGG_SMALL_CUT} --theta-low 0.445 --theta-high 0.485"),
            Run(f"{_VGG_SMALL} --distillation 0.5 --max-loss 1 --learning-rate 0.05 --final-epochs 16"),
        ),
    ),
    "vgg_small_feature_map_3": Recipe(
        "vgg-small", "cifar-10", (Run(f"{_VGG_SMALL_CUT} --theta-low 0.433 --theta-high 0.473"),)
    ),
    "vgg_small_ikr": Recipe(
        "vgg-small",
        "cifar-10",
        (
            # Trained on a GPU, with PyTorch 2.11: a CPU gives other roundings.
            Run(
                f"{_VGG_SMALL_IKR} {_ONLY_CONV2} --kernel-values 6 --kernels-kept 0.4 --epochs 3 --final-epochs 0",
                teacher="resnet20",
            ),
            Run(
                f"{_VGG_SMALL_IKR} --keep conv2 --kernel-values 4 --kernels-kept 0.6 --epochs 2 --final-epochs 12",
                teacher="resnet20",
            ),
            Run(
                f"{_VGG_SMALL_IKR} {_ONLY_CONV2} --kernel-values 6 --kernels-kept 0.18 --epochs 4 --final-epochs 0",
                teacher="resnet20",
            ),
            Run(
                f"{_VGG_SMALL_IKR} --keep conv2 --kernel-values 2 --kernels-kept 0.55 --epochs 2 --final-epochs 120",
                teacher="resnet20",
            ),
        ),
    ),
    "vgg16bn_layerwise": Recipe(
        "vgg16bn",
        "cifar-10",
        (
            # Trained on a GPU, with PyTorch 2.11, as the dense network was.
            Run(
                f"{CIFAR} --batch 256 --weight-decay 5e-4 --distillation 0.5 --bias-correction --calibration 8000"
                " --learning-rate 0.1 --method layerwise --allocation measured --flops-cut 77.1 --max-loss 10"
                " --epochs 40 --final-epochs 0"
            ),
        ),
    ),
    "resnet20_feature_map": Recipe(
        "resnet20",
        "cifar-10",
        (
            Run(
                f"{_RESNET20_MAPS} --learning-rate 0.08 --theta-low 0.9011 --theta-high 0.9211 --theta-step 0.0125"
                " --epochs 30"
            ),
            Run(
                f"{_RESNET20_MAPS} --learning-rate 0.04 --theta-low 0.9405 --theta-high 0.9505 --theta-step 0.006"
                " --epochs 8",
                teacher="resnet20",
            ),
        ),
    ),
    "resnet20_layerwise": Recipe("resnet20", "cifar-10", (Run(f"{_RESNET20_CUT} --allocation measured"),)),
    "resnet20_uniform": Recipe("resnet20", "cifar-10", (Run(f"{_RESNET20_CUT} --allocation uniform"),)),
    "resnet20_layerwise_60": Recipe(
        "resnet20", "cifar-10", (Run(f"{_RESNET20_CUT_60} --allocation measured"), _RESNET20_QUANTISE)
    ),
    "resnet20_uniform_60": Recipe(
        "resnet20", "cifar-10", (Run(f"{_RESNET20_CUT_60} --allocation uniform"), _RESNET20_QUANTISE)
    ),
}
"""Description -> how it is made."""


def command_lines(name: str) -> list[list[str]]:
    """The arguments of ``zeroskip`` that make that description below ``build/zoo``, run after run."""
    recipe = RECIPES[name]
    checkpoint, output, lines = _checkpoint(recipe.network), None, []
    for number, run in enumerate(recipe.runs, start=1):
        before, output = output, BUILD / (f"{name}.json" if number == len(recipe.runs) else f"{name}_{number}.json")
        if before:
            checkpoint = before if run.described else before.with_suffix(".pruned.pt")
        teacher = ["--teacher", str(_checkpoint(run.teacher)), "--teacher-network", run.teacher] if run.teacher else []
        lines.append([
            "compress", str(checkpoint), "--network", recipe.network, "--data", recipe.data, "--data-folder", str(DATA),
            *shlex.split(run.options), *teacher, "--output", str(output),
        ])  # fmt: skip
    return lines


def _checkpoint(network: str) -> Path:
    """Where the dense network lies."""
    stem = network.replace("-", "_")
    return BUILD / f"{stem}.pt" if stem == "cifar10_cnn" else TRAINED / f"{stem}.safetensors"


def make(name: str) -> int:
    """Run a recipe; returns the last exit code of ``zeroskip``, whose files are kept if it is 0 or 1."""
    from zoo.baselines import make_checkpoint

    for network in (RECIPES[name].network, *(run.teacher for run in RECIPES[name].runs if run.teacher)):
        make_checkpoint(network)
    histories = []
    for arguments in command_lines(name):
        code = _zeroskip(arguments)
        if code not in (0, 1):
            return code
        histories.append(Path(arguments[-1]).with_suffix(".history.jsonl").read_text())
    for suffix in (".json", ".safetensors"):
        shutil.copyfile(BUILD / f"{name}{suffix}", DESCRIPTIONS / f"{name}{suffix}")
    (DESCRIPTIONS / f"{name}.history.jsonl").write_text("".join(histories))
    return code


def _zeroskip(arguments: list[str]) -> int:
    """Run the command, unless its description is there already and no killed run is left."""
    from zeroskip.commands import main as zeroskip

    output = Path(arguments[-1])
    if output.exists() and not output.with_suffix(".state.pt").exists():
        return 0
    print("zeroskip", shlex.join(arguments), flush=True)
    try:
        zeroskip(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def result_of(name: str) -> Quantised:
    """The last record of that description's history; what was before is what was before the first run."""
    records = [each for each in read_history(DESCRIPTIONS / f"{name}.history.jsonl") if isinstance(each, Quantised)]
    dense = records[0]
    return replace(
        records[-1],
        dense_correct=dense.dense_correct,
        dense_weights=dense.dense_weights,
        dense_macs=dense.dense_macs,
    )


def table() -> Table:
    """What came out, a row for each description that is there; all accuracies on the whole test set."""
    rows = Table(
        Column("description", no_wrap=True), "before %", "pruned, float %", "golden %", "weights, times fewer",
        "MACs, times fewer", "channels gone, MACs cut %", "bytes", "times smaller",
    )  # fmt: skip
    for name in RECIPES:
        if (DESCRIPTIONS / f"{name}.history.jsonl").exists():
            rows.add_row(name, *_figures(result_of(name)))
    return rows


def _figures(result: Quantised) -> list[str]:
    return [
        *(f"{100 * each / result.images:.2f}" for each in (result.dense_correct, result.float_correct, result.correct)),
        f"{result.factor:.2f}",
        f"{result.macs_factor:.2f}",
        f"{result.flops_cut:.1f}",
        f"{result.bits / 8:,.0f}",
        f"{32 * result.dense_weights / result.bits:.1f}",
    ]


def layer_table(name: str) -> Table:
    """A description's layers: weights, storage, and what a kernel's index costs beside a mask of its positions."""
    network, counts = golden.load(DESCRIPTIONS / f"{name}.json"), result_of(name).counts
    rows = Table(
        "layer", "weights", "non-zero", "multiplications", "by non-zeros", "format", "index bits a kernel", "mask"
    )
    for layer in network.weighted_layers:
        count, index, mask = counts[layer.name], "", ""
        if len(layer.weights.shape) == 4:
            kernels, size = prod(layer.weights.shape[:2]), golden.formats.sizes(network.encoded(layer.name))
            index, mask = f"{(size.index + size.codebook) / kernels:.2f}", str(prod(layer.weights.shape[2:]))
        figures = (count.weights, count.nonzero, count.macs, count.nonzero_macs)
        rows.add_row(layer.name, *(f"{each:,}" for each in figures), layer.weights.format, index, mask)
    return rows


def main(arguments: list[str] | None = None) -> int:
    """The command; exit code that of ``zeroskip compress``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=RECIPES)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="for PyTorch on a CPU")
    parser.add_argument("--layers", action="store_true", help="print its layers only")
    parser.add_argument("--show", action="store_true", help="print the commands only")
    options = parser.parse_args(arguments)
    if options.name is None or options.layers:
        Console(width=140).print(layer_table(options.name) if options.name else table())
        return 0
    if options.show:
        for line in command_lines(options.name):
            print("zeroskip", shlex.join(line))
        return 0
    import torch

    torch.set_num_threads(options.threads)
    return make(options.name)


if __name__ == "__main__":
    sys.exit(main())
