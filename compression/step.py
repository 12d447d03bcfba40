"""One step of training, on a GPU recorded once and then played back.

A small network's step is some hundred kernels of a few microseconds each, which a processor cannot start as fast as a
GPU runs them. A CUDA graph (``torch.cuda.graph``) starts all of them at once.
"""

from typing import Any

import torch
from torch import nn

from compression.distillation import Teacher, distance
from compression.prune import Masks, apply_masks
from compression.settings import Precision

__all__ = ["RecordedStep", "Step"]

_BEFORE_RECORDING = 3
"""Steps taken as ever first: libraries choose their algorithms in them, which must not be recorded."""


class Step:
    """A step of gradient descent on one batch.

    Args:
        model: takes float pixels 0..255 of shape (batch, C, H, W), gives one score a class; trained in place.
        weight_decay, momentum: of the gradient descent (Nesterov's).
        smoothing: share of each label that is spread over all classes.
        precision: what convolutions and linear layers are computed in.
        masks: pruned weights, zero again behind every step; on the model's device.
        teacher: compared with at the share ``distillation`` of the loss, if there is one.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        weight_decay: float,
        momentum: float = 0.9,
        smoothing: float = 0.0,
        precision: Precision = "float32",
        masks: Masks | None = None,
        teacher: Teacher | None = None,
        distillation: float = 0.0,
    ) -> None:
        self._model, self._masks = model, masks or {}
        self._smoothing, self._precision = smoothing, precision
        self._teacher, self._distillation = teacher, distillation if teacher else 0.0
        self.optimiser = self._optimiser(weight_decay, momentum)

    def _optimiser(self, weight_decay: float, momentum: float) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            self._model.parameters(), lr=0.0, momentum=momentum, nesterov=True, weight_decay=weight_decay
        )

    def load(self, optimiser: dict[str, Any]) -> None:
        """Go on with the optimiser's state of an earlier training."""
        self.optimiser.load_state_dict(optimiser)

    def __call__(self, pixels: torch.Tensor, numbers: torch.Tensor, labels: torch.Tensor, rate: float) -> torch.Tensor:
        """Take the step and give the mean loss before it, a float64 scalar.

        Args:
            pixels: float (batch, C, H, W), on the model's device.
            numbers: int64 (batch,), which training images they are, as the teacher counts them.
            labels: int64 (batch,), on the model's device.
            rate: the learning rate.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        return self._take(pixels, numbers, labels)

    def _take(self, pixels: torch.Tensor, numbers: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        wanted = self._teacher.scores(pixels, numbers) if self._teacher and self._distillation else None
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=self._precision == "bfloat16"):
            scores = self._model(pixels).float()
        loss = nn.functional.cross_entropy(scores, labels, label_smoothing=self._smoothing)
        if wanted is not None:
            loss = loss + self._distillation * (distance(scores, wanted) - loss)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        with torch.no_grad():
            apply_masks(self._model, self._masks)
        return loss.detach().double()


class RecordedStep(Step):
    """The same on a GPU, as a CUDA graph for batches of one size; others (an epoch's last one) are taken as ever."""

    def __init__(self, model: nn.Module, batch: int, **settings: Any) -> None:
        super().__init__(model, **settings)
        self._batch, self._taken = batch, 0
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: tuple[torch.Tensor, ...] = ()
        self._loss = torch.empty(0)

    def _optimiser(self, weight_decay: float, momentum: float) -> torch.optim.Optimizer:
        # A rate in the GPU's memory can change between two plays of one recording; only the fused kernel reads it.
        self._rate = torch.zeros((), device=next(self._model.parameters()).device)
        return torch.optim.SGD(
            self._model.parameters(),
            lr=self._rate,
            momentum=momentum,
            nesterov=True,
            weight_decay=weight_decay,
            fused=True,
        )

    def load(self, optimiser: dict[str, Any]) -> None:
        """See :meth:`Step.load`; also takes the state of a training that was not recorded."""
        super().load(optimiser)
        for group in self.optimiser.param_groups:
            group["lr"], group["fused"] = self._rate, True

    def __call__(self, pixels: torch.Tensor, numbers: torch.Tensor, labels: torch.Tensor, rate: float) -> torch.Tensor:
        """See :meth:`Step.__call__`; the result is overwritten by the next step."""
        self._rate.fill_(rate)
        if len(pixels) != self._batch or self._taken < _BEFORE_RECORDING:
            self._taken += 1
            return self._aside(pixels, numbers, labels)
        if self._graph is None:
            self._record(pixels, numbers, labels)
        for kept, new in zip(self._inputs, (pixels, numbers, labels), strict=True):
            kept.copy_(new)
        assert self._graph is not None
        self._graph.replay()
        return self._loss

    def _aside(self, *inputs: torch.Tensor) -> torch.Tensor:
        """A step on a stream of its own, as everything that comes before a recording must be."""
        current = torch.cuda.current_stream()
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            loss = self._take(*inputs)
        current.wait_stream(self._stream)
        return loss

    def _record(self, *inputs: torch.Tensor) -> None:
        """Record a step without taking it."""
        self._inputs = tuple(each.clone(memory_format=torch.preserve_format) for each in inputs)
        self._graph = torch.cuda.CUDAGraph()
        self.optimiser.zero_grad()
        with torch.cuda.graph(self._graph):
            self._loss = self._take(*self._inputs)
