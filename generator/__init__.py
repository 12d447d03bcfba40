"""From a network description to a Vitis HLS project with an offline schedule and exact cycle counts."""

from generator.boards import BoardError, board_names
from generator.build import BuildError, BuildOptions, generate
from generator.estimates import Estimate, EstimateOptions, LayerEstimate, estimate
from generator.layers import EngineError
from generator.search import NoFitError

__all__ = [
    "BoardError",
    "BuildError",
    "BuildOptions",
    "EngineError",
    "Estimate",
    "EstimateOptions",
    "LayerEstimate",
    "NoFitError",
    "board_names",
    "estimate",
    "generate",
]
