"""What a compression run is told; importable without PyTorch, so that a command can check it before anything else."""

from dataclasses import dataclass
from typing import Literal, get_args

from compression.errors import CompressionError

__all__ = [
    "METHODS",
    "Allocation",
    "Budget",
    "EnSparsityScale",
    "MethodName",
    "Order",
    "PeakReading",
    "PerChannel",
    "Precision",
    "Settings",
    "method_name",
]

MethodName = Literal["magnitude", "reversed", "peak", "ikr", "feature-map", "layerwise"]
Precision = Literal["float32", "bfloat16"]
Order = Literal["last-to-first", "first-to-last"]
Budget = Literal["whole", "by-weights"]
PerChannel = Literal["none", "depthwise", "all"]
PeakReading = Literal["largest-layer", "histogram"]
Allocation = Literal["layerwise", "uniform", "measured"]
EnSparsityScale = Literal["absolute", "relative"]

METHODS: tuple[MethodName, ...] = get_args(MethodName)


def method_name(text: str) -> MethodName:
    """The method of that name.

    Raises:
        CompressionError: there is none.
    """
    for method in METHODS:
        if method == text:
            return method
    raise CompressionError(f"there is no method {text!r}; choose from {', '.join(METHODS)}.")


@dataclass(frozen=True)
class Settings:
    """A run's settings; together with model and data they determine every bit of its result (on one machine).

    Attributes:
        methods: run one after another, each on what the one before left; each at most once. None at all
            leaves retraining at the end, fine-tuning and quantisation.
        keep: layers that no method touches, as often the first one.
        max_loss: accuracy that may be lost against the dense network, in percentage points.
        factor: stop as soon as there are so many times fewer weights; None goes on to the accuracy bound.
        epochs: retraining after each pruning step.
        final_epochs: retraining when all pruning is done; kept if it does no harm.
        epoch_images: an epoch ends after so many images; None takes all training images.
        learning_rate: highest rate of each retraining.
        batch: images in a batch.
        weight_decay: of retraining.
        smoothing: share of each label that is spread over all classes in retraining.
        distillation: share of the loss that compares with the dense network's scores instead of the labels.
        precision: what retraining, and the allocation "measured", compute in; bfloat16 is twice as fast where the
            processor has it.
        shift: training images are moved by up to so many pixels each way.
        flip: training images are mirrored at random.
        seed: of everything random.
        held_out: so many training images, the last ones, are kept from training and decide which steps are kept;
            0 lets the test images decide.
        calibration: training images that set the features' scales.
        bias_correction: take the mean error of each output channel off its bias.
        per_channel: which convolutions have a scale for each output channel.
        codebook: 16 or 32: entries, one of them zero, that each linear layer's weights share; None leaves them free.
        codebook_epochs: training of the shared values, and of all else.
        codebook_learning_rate: highest rate of that; a value has the gradients of all its weights together.
        qat_epochs: training through the integers that golden computes; kept if it does no harm.
        qat_learning_rate: highest rate of that.
        q_step: ``reversed``: what q grows by, in standard deviations of the layer's dense weights.
        order: ``reversed``: which layer is pruned first.
        budget: ``reversed``: how much of ``max_loss`` each layer may use.
        share: ``magnitude`` and ``peak``: share of the remaining weights that one step removes.
        peak_reading: which of our two readings of peak-pruning.
        kernel_values: ``ikr``: non-zeros of each kernel that are tried first; more when the accuracy asks for it.
        patterns: ``ikr``: patterns of each layer.
        kernels_kept: ``ikr``: share of a layer's kernels that keep a weight; below 1 one of the patterns is empty.
        pattern_group: ``ikr``: so many neighbouring output channels share the pattern of each input channel, as suits
            PEs that compute them side by side.
        penalty: ``feature-map``: a value of a map counts as empty up to this share of the map's root mean square.
        en_sparsity: ``feature-map``: what theta is compared with: the share of a channel's map that is empty, or
            "relative", that share as if the layer's fullest channel had no empty place.
        theta_low, theta_high: ``feature-map``: the interval of the threshold, shares of a channel's map that are empty.
        theta_step: ``feature-map``: how narrow the interval becomes.
        flops_cut: ``layerwise``: multiplications to remove, per cent.
        allocation: ``layerwise``: "uniform" keeps the same share of every layer's channels, to compare with;
            "measured" finds each layer's share by trying what changes the scores least.
        rounds: ``layerwise``: steps on the way to ``flops_cut``; ``feature-map``: times through the interval.
    """

    methods: tuple[MethodName, ...] = ()
    keep: tuple[str, ...] = ()
    max_loss: float = 0.5
    factor: float | None = None
    epochs: int = 2
    final_epochs: int = 0
    epoch_images: int | None = None
    learning_rate: float = 0.01
    batch: int = 128
    weight_decay: float = 1e-4
    smoothing: float = 0.0
    distillation: float = 0.0
    precision: Precision = "float32"
    shift: int = 0
    flip: bool = False
    seed: int = 1
    held_out: int = 0
    calibration: int = 2000
    bias_correction: bool = False
    per_channel: PerChannel = "all"
    codebook: int | None = None
    codebook_epochs: int = 2
    codebook_learning_rate: float = 1e-3
    qat_epochs: int = 0
    qat_learning_rate: float = 1e-3
    q_step: float = 0.25
    order: Order = "last-to-first"
    budget: Budget = "whole"
    share: float = 0.2
    peak_reading: PeakReading = "largest-layer"
    kernel_values: int = 4
    patterns: int = 8
    kernels_kept: float = 1.0
    pattern_group: int = 1
    penalty: float = 0.1
    en_sparsity: EnSparsityScale = "relative"
    theta_low: float = 0.4
    theta_high: float = 1.0
    theta_step: float = 0.02
    flops_cut: float = 50.0
    allocation: Allocation = "layerwise"
    rounds: int = 1

    def __post_init__(self) -> None:
        for method in self.methods:
            if self.methods.count(method_name(method)) > 1:
                raise CompressionError(f"the method {method} is named twice; each runs once.")
        for name, right, rule in self._rules():
            if not right:
                raise CompressionError(f"{name.replace('_', '-')} is {getattr(self, name)}, but must be {rule}.")

    def _rules(self) -> tuple[tuple[str, bool, str], ...]:
        """Field, whether it is right, what it must be; comparisons are written so that NaN is wrong."""
        return (
            ("max_loss", 0 <= self.max_loss <= 100, "percentage points from 0 to 100"),
            ("factor", self.factor is None or 1 < self.factor < float("inf"), "greater than 1"),
            ("epochs", self.epochs >= 1, "at least 1"),
            ("final_epochs", self.final_epochs >= 0, "0 or greater"),
            ("epoch_images", self.epoch_images is None or self.epoch_images >= 1, "at least 1"),
            ("learning_rate", 0 < self.learning_rate < float("inf"), "greater than 0"),
            ("batch", self.batch >= 1, "at least 1"),
            ("weight_decay", 0 <= self.weight_decay < float("inf"), "0 or greater"),
            ("smoothing", 0 <= self.smoothing < 1, "at least 0 and less than 1"),
            ("distillation", 0 <= self.distillation <= 1, "from 0 to 1"),
            ("shift", self.shift >= 0, "0 or greater"),
            ("held_out", self.held_out >= 0, "0 or greater"),
            ("calibration", self.calibration >= 1, "at least 1"),
            ("calibration", self.allocation != "measured" or self.calibration >= 10, "at least 10 to measure on"),
            ("codebook", self.codebook in (None, 16, 32), "16 or 32"),
            ("codebook_epochs", self.codebook_epochs >= 0, "0 or greater"),
            ("codebook_learning_rate", 0 < self.codebook_learning_rate < float("inf"), "greater than 0"),
            ("qat_epochs", self.qat_epochs >= 0, "0 or greater"),
            ("qat_learning_rate", 0 < self.qat_learning_rate < float("inf"), "greater than 0"),
            ("q_step", 0 < self.q_step < float("inf"), "greater than 0"),
            ("share", 0 < self.share < 1, "greater than 0 and less than 1"),
            ("kernel_values", self.kernel_values >= 1, "at least 1"),
            ("patterns", self.patterns >= 1 + (self.kernels_kept < 1), "at least 1, or 2 where kernels go"),
            ("kernels_kept", 0 < self.kernels_kept <= 1, "greater than 0 and at most 1"),
            ("pattern_group", self.pattern_group >= 1, "at least 1"),
            ("penalty", 0 <= self.penalty < float("inf"), "0 or greater"),
            ("theta_low", 0 <= self.theta_low < self.theta_high, "0 or greater, and less than theta-high"),
            ("theta_high", self.theta_high <= 1, "at most 1"),
            ("theta_step", 0 < self.theta_step < 1, "greater than 0 and less than 1"),
            ("flops_cut", 0 < self.flops_cut < 100, "greater than 0 and less than 100 per cent"),
            ("rounds", self.rounds >= 1, "at least 1"),
        )
