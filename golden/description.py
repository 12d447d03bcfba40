"""The compressed model description: the models of ``NAME.json`` (specification: docs/description.md).

Nothing here looks at tensors; :mod:`golden.checks` does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "FORMAT_NAME",
    "FORMAT_VERSION",
    "ActivationType",
    "AddLayer",
    "AveragePoolLayer",
    "ClipLayer",
    "ConcatLayer",
    "ConvLayer",
    "ConvMaskStorage",
    "ConvPatternStorage",
    "ConvRcStorage",
    "CscStorage",
    "DenseStorage",
    "Description",
    "FlattenLayer",
    "GlobalAveragePoolLayer",
    "InputTensor",
    "Layer",
    "LinearLayer",
    "LrnLayer",
    "MaxPoolLayer",
    "Output",
    "Requantisation",
    "Scale",
    "Storage",
    "WeightedLayer",
]

FORMAT_NAME = "zeroskip-description"
FORMAT_VERSION = 1

ActivationType = Literal["uint8", "int8"]
Name = Annotated[str, Field(min_length=1, max_length=128, description="letters, digits and _ . : -")]
Dimension = Annotated[int, Field(ge=1, le=1 << 20)]
KernelSize = Annotated[int, Field(ge=1, le=1024)]
Step = Annotated[int, Field(ge=1, le=1024)]
Pad = Annotated[int, Field(ge=0, le=1023)]
Multiplier = Annotated[int, Field(ge=1, le=(1 << 31) - 1)]
Shift = Annotated[int, Field(ge=0, le=47)]
Bound = Annotated[int, Field(ge=-128, le=255)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Scale(_Strict):
    """What an integer means: real value = integer * multiplier / 2**shift. Scales never change a bit of the result."""

    multiplier: Multiplier = Field(default=1, description="numerator, 1 for a power-of-two scale")
    shift: int = Field(ge=-32, le=62, description="binary exponent of the denominator; negative multiplies")

    def fraction(self) -> Fraction:
        """The scale as an exact rational number."""
        return Fraction(self.multiplier) / Fraction(2) ** self.shift


class Output(_Strict):
    """Type and meaning of a layer's output integers."""

    dtype: ActivationType = Field(description="storage type of the activations")
    scale: Scale | None = Field(default=None, description="informative: the real value of one unit")


class Requantisation(_Strict):
    """y = clamp(round_half_even(accumulator * multiplier / 2**shift), minimum, maximum)."""

    multiplier: Multiplier | Literal["per_channel"] = Field(
        default=1, description="integer factor, or per_channel: int32 tensor LAYER.multiplier"
    )
    shift: Shift | Literal["per_channel"] = Field(description="binary shift, or per_channel: uint8 tensor LAYER.shift")
    minimum: Bound = Field(description="lower clamp; 0 is ReLU")
    maximum: Bound = Field(description="upper clamp; a ReLU6 is its integer bound here")


class ConvRcStorage(_Strict):
    """Per kernel a count, then entries of value 8, row 4, column 4 bits: the paper's 16-bit CONV entry."""

    format: Literal["conv-rc"] = "conv-rc"
    shape: tuple[Dimension, Dimension, KernelSize, KernelSize] = Field(description="output, input per group, kh, kw")
    nonzeros: int = Field(ge=0, description="weights that are not zero")
    bits: int = Field(ge=0, description="length of the payload, a multiple of 8")


class ConvMaskStorage(_Strict):
    """Per kernel a mask of kh*kw bits, then the values it marks."""

    format: Literal["conv-mask"] = "conv-mask"
    shape: tuple[Dimension, Dimension, KernelSize, KernelSize] = Field(description="output, input per group, kh, kw")
    nonzeros: int = Field(ge=0, description="weights that are not zero")
    bits: int = Field(ge=0, description="length of the payload, a multiple of 8")


