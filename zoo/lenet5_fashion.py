"""LeNet-5 on Fashion-MNIST: trained here, pruned, retrained and quantised to 8 bits.

``python -m zoo.lenet5_fashion`` makes ``zoo/descriptions/lenet5_fashion`` again (about ten minutes on two cores).
"""

import sys
from pathlib import Path

import torch
from torch import nn

from compression.networks import lenet5
from compression.prune import gradual_densities, magnitude_masks
from compression.quantise import quantise_module
from compression.train import Augmentation, LabelledImages, Schedule, train
from zoo.data import fashion_mnist
from zoo.history import History
from zoo.pipeline import CHECKPOINTS, as_tensors, checkpoint, finish, float_stage, print_epoch

__all__ = ["DENSITIES", "NAME", "build", "prune", "train_float"]

NAME = "lenet5_fashion"
SEED = 1
CALIBRATION_IMAGES = 2000

DENSITIES = {"conv1": 0.6, "conv2": 0.25, "fc1": 0.05, "fc2": 0.10, "fc3": 0.30}
"""Share of each layer's weights that is kept: early layers, with few and reused weights, keep more."""

AUGMENTATION = Augmentation(shift=1, flip=True)
TRAINING = Schedule(epochs=40, learning_rate=0.05, batch=64, augmentation=AUGMENTATION, seed=SEED)

# Three rounds of pruning: how far towards DENSITIES, and for how many epochs the rest is retrained.
ROUNDS = ((0.4, 4), (0.75, 4), (1.0, 16))


def build(seed: int = SEED) -> nn.Sequential:
    """The untrained network, :func:`compression.networks.lenet5`."""
    torch.manual_seed(seed)
    return lenet5()


def train_float(model: nn.Sequential, images: LabelledImages, schedule: Schedule = TRAINING) -> None:
    """Train the dense network, in place."""
    train(model, images, schedule, report=print_epoch)


def prune(model: nn.Sequential, images: LabelledImages, rounds: tuple[tuple[float, int], ...] = ROUNDS) -> None:
    """Prune to ``DENSITIES`` by magnitude, in place, retraining with the masks fixed after each round."""
    for number, (progress, epochs) in enumerate(rounds, start=1):
        masks = magnitude_masks(model, gradual_densities(DENSITIES, progress))
        schedule = Schedule(
            epochs=epochs,
            learning_rate=0.03,
            batch=64,
            weight_decay=1e-4,
            augmentation=AUGMENTATION,
            seed=SEED + number,
        )
        train(model, images, schedule, masks, report=print_epoch)


def main(checkpoints: Path = CHECKPOINTS / NAME) -> int:
    """Run every stage, print each figure, write description and history."""
    torch.set_num_threads(2)
    training, test = as_tensors(fashion_mnist("train")), fashion_mnist("test")
    history = History(NAME)
    model = build()
    checkpoint(model, checkpoints / "float.safetensors", lambda: train_float(model, training))
    history.add(float_stage("trained", model, as_tensors(test)))
    checkpoint(model, checkpoints / "pruned.safetensors", lambda: prune(model, training))
    history.add(float_stage("pruned and retrained", model, as_tensors(test)))
    finish(history, quantise_module(model, training.pixels[:CALIBRATION_IMAGES], NAME), test)
    return 0


if __name__ == "__main__":
    sys.exit(main())
