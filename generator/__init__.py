"""From a network description to a Vitis HLS project with an offline schedule and exact cycle counts."""

from generator.boards import BoardError, board_names
from generator.build import BuildError, BuildOptions, generate
from generator.layers import EngineError

__all__ = ["BoardError", "BuildError", "BuildOptions", "EngineError", "board_names", "generate"]