class ConvPatternStorage(_Strict):
    """A table of patterns, per kernel the index of its pattern, and the values under it (intra-kernel regular)."""

    format: Literal["conv-pattern"] = "conv-pattern"
    shape: tuple[Dimension, Dimension, KernelSize, KernelSize] = Field(description="output, input per group, kh, kw")
    nonzeros: int = Field(ge=0, description="weights that are not zero")
    bits: int = Field(ge=0, description="length of the payload, a multiple of 8")
    patterns: int = Field(ge=1, le=1 << 20, description="number of patterns in the table")
    kernel_values: int = Field(ge=0, le=1 << 20, description="values stored for each kernel")


class CscStorage(_Strict):
    """Compressed columns, rows interleaved over processing elements, gaps with padding entries (EIE)."""

    format: Literal["csc"] = "csc"
    shape: tuple[Dimension, Dimension] = Field(description="output features (rows), input features (columns)")
    nonzeros: int = Field(ge=0, description="weights that are not zero")
    bits: int = Field(ge=0, description="length of the payload, a multiple of 8")
    value_bits: Literal[4, 5, 8] = Field(description="8: the value itself; 4 or 5: index into a codebook of 16 or 32")
    gap_bits: int = Field(ge=1, le=16, description="width of the count of zeros before an entry")
    processing_elements: int = Field(ge=1, le=4096, description="row i belongs to processing element i mod this")
    columns: Literal["counts", "pointers"] = Field(description="how the columns' entries are told apart")
    column_bits: int = Field(ge=1, le=32, description="width of one count or pointer")


class DenseStorage(_Strict):
    """Every weight, 8 bits each, in row-major order."""

    format: Literal["dense"] = "dense"
    shape: tuple[Dimension, Dimension] | tuple[Dimension, Dimension, KernelSize, KernelSize]
    nonzeros: int = Field(ge=0, description="weights that are not zero")
    bits: int = Field(ge=0, description="length of the payload, a multiple of 8")


Storage = Annotated[
    ConvRcStorage | ConvMaskStorage | ConvPatternStorage | CscStorage | DenseStorage, Field(discriminator="format")
]


class _Layer(_Strict, ABC):
    name: Name

    @property
    @abstractmethod
    def source_names(self) -> tuple[str, ...]:
        """Names of the tensors that the layer reads, in order."""


class _SingleSource(_Layer):
    source: Name = Field(description="the layer (or 'input') whose output this layer reads")

    @property
    def source_names(self) -> tuple[str, ...]:
        """What the layer reads, in order."""
        return (self.source,)


class ConvLayer(_SingleSource):
    """Convolution: int8 weights (LAYER.weights, encoded), int32 bias (LAYER.bias), then requantisation."""

    type: Literal["conv"] = "conv"
    weights: Storage
    stride: tuple[Step, Step] = Field(description="rows, columns")
    padding: tuple[Pad, Pad, Pad, Pad] = Field(description="zeros added: top, left, bottom, right")
    dilation: tuple[Step, Step] = Field(description="rows, columns between a kernel's taps")
    groups: Dimension = Field(description="channel groups; equal to the input channels for a depthwise layer")
    requantise: Requantisation
    output: Output
    weight_scale: Scale | tuple[Scale, ...] | None = Field(default=None, description="informative; or one a channel")


class LinearLayer(_SingleSource):
    """Fully connected layer: int8 weights (LAYER.weights, encoded), int32 bias (LAYER.bias), then requantisation."""

    type: Literal["linear"] = "linear"
    weights: Storage
    requantise: Requantisation
    output: Output
    weight_scale: Scale | tuple[Scale, ...] | None = Field(default=None, description="informative; one or one a row")


class MaxPoolLayer(_SingleSource):
    """Largest value among the window's pixels that lie in the map."""

    type: Literal["max_pool"] = "max_pool"
    kernel: tuple[KernelSize, KernelSize]
    stride: tuple[Step, Step]
    padding: tuple[Pad, Pad, Pad, Pad] = Field(description="positions added: top, left, bottom, right; they never win")


