"""The golden model: what a compressed model description means, bit for bit."""

from golden.builder import DescriptionBuilder
from golden.description import Description, Scale
from golden.errors import DescriptionError
from golden.execute import run
from golden.formats import CscOptions, Encoded, PatternOptions, SizeBits
from golden.lrn import LrnTable, lrn_table
from golden.network import LayerSize, Network, Requantise
from golden.store import load, save

__all__ = [
    "CscOptions",
    "Description",
    "DescriptionBuilder",
    "DescriptionError",
    "Encoded",
    "LayerSize",
    "LrnTable",
    "Network",
    "PatternOptions",
    "Requantise",
    "Scale",
    "SizeBits",
    "load",
    "lrn_table",
    "run",
    "save",
]
