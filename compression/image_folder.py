"""Data sets for retraining, from image files: FOLDER/train/CLASS/*.png and FOLDER/test/CLASS/*.png."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from compression.errors import CompressionError
from compression.train import LabelledImages

if TYPE_CHECKING:  # optional, and only images need it
    from PIL import Image

__all__ = ["SPLITS", "load_images"]

SPLITS = ("train", "test")
_MODES = {1: "L", 3: "RGB"}
_EIGHT_BITS = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}
_SUFFIXES = (".png", ".jpg", ".jpeg")


def load_images(place: Path, shape: tuple[int, int, int], classes: int) -> tuple[LabelledImages, LabelledImages]:
    """Read all images of a folder.

    Each subfolder of ``train`` is a class; ``test`` has the same ones. The classes get the numbers 0, 1, .. in the
    order of their names, images lie in the order of theirs. Pixels are read as grey or red, green and blue as the
    network takes them; nothing is resized. Names that start with a dot are passed over.

    Args:
        place: the folder.
        shape: (C, H, W) that the network takes, with one or three channels.
        classes: how many classes it tells apart.

    Returns:
        Training and test images, uint8 (N, C, H, W).

    Raises:
        CompressionError: no such folders, another number of classes, an empty class, a file that is no image, or one
            of another size; names it.
    """
    if shape[0] not in _MODES:
        raise CompressionError(f"{place}: images have one or three channels, the network takes {shape[0]}.")
    names = [_classes(place / split) for split in SPLITS]
    odd = sorted(set(names[0]) ^ set(names[1]))
    if odd:
        where, other = SPLITS if odd[0] in names[0] else reversed(SPLITS)
        raise CompressionError(f"{place}: {where} has a class {odd[0]!r}, {other} has not; both need the same classes.")
    if len(names[0]) != classes:
        raise CompressionError(f"{place}: has {len(names[0])} classes, the network tells {classes} apart.")
    training, test = (_split(place / split, names[0], shape) for split in SPLITS)
    return training, test


def _classes(folder: Path) -> list[str]:
    """Names of the classes, in order."""
    if not folder.is_dir():
        raise CompressionError(f"{folder}: there is no such folder; it needs one folder of images for each class.")
    for entry in _visible(folder):
        if not entry.is_dir():
            raise CompressionError(f"{entry}: stands beside the classes; put it into a class's folder or take it away.")
    return [entry.name for entry in _visible(folder)]


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _split(folder: Path, classes: list[str], shape: tuple[int, int, int]) -> LabelledImages:
    files, labels = [], []
    for label, name in enumerate(classes):
        found = _visible(folder / name)
        if not found:
            raise CompressionError(f"{folder / name}: is empty; each class needs at least one image.")
        files += found
        labels += [label] * len(found)
    pixels = np.empty((len(files), *shape), np.uint8)
    for place, file in zip(pixels, files, strict=True):
        place[:] = _pixels(file, shape)
    return LabelledImages(torch.from_numpy(pixels), torch.tensor(labels))


def _pixels(file: Path, shape: tuple[int, int, int]) -> NDArray[Any]:
    """One image, uint8 (C, H, W)."""
    channels, rows, columns = shape
    if file.suffix.lower() not in _SUFFIXES:
        raise CompressionError(f"{file}: is no {', '.join(_SUFFIXES)} file; take it away.")
    with _open(file) as image:
        if image.size != (columns, rows):  # Pillow's sizes are (width, height)
            width, height = image.size
            raise CompressionError(
                f"{file}: is {height} rows x {width} columns, the network takes {rows} x {columns}; nothing is resized."
            )
        if image.mode not in _EIGHT_BITS:
            raise CompressionError(f"{file}: has pixels of the kind {image.mode}; store 8 bits for each colour.")
        try:
            converted = np.asarray(image.convert(_MODES[channels]))
        except (OSError, SyntaxError, ValueError):  # a damaged file; Pillow raises errors of many kinds
            raise _unreadable(file) from None
    return converted.reshape(rows, columns, channels).transpose(2, 0, 1)


def _open(file: Path) -> "Image.Image":
    try:
        from PIL import Image, UnidentifiedImageError
    except ModuleNotFoundError:
        raise CompressionError(
            f"{file}: reading images needs Pillow; install it with: pip install 'zeroskip[compression]'."
        ) from None
    try:
        return Image.open(file, formats=("PNG", "JPEG"))
    except (UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise _unreadable(file) from None


def _unreadable(file: Path) -> CompressionError:
    return CompressionError(f"{file}: is no readable PNG or JPEG image.")
