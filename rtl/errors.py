"""The compiler's exceptions: source that it refuses, with its place, and options that cannot be."""

__all__ = ["CompileError", "OptionError"]


class CompileError(Exception):
    """C++ that is outside the compiler's subset.

    Attributes:
        file: source file as clang names it; empty when no place is known.
        line: line in that file, counted from 1; 0 when no place is known.
        message: one sentence: what is wrong and what to do.
    """

    def __init__(self, file: str, line: int, message: str) -> None:
        self.file = file
        self.line = line
        self.message = message
        super().__init__(f"{file}:{line}: {message}" if file else message)


class OptionError(ValueError):
    """An option that cannot be, such as a clock of 0 MHz; one sentence."""
