"""The pruning methods, one module each, behind one interface: :class:`compression.methods.base.Method`."""

import torch
from torch import nn

from compression.methods.base import Method, Proposal, Step
from compression.methods.feature_map import FeatureMap
from compression.methods.histogram import HistogramPeak
from compression.methods.ikr import IntraKernelRegular
from compression.methods.layerwise import Layerwise
from compression.methods.magnitude import Magnitude
from compression.methods.peak import Peak
from compression.methods.reversed import Reversed
from compression.settings import MethodName, Settings

__all__ = ["Method", "Proposal", "Step", "make_method"]


def make_method(name: MethodName, dense: nn.Module, settings: Settings, images: torch.Tensor) -> Method:
    """The method of that name, for the network ``dense`` before anything is pruned; a method that looks at feature maps
    runs it on ``images``, uint8 (N, C, H, W)."""
    keep = settings.keep
    match name:
        case "magnitude":
            return Magnitude(settings.share, keep)
        case "reversed":
            return Reversed(dense, settings.q_step, settings.order, settings.budget, keep)
        case "peak":
            return HistogramPeak(keep) if settings.peak_reading == "histogram" else Peak(settings.share, keep)
        case "ikr":
            return IntraKernelRegular(
                settings.kernel_values, settings.patterns, settings.kernels_kept, settings.pattern_group, keep
            )
        case "feature-map":
            interval = (settings.theta_low, settings.theta_high)
            step, rounds, scale = settings.theta_step, settings.rounds, settings.en_sparsity
            return FeatureMap(dense, images, settings.penalty, interval, step, rounds, keep, scale)
        case "layerwise":
            cut, rounds, allocation = settings.flops_cut, settings.rounds, settings.allocation
            return Layerwise(dense, images, cut, rounds, allocation, keep, settings.precision)
