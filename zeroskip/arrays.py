"""Arrays from files that the user names."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import golden
from zeroskip.errors import InputError

__all__ = ["load_images"]


def load_images(path: Path, network: golden.Network) -> NDArray[Any]:
    """The inputs of a network from a .npy file.

    Args:
        path: the file; never unpickled.
        network: says shape and type.

    Returns:
        uint8 or int8 (N, C, H, W), as the network takes it. A wider integer type is accepted where all values fit.

    Raises:
        InputError: no array, another shape, values that do not fit.
    """
    try:
        images = np.load(path, allow_pickle=False)
    except ValueError:
        raise InputError(f"{path}: is not a .npy file of plain numbers; write it with numpy.save.") from None
    shape, dtype = network.shapes["input"], np.dtype(network.dtypes["input"])
    if not isinstance(images, np.ndarray):
        raise InputError(f"{path}: holds several arrays; give a .npy file with one.")
    if images.ndim != len(shape) + 1 or images.shape[1:] != tuple(shape) or not len(images):
        wanted = ", ".join(["N", *map(str, shape)])
        raise InputError(
            f"{path}: holds an array of shape {images.shape}, the network {network.name} takes ({wanted})."
        )
    if images.dtype.kind not in "iu":
        raise InputError(f"{path}: holds {images.dtype} values, the network {network.name} takes {dtype} integers.")
    limits = np.iinfo(dtype)
    if images.min() < limits.min or images.max() > limits.max:
        raise InputError(f"{path}: holds values from {images.min()} to {images.max()}, which {dtype} cannot hold.")
    return images.astype(dtype)
