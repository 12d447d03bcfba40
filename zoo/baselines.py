"""Dense networks trained from scratch, as checkpoints that `zeroskip compress` takes.

``python -m zoo.baselines resnet20`` trains one (or goes on where an earlier call was stopped), writes
``build/zoo/resnet20.pt`` and prints its accuracy on the test images.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from compression.checkpoint import load_checkpoint
from compression.data import load_data
from compression.networks import find_network
from compression.train import Augmentation, Epoch, Schedule, Snapshot, count_correct, train
from zoo import cifar10_cnn
from zoo.pipeline import CHECKPOINTS, save_state

__all__ = ["RECIPES", "Recipe", "main", "make_checkpoint"]

DATA = Path(__file__).resolve().parent.parent / "data"


@dataclass(frozen=True)
class Recipe:
    """On which images a network is trained, and how."""

    data: str
    schedule: Schedule


CIFAR = Augmentation(shift=4, flip=True)

RECIPES = {
    "lenet5": Recipe("fashion-mnist", Schedule(40, 0.05, 64, augmentation=Augmentation(shift=1, flip=True))),
    "resnet20": Recipe("cifar-10", Schedule(40, 0.1, augmentation=CIFAR, smoothing=0.1, precision="bfloat16")),
    "vgg-small": Recipe("cifar-10", Schedule(16, 0.1, augmentation=CIFAR, smoothing=0.1, precision="bfloat16")),
}


def train_baseline(name: str, output: Path) -> None:
    """Train a network by its recipe; ``output`` appears when it is done, a ``.state`` beside it is for going on."""
    recipe, definition = RECIPES[name], find_network(name)
    torch.manual_seed(recipe.schedule.seed)
    model = definition.build().to("cuda" if torch.cuda.is_available() else "cpu")
    data = load_data(recipe.data, DATA, definition.input_shape, definition.classes)
    state, resume = output.with_suffix(".state"), None
    if state.exists():
        stored = torch.load(state, weights_only=True)
        model.load_state_dict(stored["model"])
        resume = Snapshot(**stored["snapshot"])

    def report(epoch: Epoch) -> None:
        correct = count_correct(model, data.test)
        model.train()
        print(f"epoch {epoch.number}: loss {epoch.loss:.4f}, {correct} of {len(data.test)} test images", flush=True)

    def keep(snapshot: Snapshot) -> None:
        save_state({"model": model.state_dict(), "snapshot": vars(snapshot)}, state)

    train(model, data.training, recipe.schedule, report=report, resume=resume, keep=keep)
    save_state(model.cpu().state_dict(), output)
    state.unlink()


def make_checkpoint(name: str, output: Path) -> None:
    """Train or read the dense network, unless ``output`` exists."""
    if output.exists():
        return
    if name == "cifar10-cnn":
        cifar10_cnn.main(["--checkpoint"])
    else:
        train_baseline(name, output)


def main(arguments: list[str] | None = None) -> int:
    """The command; an existing checkpoint is only measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=RECIPES)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="for PyTorch on a CPU")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    output = CHECKPOINTS / f"{options.network.replace('-', '_')}.pt"
    make_checkpoint(options.network, output)
    definition = find_network(options.network)
    model = definition.build()
    load_checkpoint(model, output)
    test = load_data(RECIPES[options.network].data, DATA, definition.input_shape, definition.classes).test
    print(f"{output}: {count_correct(model, test)} of {len(test)} test images right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
