"""Data sets for retraining, from arrays or images on disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from compression.errors import CompressionError
from compression.image_folder import SPLITS, load_images
from compression.train import LabelledImages

__all__ = ["NAMED", "DataSet", "load_data"]

NAMED = {"fashion-mnist": "fashion_mnist", "cifar-10": "cifar10"}
"""Data sets known by name, and their folders below the data folder (as ``make data`` lays them out)."""


@dataclass(frozen=True)
class DataSet:
    """Training and test images of one shape."""

    training: LabelledImages
    test: LabelledImages


def load_data(source: str, folder: Path, shape: tuple[int, int, int], classes: int) -> DataSet:
    """Load a data set and check that a network can take it.

    Args:
        source: a name of ``NAMED``, or the path of a folder with ``train_pixels.npy`` and ``test_pixels.npy`` (uint8,
            (N, C, H, W)) and ``train_labels.npy`` and ``test_labels.npy`` (integers, (N,)), or of one with images, as
            :func:`compression.image_folder.load_images` reads them.
        folder: where the named ones lie.
        shape: (C, H, W) that the network takes.
        classes: how many classes it tells apart.

    Raises:
        CompressionError: no such data, or data of another kind, shape or range; names the file.
    """
    place = folder / NAMED[source] if source in NAMED else Path(source)
    if not place.is_dir():
        hint = (
            "fetch it with `make data`"
            if source in NAMED
            else f"name {' or '.join(NAMED)}, or a folder of arrays or images"
        )
        raise CompressionError(f"{place}: there is no such data set; {hint}.")
    if not list(place.glob("*.npy")):
        if not any((place / split).is_dir() for split in SPLITS):
            raise CompressionError(f"{place}: has neither train_pixels.npy nor a folder 'train' of images.")
        return DataSet(*load_images(place, shape, classes))
    return DataSet(_split(place, "train", shape, classes), _split(place, "test", shape, classes))


def _split(place: Path, split: str, shape: tuple[int, int, int], classes: int) -> LabelledImages:
    pixels_file, labels_file = place / f"{split}_pixels.npy", place / f"{split}_labels.npy"
    pixels, labels = _array(pixels_file), _array(labels_file)
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or not len(pixels):
        raise CompressionError(f"{pixels_file}: holds {pixels.dtype} {pixels.shape}, not uint8 images (N, C, H, W).")
    if pixels.shape[1:] != shape:
        found, wanted = ("x".join(map(str, each)) for each in (pixels.shape[1:], shape))
        raise CompressionError(f"{pixels_file}: holds images of {found}, the network takes {wanted}.")
    if labels.dtype.kind not in "iu" or labels.shape != pixels.shape[:1]:
        raise CompressionError(
            f"{labels_file}: holds {labels.dtype} {labels.shape}, not one integer for each of {len(pixels)} images."
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise CompressionError(
            f"{labels_file}: holds classes {labels.min()} to {labels.max()}, the network knows 0 to {classes - 1}."
        )
    return LabelledImages(torch.from_numpy(pixels), torch.from_numpy(labels.astype(np.int64)))


def _array(file: Path) -> NDArray[Any]:
    try:
        array = np.load(file, allow_pickle=False)
    except (ValueError, EOFError):
        raise CompressionError(f"{file}: is not a .npy file of plain numbers; write it with numpy.save.") from None
    if not isinstance(array, np.ndarray):
        raise CompressionError(f"{file}: holds several arrays; give a .npy file with one.")
    return array
