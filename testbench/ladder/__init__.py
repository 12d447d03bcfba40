"""The verification ladder: from the description to the RTL, each rung stricter than the one below."""

from testbench.ladder.ladder import Step, climb, rungs_of
from testbench.ladder.rung import Context, Options, Outcome, Rung

__all__ = ["Context", "Options", "Outcome", "Rung", "Step", "climb", "rungs_of"]
