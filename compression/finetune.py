"""What follows pruning: codebooks, quantisation-aware training, the description; epoch by epoch resumable."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import torch
from torch import nn

import golden
from compression.distillation import Teacher
from compression.float_graph import FloatGraph
from compression.frontend import trace
from compression.history import Record, Tuned, TuningEpoch
from compression.prune import prunable
from compression.quantise import QuantisationOptions, fit_formats, quantise_graph
from compression.settings import Settings
from compression.state import RunFiles, RunState, StateDict, Trial
from compression.train import DivergenceError, Epoch, LabelledImages, Snapshot, count_correct, schedule_for, train
from compression.trainable import TrainableGraph

__all__ = ["FineTuning", "Stage"]

Stage = Literal["codebook", "qat"]

_SEEDS: dict[Stage, int] = {"codebook": 500_001, "qat": 500_002}
"""Added to a run's seed; steps of pruning have the numbers from 1."""


class FineTuning:
    """Brings a pruned network into its description, with the stages that the settings ask for.

    Each stage trains the folded graph (:class:`compression.trainable.TrainableGraph`) with pruned weights held at zero,
    and is kept if it classifies no fewer of the judging images than the same graph did before training.

    Args:
        training: images to train on; the first ones calibrate.
        judging: images that decide whether training is kept.
        settings: what to do.
        files: where the run is kept.
        state: of the run, pruning being done; grows by what is done here.
        report: is told of everything that goes into the history.
        teacher: whose scores ``settings.distillation`` compares with.
    """

    def __init__(
        self,
        training: LabelledImages,
        judging: LabelledImages,
        settings: Settings,
        files: RunFiles,
        state: RunState,
        report: Callable[[Record], None] = lambda record: None,
        teacher: Teacher | None = None,
    ) -> None:
        self._training, self._judging, self._settings = training, judging, settings
        self._files, self._state, self._report, self._teacher = files, state, report, teacher

    def run(self, model: nn.Module, name: str) -> golden.Network:
        """Fine-tune and quantise.

        Args:
            model: the pruned network, on the device to train on; it is moved to the CPU.
            name: the description's.

        Raises:
            CompressionError: a layer that is not supported.
            golden.DescriptionError: the description would be wrong.
        """
        settings, pixels = self._settings, self._training.pixels
        device = next((each.device for each in model.parameters()), torch.device("cpu"))
        graph = trace(model.cpu(), (pixels.shape[1], pixels.shape[2], pixels.shape[3]))
        calibration = pixels[: settings.calibration]
        options = QuantisationOptions(bias_correction=settings.bias_correction, per_channel=settings.per_channel)
        if settings.codebook is not None:
            module = TrainableGraph(graph, codebook=settings.codebook).to(device)
            graph = self._tune("codebook", module, settings.codebook_epochs, settings.codebook_learning_rate)
        if not settings.qat_epochs:
            return quantise_graph(graph, calibration, name, options)
        graph, formats = fit_formats(graph, calibration, options)
        module = TrainableGraph(graph, formats, settings.codebook).to(device)
        graph = self._tune("qat", module, settings.qat_epochs, settings.qat_learning_rate)
        return quantise_graph(graph, calibration, name, options, formats)

    def _tune(self, stage: Stage, module: TrainableGraph, epochs: int, learning_rate: float) -> FloatGraph:
        """One stage; the graph that it ends with."""
        if stage not in self._state.tuned:
            self._judge(stage, module, epochs, learning_rate)
        module.load_state_dict(self._state.tuned[stage])
        return module.graph()

    def _judge(self, stage: Stage, module: TrainableGraph, epochs: int, learning_rate: float) -> None:
        untrained = _copy(module)
        before = correct = count_correct(module, self._judging)
        if not self._state.diverged:
            try:
                self._train(stage, module, epochs, learning_rate)
                correct = count_correct(module, self._judging)
            except DivergenceError:
                self._state.untuned.append(stage)
        diverged = stage in self._state.untuned
        accepted = correct >= before and not diverged
        self._record(Tuned(stage, accepted, before, correct, len(self._judging), diverged))
        self._state.tuned[stage] = _copy(module) if accepted else untrained
        self._state.trial = None
        self._files.save(self._state)

    def _train(self, stage: Stage, module: TrainableGraph, epochs: int, learning_rate: float) -> None:
        settings, trial = self._settings, self._state.trial
        masks = {name: weights.detach() != 0 for name, weights in prunable(module).items()}
        if trial is not None:
            module.load_state_dict(trial.model)
        schedule = schedule_for(settings, epochs, learning_rate, _SEEDS[stage])
        if stage == "qat":  # bfloat16 would round the accumulators that quantisation-aware training is about
            schedule = replace(schedule, precision="float32")

        def done(epoch: Epoch) -> None:
            self._record(TuningEpoch(stage, epoch.number, epoch.loss))

        def keep(snapshot: Snapshot) -> None:
            self._state.trial = Trial(_copy(module), snapshot)
            self._files.save(self._state)

        resume = trial.snapshot if trial else None
        train(module, self._training, schedule, masks, done, resume, keep, self._teacher)

    def _record(self, record: Record) -> None:
        self._files.record(record)
        self._report(record)


def _copy(module: nn.Module) -> StateDict:
    return {name: tensor.detach().cpu().clone() for name, tensor in module.state_dict().items()}
