"""The ``zeroskip`` command line: one module a command, each a thin layer over the package that does the work."""

from zeroskip.commands.app import main

__all__ = ["main"]
