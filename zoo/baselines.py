"""Dense networks trained from scratch, as checkpoints that `zeroskip compress` takes.

``python -m zoo.baselines resnet20`` prints the accuracy of ``zoo/checkpoints/resnet20.safetensors`` on the test images.
Without that file it first trains the network (or goes on where an earlier call was stopped), and writes the file and,
beside it, what each epoch brought.
"""

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from compression.checkpoint import load_checkpoint
from compression.data import load_data
from compression.networks import find_network
from compression.train import Augmentation, Epoch, Schedule, Snapshot, count_correct, train
from zoo import cifar10_cnn
from zoo.pipeline import CHECKPOINTS, save_state

__all__ = ["RECIPES", "Recipe", "main", "make_checkpoint"]

TRAINED = Path(__file__).resolve().parent / "checkpoints"
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
    "vgg-small-grey": Recipe(
        "fashion-mnist",
        Schedule(12, 0.1, augmentation=Augmentation(shift=2, flip=True), precision="bfloat16"),
    ),
    # Trained on a GPU; the checkpoint is 59 MB and not kept.
    "vgg16bn": Recipe(
        "cifar-10", Schedule(50, 0.1, batch=256, augmentation=CIFAR, smoothing=0.1, precision="bfloat16")
    ),
    "vgg-small": Recipe("cifar-10", Schedule(16, 0.1, augmentation=CIFAR, smoothing=0.1, precision="bfloat16")),
}


def train_baseline(name: str, output: Path) -> None:
    """Train a network by its recipe; ``output`` appears when it is done, a ``.state`` beside it is for going on."""
    recipe, definition = RECIPES[name], find_network(name)
    torch.manual_seed(recipe.schedule.seed)
    model = definition.build().to("cuda" if torch.cuda.is_available() else "cpu")
    data = load_data(recipe.data, DATA, definition.input_shape, definition.classes)
    state, resume, epochs = CHECKPOINTS / f"{output.stem}.state", None, list[dict[str, float]]()
    if state.exists():
        stored = torch.load(state, weights_only=True)
        model.load_state_dict(stored["model"])
        resume, epochs = Snapshot(**stored["snapshot"]), stored["epochs"]

    def report(epoch: Epoch) -> None:
        correct = count_correct(model, data.test)
        model.train()
        epochs.append({"epoch": epoch.number, "loss": round(epoch.loss, 4), "correct": correct})
        print(f"epoch {epoch.number}: loss {epoch.loss:.4f}, {correct} of {len(data.test)} test images", flush=True)

    def keep(snapshot: Snapshot) -> None:
        save_state({"model": model.state_dict(), "snapshot": vars(snapshot), "epochs": epochs}, state)

    train(model, data.training, recipe.schedule, report=report, resume=resume, keep=keep)
    output.with_suffix(".history.jsonl").write_text("".join(json.dumps(each) + "\n" for each in epochs))
    save_file(model.cpu().state_dict(), output)
    state.unlink()


def make_checkpoint(name: str) -> Path:
    """The dense network's checkpoint, trained or read from its package if it is not there."""
    stem = name.replace("-", "_")
    if name == "cifar10-cnn":
        output = CHECKPOINTS / f"{stem}.pt"
        if not output.exists():
            cifar10_cnn.main(["--checkpoint"])
        return output
    output = TRAINED / f"{stem}.safetensors"
    if not output.exists():
        train_baseline(name, output)
    return output


def main(arguments: list[str] | None = None) -> int:
    """The command; an existing checkpoint is only measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=RECIPES)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="for PyTorch on a CPU")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    output = make_checkpoint(options.network)
    definition = find_network(options.network)
    model = definition.build()
    load_checkpoint(model, output)
    test = load_data(RECIPES[options.network].data, DATA, definition.input_shape, definition.classes).test
    print(f"{output}: {count_correct(model, test)} of {len(test)} test images right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
