"""Reversed-pruning against the conventional order, first layer to last, within the same loss of accuracy: LeNet-5 on
Fashion-MNIST, three seeds.

    python -m benchmarks.pruning_order           prints the recorded runs side by side
    python -m benchmarks.pruning_order --run     makes those that are missing (about 5 minutes each on one core)
    python -m benchmarks.pruning_order --anew    forgets the recorded ones first

Needs PyTorch and Fashion-MNIST (`make data`). A run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from compression.settings import Order

__all__ = ["Run", "main"]

RECORDED = Path(__file__).parent / "pruning_order.json"
BUILD = Path(__file__).resolve().parents[1] / "build"
DATA = Path(__file__).resolve().parents[1] / "data"
SEEDS = (1, 2, 3)
ORDERS: tuple[Order, ...] = ("last-to-first", "first-to-last")
MAX_LOSS = 0.5


@dataclass(frozen=True)
class Run:
    """One run: its order and seed, how many times fewer weights are left, and test images right of 10,000."""

    order: str
    seed: int
    factor: float
    dense_correct: int
    float_correct: int
    correct: int
    steps: int


def run(order: Order, seed: int) -> Run:
    """Prune LeNet-5 in that order; everything else is the same for both."""
    from compression.checkpoint import load_checkpoint
    from compression.compress import compress
    from compression.data import load_data
    from compression.networks import find_network
    from compression.settings import Settings
    from zoo.baselines import make_checkpoint

    definition = find_network("lenet5")
    model = definition.build()
    load_checkpoint(model, make_checkpoint("lenet5"))
    data = load_data("fashion-mnist", DATA, definition.input_shape, definition.classes)
    settings = Settings(
        ("reversed",), max_loss=MAX_LOSS, order=order, seed=seed, q_step=0.5, epochs=1, epoch_images=20_000,
        batch=64, learning_rate=0.01, shift=1, flip=True,
    )  # fmt: skip
    output = BUILD / "pruning_order" / f"{order.replace('-', '_')}_{seed}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    result = compress(model, data, settings, output)
    quantised = result.quantised
    return Run(
        order, seed, quantised.factor, quantised.dense_correct, quantised.float_correct, quantised.correct,
        result.outcome.accepted,
    )  # fmt: skip


def recorded() -> list[Run]:
    """The runs on record."""
    return [Run(**fields) for fields in json.loads(RECORDED.read_text())] if RECORDED.exists() else []


def table(runs: list[Run]) -> Table:
    """Both orders side by side, a row for each seed."""
    rows = Table("seed", *(f"{order}: {what}" for order in ORDERS for what in ("times fewer", "float %", "golden %")))
    for seed in SEEDS:
        cells = [
            (f"{each.factor:.2f}", f"{each.float_correct / 100:.2f}", f"{each.correct / 100:.2f}")
            for order in ORDERS
            for each in runs
            if (each.order, each.seed) == (order, seed)
        ]
        if len(cells) == len(ORDERS):
            rows.add_row(str(seed), *(cell for group in cells for cell in group))
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Print, after making what is missing if that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", action="store_true", help="make the runs that are missing")
    parser.add_argument("--anew", action="store_true", help="make all of them")
    parser.add_argument("--threads", type=int, default=2, help="for PyTorch on a CPU")
    options = parser.parse_args(arguments)
    runs = [] if options.anew else recorded()
    if options.run or options.anew:
        import torch

        torch.set_num_threads(options.threads)
        done = {(each.order, each.seed) for each in runs}
        for seed in SEEDS:
            for order in ORDERS:
                if (order, seed) not in done:
                    runs.append(run(order, seed))
                    RECORDED.write_text(json.dumps([asdict(each) for each in runs], indent=2) + "\n")
                    print(runs[-1], flush=True)
    Console(width=140).print(table(runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
