"""Which exceptions are the user's input, and how they end the program."""

from functools import cache

__all__ = ["InputError", "bad_input", "sentence"]


class InputError(ValueError):
    """A wrong argument or input file; one sentence."""


@cache
def bad_input() -> tuple[type[Exception], ...]:
    """Exceptions that mean bad input: one sentence on stderr and exit code 2. Any other is a defect and shows itself.

    For use in an except clause: the packages that define them are imported only when something was raised.
    """
    import golden
    import rtl
    from compression.errors import CompressionError
    from generator import BoardError, BuildError, EngineError, NoFitError
    from rtl.synthesis import SynthesisError
    from testbench.build import BuildFileError
    from testbench.regress.coverage_points import CoverageError
    from testbench.regress.suite import SuiteError

    return (
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


def sentence(error: Exception) -> str:
    """The error on one line."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())