class AveragePoolLayer(_SingleSource):
    """Sum over the window (padding counts as zeros), then requantisation; the divisor is multiplier / 2**shift."""

    type: Literal["average_pool"] = "average_pool"
    kernel: tuple[KernelSize, KernelSize]
    stride: tuple[Step, Step]
    padding: tuple[Pad, Pad, Pad, Pad] = Field(description="zeros added: top, left, bottom, right")
    requantise: Requantisation
    output: Output


class GlobalAveragePoolLayer(_SingleSource):
    """Sum over the whole map, then requantisation; the output is C x 1 x 1."""

    type: Literal["global_average_pool"] = "global_average_pool"
    requantise: Requantisation
    output: Output


class AddLayer(_Layer):
    """y = clamp(round_half_even((a * multipliers[0] + b * multipliers[1]) / 2**shift), minimum, maximum)."""

    type: Literal["add"] = "add"
    sources: tuple[Name, Name]
    multipliers: tuple[Multiplier, Multiplier]
    shift: Shift
    minimum: Bound
    maximum: Bound
    output: Output

    @property
    def source_names(self) -> tuple[str, ...]:
        """The tensors that come together here, in order."""
        return self.sources


class ClipLayer(_SingleSource):
    """Requantise and clamp a tensor by itself: ReLU, ReLU6, clip and rescaling between branches."""

    type: Literal["clip"] = "clip"
    requantise: Requantisation
    output: Output


class FlattenLayer(_SingleSource):
    """Map to feature vector, in the order channel, row, column."""

    type: Literal["flatten"] = "flatten"


class ConcatLayer(_Layer):
    """Channels (or features) of all sources, one after another; the sources share one type."""

    type: Literal["concat"] = "concat"
    sources: tuple[Name, ...] = Field(min_length=2)

    @property
    def source_names(self) -> tuple[str, ...]:
        """The tensors that come together here, in order."""
        return self.sources


class LrnLayer(_SingleSource):
    """Local response normalisation: y = clamp(rhe(x * table[min(sum of squares >> index_shift, last)] / 2**shift))."""

    type: Literal["lrn"] = "lrn"
    size: int = Field(ge=1, le=63, description="channels in the window; odd")
    index_shift: int = Field(ge=0, le=31, description="right shift from the sum of squares to the table's index")
    entries: int = Field(ge=1, le=1 << 16, description="length of the uint16 tensor LAYER.table")
    shift: Shift
    minimum: Bound
    maximum: Bound
    output: Output


WeightedLayer = ConvLayer | LinearLayer
Layer = (
    ConvLayer
    | LinearLayer
    | MaxPoolLayer
    | AveragePoolLayer
    | GlobalAveragePoolLayer
    | AddLayer
    | ClipLayer
    | FlattenLayer
    | ConcatLayer
    | LrnLayer
)


class InputTensor(_Strict):
    """The network's input."""

    shape: tuple[Dimension, Dimension, Dimension] = Field(description="channels, rows, columns")
    dtype: ActivationType
    scale: Scale | None = Field(default=None, description="informative: the real value of one unit")


class Payload(_Strict):
    """The safetensors file that lies beside the JSON file."""

    file: str = Field(min_length=1, max_length=255, description="plain file name, in the JSON file's own folder")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the whole file")


class Description(_Strict):
    """A pruned, quantised network: ``NAME.json``."""

    format: Literal["zeroskip-description"] = "zeroskip-description"
    version: Literal[1] = 1
    name: Name
    payload: Payload | None = Field(default=None, description="absent only while the network is not in a file")
    input: InputTensor
    layers: tuple[Annotated[Layer, Field(discriminator="type")], ...] = Field(min_length=1, max_length=65536)
    outputs: tuple[Name, ...] = Field(min_length=1, description="layers whose outputs are the network's results")
