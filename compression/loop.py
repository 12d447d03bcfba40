"""The loop that all pruning methods share: propose, mask, retrain, judge, keep or go back."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Literal

import torch
from torch import nn

from compression.channels import load_resized, positions, remove_channels
from compression.distillation import Teacher
from compression.distribution import histogram_of
from compression.errors import CompressionError
from compression.history import (
    Diverged,
    EnSparsity,
    EpochDone,
    Histograms,
    LayerCount,
    Record,
    Started,
    StepDone,
    Stopped,
)
from compression.methods import Proposal, Step, make_method
from compression.prune import Masks, count_weights, prunable
from compression.settings import Settings
from compression.state import RunFiles, RunState, StateDict, Trial
from compression.train import DivergenceError, Epoch, LabelledImages, Snapshot, count_correct, schedule_for, train

__all__ = ["Outcome", "Pruning", "layer_counts", "required_correct"]

RETRAIN = "retrain"
"""Method of the step that prunes nothing: retraining at the end."""

Reason = Literal["factor", "bound", "diverged"]


@dataclass(frozen=True)
class Outcome:
    """How pruning ended.

    Attributes:
        reason: "factor" (reached), "bound" (no method goes further within the accuracy) or "diverged".
        dense_correct, correct: judged images classified correctly, before and now.
        required: the least that was allowed.
        images: judged images.
        accepted: steps that were kept.
        dense_macs, macs: multiplications for one image, before and now, zeros included.
    """

    reason: Reason
    dense_correct: int
    correct: int
    required: int
    images: int
    accepted: int
    dense_macs: int
    macs: int


def required_correct(dense_correct: int, images: int, max_loss: float) -> int:
    """The least number of correct images that loses no more than ``max_loss`` percentage points."""
    return max(math.ceil(dense_correct - max_loss * images / 100 - 1e-9), 0)


def layer_counts(model: nn.Module, used: Mapping[str, int]) -> dict[str, LayerCount]:
    """Weights and non-zeros of each convolution and linear layer, by name; ``used`` says how often an image makes use
    of each weight (:func:`compression.channels.positions`)."""
    return {
        name: LayerCount(each.numel(), int(torch.count_nonzero(each)), used[name])
        for name, each in prunable(model).items()
    }


class Pruning:
    """One run of pruning; ``model`` is pruned in place.

    Args:
        model: the trained network; takes float pixels 0..255, gives one score a class.
        training: images to retrain on.
        judging: images that decide whether a step is kept.
        settings: what to do.
        files: where the run is kept.
        report: is told of everything that goes into the history.
        teacher: whose scores ``settings.distillation`` compares with, on the model's device; by default the model as
            it is now.

    Raises:
        CompressionError: ``files`` hold the state of another run.
    """

    def __init__(
        self,
        model: nn.Module,
        training: LabelledImages,
        judging: LabelledImages,
        settings: Settings,
        files: RunFiles,
        report: Callable[[Record], None] = lambda record: None,
        teacher: nn.Module | None = None,
    ) -> None:
        self._model, self._training, self._judging = model, training, judging
        self._settings, self._files, self._report = settings, files, report
        self._teacher = _teacher(teacher or deepcopy(model), training, settings) if settings.distillation else None
        channels, rows, columns = training.pixels.shape[1:]
        self._shape = (channels, rows, columns)
        self._positions = positions(model, self._shape)
        self._dense = self._counts()
        for name in settings.keep:
            if name not in self._dense:
                raise CompressionError(f"keep: there is no layer {name!r}; the layers are {', '.join(self._dense)}.")
        images = training.pixels[: settings.calibration]
        self._methods = {name: make_method(name, model, settings, images) for name in settings.methods}
        fingerprint = _fingerprint([model, *([teacher] if teacher else [])], training, judging, settings)
        self._state = files.load(fingerprint) or self._start(fingerprint, teacher)
        self._report(self._started(self._state))
        self._report(self._histograms(0))
        self._restore(self._state.good)

    def run(self) -> Outcome:
        """Prune until the factor is reached or no method proposes anything; the model is the last accepted one."""
        while self._ended() is None and (proposal := self._next()) is not None:
            self._try(*proposal)
        retrained = any(step.method == RETRAIN for step in self._state.steps)
        if self._settings.final_epochs and not retrained and not self._state.diverged:
            self._try(RETRAIN, Proposal((), 0.0, {}))
        reason = self._ended() or "bound"
        outcome = self._outcome(reason)
        if not self._state.stopped:
            self._record(self._histograms(len(self._state.steps)))
            self._record(Stopped(reason, outcome.correct, self._counts()))
            self._state.stopped = True
        return outcome

    @property
    def teacher(self) -> Teacher | None:
        """Whose scores retraining compares with, if it does."""
        return self._teacher

    @property
    def state(self) -> RunState:
        """Where the run stands; what follows pruning keeps its own part there."""
        return self._state

    def _start(self, fingerprint: str, teacher: nn.Module | None) -> RunState:
        correct = count_correct(self._model, self._judging)
        state = RunState(fingerprint, correct, _copy(self._model), _pruned_before(self._model), [])
        state.teacher_correct = None if teacher is None else count_correct(teacher, self._judging)
        self._files.record(self._started(state))
        self._files.record(self._histograms(0))
        self._files.save(state)
        return state

    def _started(self, state: RunState) -> Started:
        """The first record; the model is still the dense one."""
        images, correct = len(self._judging), state.dense_correct
        required = required_correct(correct, images, self._settings.max_loss)
        return Started(asdict(self._settings), correct, required, images, self._dense, state.teacher_correct)

    def _histograms(self, step: int) -> Histograms:
        weights = {name: each.detach().cpu().numpy() for name, each in prunable(self._model).items()}
        return Histograms(step, {name: histogram_of(each) for name, each in weights.items()})

    def _ended(self) -> Reason | None:
        """Why the run is over, whatever the methods would still propose."""
        if self._state.diverged:
            return "diverged"
        factor = self._settings.factor
        dense = sum(each.weights for each in self._dense.values())
        return "factor" if factor is not None and dense >= factor * count_weights(self._model).nonzero else None

    def _next(self) -> tuple[str, Proposal] | None:
        """The first method, in the order of the settings, that has something to propose."""
        for name, method in self._methods.items():
            proposal = method.propose(self._model, [step for step in self._state.steps if step.method == name])
            if proposal is not None:
                return name, proposal
        return None

    def _try(self, method: str, proposal: Proposal) -> None:
        """One step: retrain what the proposal leaves and judge; the model ends as the last accepted one."""
        masks = _intersect(self._state.masks, proposal.masks)
        if proposal.en_sparsity and self._state.trial is None:
            self._record(EnSparsity(self._number, proposal.setting, dict(proposal.en_sparsity)))
        if proposal.channels:
            masks = remove_channels(self._model, proposal.channels, self._shape, masks)
        try:
            self._retrain(masks, self._settings.final_epochs if method == RETRAIN else self._settings.epochs)
        except DivergenceError as error:
            self._state.diverged = True
            self._record(Diverged(self._number, str(error)))
        else:
            self._judge(method, proposal, masks)
        self._state.trial = None
        self._files.save(self._state)
        self._restore(self._state.good)

    def _retrain(self, masks: Masks, epochs: int) -> None:
        settings, trial = self._settings, self._state.trial
        if trial is not None:
            self._restore(trial.model)
        schedule = schedule_for(settings, epochs, settings.learning_rate, self._number)
        resume = trial.snapshot if trial else None
        train(self._model, self._training, schedule, masks, self._epoch_done, resume, self._keep, self._teacher)

    def _epoch_done(self, epoch: Epoch) -> None:
        self._record(EpochDone(self._number, epoch.number, epoch.loss))

    def _keep(self, snapshot: Snapshot) -> None:
        self._state.trial = Trial(_copy(self._model), snapshot)
        self._files.save(self._state)

    def _judge(self, method: str, proposal: Proposal, masks: Masks) -> None:
        correct = count_correct(self._model, self._judging)
        required = self._correct if method == RETRAIN else self._required(proposal.budget)
        step = Step(method, proposal.layers, proposal.setting, correct >= required, correct)
        counts = self._counts()
        self._record(StepDone(self._number, **asdict(step), counts=counts))
        self._state.steps.append(step)
        if step.accepted:
            self._state.good, self._state.masks = _copy(self._model), masks

    def _required(self, budget: float = 1.0) -> int:
        """The least number of correct images, when that share of the accuracy to lose may be lost."""
        return required_correct(self._state.dense_correct, len(self._judging), budget * self._settings.max_loss)

    @property
    def _correct(self) -> int:
        """Of the network as last accepted."""
        return next((step.correct for step in reversed(self._state.steps) if step.accepted), self._state.dense_correct)

    @property
    def _number(self) -> int:
        """The step under way, from 1."""
        return len(self._state.steps) + 1

    def _outcome(self, reason: Reason) -> Outcome:
        accepted = sum(step.accepted for step in self._state.steps if step.method != RETRAIN)
        state, images = self._state, len(self._judging)
        dense, now = (sum(each.macs for each in counts.values()) for counts in (self._dense, self._counts()))
        return Outcome(reason, state.dense_correct, self._correct, self._required(), images, accepted, dense, now)

    def _counts(self) -> dict[str, LayerCount]:
        return layer_counts(self._model, self._positions)

    def _record(self, record: Record) -> None:
        self._files.record(record)
        self._report(record)

    def _restore(self, state: StateDict) -> None:
        load_resized(self._model, state)


def _teacher(model: nn.Module, training: LabelledImages, settings: Settings) -> Teacher:
    return Teacher(model, training.pixels, settings.flip or settings.shift > 0, settings.precision)


def _copy(model: nn.Module) -> StateDict:
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def _pruned_before(model: nn.Module) -> Masks:
    """Masks of what is zero already, as in a network that another run has pruned: it stays zero."""
    masks = {name: (each.detach() != 0).cpu() for name, each in prunable(model).items()}
    return {name: mask for name, mask in masks.items() if not bool(mask.all())}


def _intersect(fixed: Masks, new: Masks) -> Masks:
    """Pruned weights stay pruned: a weight is kept only where both masks keep it."""
    new = {name: mask.cpu() for name, mask in new.items()}
    return {**fixed, **{name: mask & fixed[name] if name in fixed else mask for name, mask in new.items()}}


def _fingerprint(
    models: Sequence[nn.Module], training: LabelledImages, judging: LabelledImages, settings: Settings
) -> str:
    digest = hashlib.sha256(json.dumps(asdict(settings)).encode())
    states = [tensor for model in models for tensor in _copy(model).values()]
    tensors = [*states, training.pixels, training.labels, judging.pixels, judging.labels]
    for tensor in tensors:
        digest.update(str((tensor.dtype, tuple(tensor.shape))).encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
