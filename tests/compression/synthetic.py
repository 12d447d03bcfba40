"""Images that a network of a few weights learns in a second, and that network trained on them."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from compression.data import DataSet
from compression.train import LabelledImages, Schedule, train

__all__ = ["bright_quarters", "data_set", "small_network", "trained", "write_arrays"]


def bright_quarters(count: int, seed: int, size: int = 8, contrast: int = 40) -> LabelledImages:
    """Images 1 x size x size, whose class (0..3) says which quarter is brighter, by ``contrast``."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (count,), generator=generator)
    pixels = torch.randint(0, 120, (count, 1, size, size), generator=generator)
    half = size // 2
    for quarter in range(4):
        rows, columns = half * (quarter // 2), half * (quarter % 2)
        pixels[labels == quarter, :, rows : rows + half, columns : columns + half] += contrast
    return LabelledImages(pixels.to(torch.uint8), labels)


def data_set() -> DataSet:
    """150 training and 100 test images."""
    return DataSet(bright_quarters(150, seed=1), bright_quarters(100, seed=2))


def small_network() -> nn.Sequential:
    """Two convolutions and two linear layers for the images of :func:`data_set`."""
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(),
        nn.Dropout(0.1), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 4),
    )  # fmt: skip


@cache
def _trained_state() -> dict[str, torch.Tensor]:
    model = small_network()
    with torch.no_grad():
        model[0].weight.div_(64)
    train(model, data_set().training, Schedule(epochs=30, learning_rate=0.01, batch=25))
    return model.state_dict()


def trained() -> nn.Sequential:
    """The small network, trained."""
    model = small_network()
    model.load_state_dict(_trained_state())
    return model


def write_arrays(folder: Path, data: DataSet) -> None:
    """A data set as the four .npy files that a folder of arrays holds."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, images in (("train", data.training), ("test", data.test)):
        np.save(folder / f"{split}_pixels.npy", images.pixels.numpy())
        np.save(folder / f"{split}_labels.npy", images.labels.numpy().astype(np.uint8))
