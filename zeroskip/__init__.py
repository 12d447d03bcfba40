"""The public face of the project: the ``zeroskip`` command. Holds no logic of its own."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("zeroskip")
except PackageNotFoundError:  # an uninstalled checkout
    __version__ = "0+unknown"
