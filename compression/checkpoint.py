"""Trained weights from a file; nothing in the file is executed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from compression.channels import load_resized
from compression.errors import CompressionError

__all__ = ["load_checkpoint"]


def load_checkpoint(model: nn.Module, file: Path) -> None:
    """Load ``model``'s parameters and buffers, in place, from what ``torch.save(model.state_dict(), file)`` wrote, or
    safetensors' ``save_file`` if the file's name ends so.

    A dictionary that holds the state under the key ``state_dict`` is accepted as well. A checkpoint of the same network
    with channels removed gives ``model`` its shapes. Names may all have one word more in front, as the ``module.`` of
    PyTorch's DataParallel.

    Raises:
        CompressionError: no such checkpoint, one with code in it, one of another network, or numbers not finite.
        OSError: the file cannot be read.
    """
    try:
        state = _read(file)
    except OSError:
        raise
    except Exception:  # torch.load raises errors of many kinds on damaged files
        raise CompressionError(
            f"{file}: is no checkpoint that loads without executing code; write it with "
            f"torch.save(model.state_dict(), ...)."
        ) from None
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    state = _without_prefix(state, model.state_dict())
    _check(file, state, model.state_dict())
    try:
        load_resized(model, state)
    except CompressionError as error:
        raise CompressionError(f"{file}: is a checkpoint of another network: {error}") from None


def _read(file: Path) -> Any:
    if file.suffix == ".safetensors":
        return load_file(file)
    return torch.load(file, map_location="cpu", weights_only=True)


def _without_prefix(state: Any, wanted: Mapping[str, torch.Tensor]) -> Any:
    """The state with the names' first word taken off, if that gives the network's names; else as it is."""
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        return state
    bare = {name.partition(".")[2]: each for name, each in state.items()}
    common = len({name.partition(".")[0] for name in state}) == 1
    return bare if common and bare.keys() == wanted.keys() else state


def _check(file: Path, state: object, wanted: Mapping[str, torch.Tensor]) -> None:
    if not isinstance(state, Mapping) or not all(isinstance(each, torch.Tensor) for each in state.values()):
        raise CompressionError(f"{file}: holds no dictionary of tensors; save model.state_dict().")
    for name in wanted:
        if name not in state:
            raise CompressionError(f"{file}: is a checkpoint of another network: it has no {name}.")
        if not _no_larger(state[name].shape, wanted[name].shape):
            found, shape = tuple(state[name].shape), tuple(wanted[name].shape)
            raise CompressionError(f"{file}: is a checkpoint of another network: {name} is {found}, not {shape}.")
        if not bool(state[name].isfinite().all()):
            raise CompressionError(f"{file}: {name} holds numbers that are not finite.")
    for name in state:
        if name not in wanted:
            raise CompressionError(f"{file}: is a checkpoint of another network: it also has {name}.")


def _no_larger(shape: torch.Size, dense: torch.Size) -> bool:
    return len(shape) == len(dense) and all(size <= limit for size, limit in zip(shape, dense, strict=True))
