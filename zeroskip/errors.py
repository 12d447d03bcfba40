"""Which exceptions are the user's input, and how they end the program."""

import golden
import rtl
from compression.errors import CompressionError
from generator import BoardError, BuildError, EngineError, NoFitError
from rtl.synthesis import SynthesisError
from testbench.build import BuildFileError
from testbench.regress.coverage_points import CoverageError
from testbench.regress.suite import SuiteError

__all__ = ["BAD_INPUT", "InputError", "sentence"]


class InputError(ValueError):
    """A wrong argument or input file; one sentence."""


BAD_INPUT = (
    InputError,
    BoardError,
    BuildError,
    BuildFileError,
    CompressionError,
    CoverageError,
    EngineError,
    NoFitError,
    OSError,
    SuiteError,
    SynthesisError,
    golden.DescriptionError,
    rtl.CompileError,
    rtl.OptionError,
)
"""Exceptions that mean bad input: one sentence on stderr and exit code 2. Any other is a defect and shows itself."""


def sentence(error: Exception) -> str:
    """The error on one line."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())
