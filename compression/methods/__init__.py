"""The pruning methods, one module each, behind one interface: :class:`compression.methods.base.Method`."""

from torch import nn

from compression.methods.base import Method, Proposal, Step
from compression.methods.histogram import HistogramPeak
from compression.methods.ikr import IntraKernelRegular
from compression.methods.magnitude import Magnitude
from compression.methods.peak import Peak
from compression.methods.reversed import Reversed
from compression.settings import MethodName, Settings

__all__ = ["Method", "Proposal", "Step", "make_method"]


def make_method(name: MethodName, dense: nn.Module, settings: Settings) -> Method:
    """The method of that name, for the network ``dense`` before anything is pruned."""
    match name:
        case "magnitude":
            return Magnitude(settings.share)
        case "reversed":
            return Reversed(dense, settings.q_step, settings.order, settings.budget)
        case "peak":
            return HistogramPeak() if settings.peak_reading == "histogram" else Peak(settings.share)
        case "ikr":
            return IntraKernelRegular(settings.kernel_values, settings.patterns)
