"""The zoo's compressed networks: for each the command line of `zeroskip` that makes it, and what its figures are.

``python -m zoo.recipes NAME`` trains the dense network if ``zoo/checkpoints`` lacks it, runs the command (or goes on
where it was stopped) and puts description and history into ``zoo/descriptions``. ``python -m zoo.recipes`` prints the
table of all that are there, as docs/compression.md shows it.
"""

import argparse
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from math import prod
from pathlib import Path

from rich.console import Console
from rich.table import Table

import golden
import golden.formats
from compression.history import Quantised, read_history
from zoo.history import DESCRIPTIONS

__all__ = ["RECIPES", "Recipe", "command_line", "main"]

BUILD = Path(__file__).resolve().parent.parent / "build" / "zoo"
TRAINED = Path(__file__).resolve().parent / "checkpoints"
DATA = Path(__file__).resolve().parent.parent / "data"

CIFAR = "--shift 4 --flip --precision bfloat16 --per-channel depthwise"
FASHION = "--shift 1 --flip --batch 64 --per-channel depthwise"


@dataclass(frozen=True)
class Recipe:
    """A compressed network: the dense network's name, the data set's, and the options of ``zeroskip compress``."""

    network: str
    data: str
    options: str


_LENET5 = "--method reversed --method peak --budget by-weights --q-step 0.5 --epochs 1 --max-loss 1.5 --share 0.1"
_CIFAR10_CNN = "--method reversed --method peak --budget by-weights --q-step 1 --epochs 1 --epoch-images 8000"
_RESNET20_CUT = (
    "--method layerwise --flops-cut 42 --max-loss 10 --epochs 12 --epoch-images 25000 --learning-rate 0.05"
    " --distillation 0.5 --bias-correction"
)

RECIPES = {
    "lenet5_reversed": Recipe(
        "lenet5",
        "fashion-mnist",
        f"{FASHION} {_LENET5} --factor 16 --learning-rate 0.02 --final-epochs 25 --distillation 0.5",
    ),
    "cifar10_cnn_reversed": Recipe(
        "cifar10-cnn",
        "cifar-10",
        f"{CIFAR} {_CIFAR10_CNN} --factor 20 --max-loss 1 --learning-rate 0.003 --final-epochs 25 --codebook 16"
        " --bias-correction",
    ),
    "vgg_small_ikr": Recipe(
        "vgg-small",
        "cifar-10",
        f"{CIFAR} --method ikr --kernel-values 1 --patterns 16 --keep conv1 --epochs 1 --epoch-images 10000"
        " --max-loss 15 --learning-rate 0.03 --final-epochs 60 --distillation 0.5",
    ),
    "resnet20_layerwise": Recipe(
        "resnet20",
        "cifar-10",
        f"{CIFAR} {_RESNET20_CUT} --allocation layerwise",
    ),
    "resnet20_uniform": Recipe(
        "resnet20",
        "cifar-10",
        f"{CIFAR} {_RESNET20_CUT} --allocation uniform",
    ),
}
"""Description -> how it is made."""


def command_line(name: str) -> list[str]:
    """The arguments of ``zeroskip`` that make that description below ``build/zoo``."""
    recipe = RECIPES[name]
    stem = recipe.network.replace("-", "_")
    checkpoint = BUILD / f"{stem}.pt" if stem == "cifar10_cnn" else TRAINED / f"{stem}.safetensors"
    return [
        "compress", str(checkpoint), "--network", recipe.network, "--data", recipe.data, "--data-folder", str(DATA),
        *shlex.split(recipe.options), "--output", str(BUILD / f"{name}.json"),
    ]  # fmt: skip


def make(name: str) -> int:
    """Run a recipe; returns the exit code of ``zeroskip``, whose files are kept if it is 0 or 1."""
    from zeroskip.commands import main as zeroskip
    from zoo.baselines import make_checkpoint

    arguments = command_line(name)
    make_checkpoint(RECIPES[name].network)
    print("zeroskip", shlex.join(arguments), flush=True)
    try:
        zeroskip(arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
    if code in (0, 1):
        for suffix in (".json", ".safetensors", ".history.jsonl"):
            shutil.copyfile(BUILD / f"{name}{suffix}", DESCRIPTIONS / f"{name}{suffix}")
    return code


def result_of(name: str) -> Quantised:
    """The last record of that description's history."""
    return [each for each in read_history(DESCRIPTIONS / f"{name}.history.jsonl") if isinstance(each, Quantised)][-1]


def table() -> Table:
    """What came out, a row for each description that is there; all accuracies on the whole test set."""
    rows = Table(
        "description", "before %", "pruned, float %", "golden %", "weights, times fewer", "MACs, times fewer",
        "channels gone, MACs cut %", "bytes", "times smaller",
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
    parser.add_argument("--show", action="store_true", help="print the command only")
    options = parser.parse_args(arguments)
    if options.name is None or options.layers:
        Console(width=140).print(layer_table(options.name) if options.name else table())
        return 0
    if options.show:
        print("zeroskip", shlex.join(command_line(options.name)))
        return 0
    import torch

    torch.set_num_threads(options.threads)
    return make(options.name)


if __name__ == "__main__":
    sys.exit(main())
