"""What the zoo's scripts share: images as tensors, stages kept on disk, accuracy by PyTorch and by golden."""

import os
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

import golden
from compression.accuracy import count_correct_integers
from compression.prune import count_weights
from compression.train import Epoch, LabelledImages, count_correct
from zoo.data import Images
from zoo.history import DESCRIPTIONS, History, Stage

__all__ = ["CHECKPOINTS", "as_tensors", "checkpoint", "finish", "float_stage", "print_epoch", "save_state"]

CHECKPOINTS = Path(__file__).resolve().parent.parent / "build" / "zoo"
SAMPLE_IMAGES = 200


def as_tensors(images: Images) -> LabelledImages:
    """The same images as tensors; labels become int64."""
    return LabelledImages(torch.from_numpy(images.pixels), torch.from_numpy(images.labels).long())


def save_state(content: object, file: Path) -> None:
    """``torch.save`` at one stroke: ``file`` is whole or as it was before."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    torch.save(content, temporary)
    os.replace(temporary, file)


def print_epoch(epoch: Epoch) -> None:
    """Progress on the terminal."""
    print(f"  epoch {epoch.number}: loss {epoch.loss:.4f}", flush=True)


def checkpoint(model: nn.Module, file: Path, make: Callable[[], None]) -> None:
    """Load ``model``'s parameters from ``file``, or call ``make`` to train it and write them there.

    A script that is started again continues where it stopped; delete the file to train anew.
    """
    if file.exists():
        model.load_state_dict(load_file(file))
        return
    make()
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".part")
    save_file(model.state_dict(), temporary)
    temporary.rename(file)


def float_stage(name: str, model: nn.Module, test: LabelledImages) -> Stage:
    """Measure a floating-point network on the test images."""
    weights = count_weights(model)
    return Stage(name, "PyTorch", count_correct(model, test), len(test), weights.total, weights.nonzero)


def finish(history: History, network: golden.Network, test: Images, folder: Path = DESCRIPTIONS) -> None:
    """Save a quantised network, measure the saved one with golden on every test image, and save the history."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{history.network}.json"
    golden.save(network, path)
    saved = golden.load(path)
    correct = count_correct_integers(saved, test.pixels, test.labels)
    history.add(Stage("quantised", "golden", correct, len(test), saved.weight_count, saved.nonzero_count))
    sample = test.first(SAMPLE_IMAGES)
    history.sample_correct = count_correct_integers(saved, sample.pixels, sample.labels)
    history.sample_images = len(sample)
    history.save(folder)
