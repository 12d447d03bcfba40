"""Training and retraining of image classifiers on uint8 images, with optional pruning masks that stay fixed."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from compression.distillation import Teacher
from compression.prune import Masks, apply_masks
from compression.settings import Precision, Settings
from compression.step import RecordedStep, Step

__all__ = [
    "Augmentation",
    "DivergenceError",
    "Epoch",
    "LabelledImages",
    "Schedule",
    "Snapshot",
    "count_correct",
    "schedule_for",
    "train",
]


_LOOK = 32
"""Every so many steps the loss is looked at, which a GPU has to be waited for."""


class DivergenceError(ArithmeticError):
    """Training left the finite numbers; the message says in which epoch."""


@dataclass(frozen=True)
class LabelledImages:
    """Images as a uint8 tensor (N, C, H, W) and their classes as an int64 tensor (N,)."""

    pixels: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass(frozen=True)
class Augmentation:
    """Random changes to each training image: a shift of up to ``shift`` pixels each way, and a mirror image."""

    shift: int = 0
    flip: bool = False


@dataclass(frozen=True)
class Schedule:
    """How to train: stochastic gradient descent with Nesterov momentum 0.9.

    The learning rate rises linearly over the first ``warm_up`` of all steps (a share, 0..1) and falls to zero along a
    cosine after that. Everything random follows ``seed``. ``smoothing`` is the share of each label that is spread over
    all classes (Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016, section 7). ``precision`` is
    what convolutions and linear layers are computed in; parameters and their updates are float32 always.
    ``distillation`` is the share of the loss that compares with a teacher's scores instead of the labels.
    ``epoch_images`` ends an epoch after so many images, drawn anew each time; None takes all.
    """

    epochs: int
    learning_rate: float
    batch: int = 128
    weight_decay: float = 5e-4
    warm_up: float = 0.1
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 1
    smoothing: float = 0.0
    precision: Precision = "float32"
    epoch_images: int | None = None
    distillation: float = 0.0

    def rate(self, progress: float) -> float:
        """The learning rate after this share (0..1) of all steps."""
        if progress < self.warm_up:
            return self.learning_rate * progress / self.warm_up
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (progress - self.warm_up) / (1 - self.warm_up)))


def schedule_for(settings: Settings, epochs: int, learning_rate: float, number: int) -> Schedule:
    """How a run's settings say to train, for so many epochs at this highest rate.

    Args:
        settings: of the run.
        epochs, learning_rate: of this training.
        number: tells this training from the run's others: each has random numbers of its own.
    """
    return Schedule(
        epochs=epochs,
        learning_rate=learning_rate,
        batch=settings.batch,
        weight_decay=settings.weight_decay,
        epoch_images=settings.epoch_images,
        smoothing=settings.smoothing,
        distillation=settings.distillation,
        precision=settings.precision,
        augmentation=Augmentation(settings.shift, settings.flip),
        seed=settings.seed * 1_000_003 + number,
    )


@dataclass(frozen=True)
class Epoch:
    """What one epoch brought: its number from 1, the mean loss over its images."""

    number: int
    loss: float


@dataclass(frozen=True)
class Snapshot:
    """What training needs, beside the model's own state, to go on behind an epoch.

    Attributes:
        epochs: how many are done.
        optimiser: the optimiser's state.
        generator: uint8 tensor, the state of the random numbers that order and augment the images.
    """

    epochs: int
    optimiser: dict[str, Any]
    generator: torch.Tensor


def train(
    model: nn.Module,
    images: LabelledImages,
    schedule: Schedule,
    masks: Masks | None = None,
    report: Callable[[Epoch], None] = lambda epoch: None,
    resume: Snapshot | None = None,
    keep: Callable[[Snapshot], None] = lambda snapshot: None,
    teacher: Teacher | None = None,
) -> None:
    """Train ``model`` in place, on the device that it lies on, by the cross-entropy of its outputs.

    Args:
        model: takes float pixels 0..255 of shape (batch, C, H, W), gives one score a class.
        images: the training set.
        schedule: epochs, rates, augmentation and seed.
        masks: pruned weights; they are zero again after every step, so the masks stay as they are.
        report: called after each epoch.
        resume: where an earlier call stood; ``model`` must be as it was then. The result is the same, bit for bit.
        keep: called after each epoch (behind ``report``) with what ``resume`` takes.
        teacher: whose scores ``schedule.distillation`` compares with, on the same device.

    Raises:
        DivergenceError: the loss or a parameter is no longer finite.
    """
    generator = torch.Generator().manual_seed(schedule.seed)
    model.train()
    device = _device(model)
    images = _near(images, device)
    masks = {name: mask.to(device) for name, mask in (masks or {}).items()}
    apply_masks(model, masks)
    with _channels_last(model):
        step = _stepper(model, schedule, masks, teacher)
        if resume is not None:
            generator.set_state(resume.generator)
            step.load(resume.optimiser)
        for epoch in range(resume.epochs if resume else 0, schedule.epochs):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(schedule.seed + epoch)  # for layers with random numbers of their own, as Dropout
                loss = _epoch(step, images, schedule, epoch, generator, device)
            if not (math.isfinite(loss) and all(bool(each.isfinite().all()) for each in model.parameters())):
                raise DivergenceError(f"training left the finite numbers in epoch {epoch + 1}")
            report(Epoch(epoch + 1, loss))
            keep(Snapshot(epoch + 1, step.optimiser.state_dict(), generator.get_state()))


def _stepper(model: nn.Module, schedule: Schedule, masks: Masks, teacher: Teacher | None) -> Step:
    settings: dict[str, Any] = {
        "weight_decay": schedule.weight_decay,
        "smoothing": schedule.smoothing,
        "precision": schedule.precision,
        "masks": masks,
        "teacher": teacher,
        "distillation": schedule.distillation,
    }
    if _device(model).type == "cuda":
        return RecordedStep(model, schedule.batch, **settings)
    return Step(model, **settings)


def _near(images: LabelledImages, device: torch.device) -> LabelledImages:
    """The images on the device, if it has room for many times as much: a batch is gathered there without waiting."""
    if device.type != "cuda" or 8 * images.pixels.nbytes > torch.cuda.mem_get_info(device)[0]:
        return images
    return LabelledImages(images.pixels.to(device), images.labels.to(device))


@contextmanager
def _channels_last(model: nn.Module) -> Iterator[None]:
    """The memory order in which convolutions are fastest; afterwards parameters lie as everybody expects."""
    if not all(each.is_contiguous() for each in model.parameters()):
        yield  # inside another one
        return
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        yield
    finally:
        model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def _epoch(
    step: Step,
    images: LabelledImages,
    schedule: Schedule,
    epoch: int,
    generator: torch.Generator,
    device: torch.device,
) -> float:
    """One pass over the images; returns the mean loss, and stops early when it is not finite."""
    count = min(len(images), schedule.epoch_images or len(images))
    steps = math.ceil(count / schedule.batch)
    total = torch.zeros((), dtype=torch.float64, device=device)
    for done, (numbers, pixels) in enumerate(_batches(images, schedule, generator)):
        rate = schedule.rate((epoch * steps + done + 1) / (schedule.epochs * steps + 1))
        pixels = pixels.to(device, memory_format=torch.channels_last)
        total += step(pixels, numbers, images.labels[numbers].to(device), rate) * len(numbers)
        if done % _LOOK == 0 and not math.isfinite(total):
            break
    return float(total) / count


@torch.no_grad()
def count_correct(model: nn.Module, images: LabelledImages, batch: int = 100) -> int:
    """How many images get their highest score (of equal ones the first) at their own label."""
    model.eval()
    device, correct = _device(model), 0
    with _channels_last(model):
        for first in range(0, len(images), batch):
            pixels = images.pixels[first : first + batch].float().to(device, memory_format=torch.channels_last)
            correct += int((model(pixels).argmax(1).cpu() == images.labels[first : first + batch]).sum())
    return correct


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def _batches(
    images: LabelledImages, schedule: Schedule, generator: torch.Generator
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Numbers and float pixels of the images in each batch of an epoch."""
    order = torch.randperm(len(images), generator=generator)[: schedule.epoch_images].to(images.pixels.device)
    for first in range(0, len(order), schedule.batch):
        chosen = order[first : first + schedule.batch]
        yield chosen, _augment(images.pixels[chosen], schedule.augmentation, generator).float()


def _augment(pixels: torch.Tensor, augmentation: Augmentation, generator: torch.Generator) -> torch.Tensor:
    if augmentation.flip:
        mirrored = (torch.rand(len(pixels), 1, 1, 1, generator=generator) < 0.5).to(pixels.device)
        pixels = torch.where(mirrored, pixels.flip(3), pixels)
    if augmentation.shift:
        pixels = _shifted(pixels, augmentation.shift, generator)
    return pixels


def _shifted(pixels: torch.Tensor, limit: int, generator: torch.Generator) -> torch.Tensor:
    """Each image moved by its own whole number of pixels, -limit..limit both ways, zeros moving in."""
    (count, _, height, width), device = pixels.shape, pixels.device
    padded = nn.functional.pad(pixels, (limit,) * 4)
    offsets = torch.randint(0, 2 * limit + 1, (2, count, 1), generator=generator).to(device)
    rows = (offsets[0] + torch.arange(height, device=device))[:, :, None]
    columns = (offsets[1] + torch.arange(width, device=device))[:, None, :]
    # Indices on both sides of a slice put the indexed axes first: (N, H, W, C).
    return padded[torch.arange(count, device=device)[:, None, None], :, rows, columns].permute(0, 3, 1, 2)
