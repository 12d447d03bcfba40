"""A build folder as a bench sees it: the parts of manifest.json that executing and comparing need.

The models are the bench's own reading of the format, so that a bench shares no code with the generator that it checks.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

import golden

__all__ = ["BehindDdr", "Build", "BuildFileError", "BuildLayer", "StreamLayout", "load_build"]

INPUT = "input"
"""Golden's name for the network's input tensor."""


class BuildFileError(ValueError):
    """A build folder is missing, incomplete or not as its manifest says; one sentence."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class StreamLayout(_Part):
    """A map on a feature stream: which of golden's tensors it is, and the order of its pixels.

    Channel after channel in `channel_order`, each row after row, filled up with zeros to `channel_words` words. Of the
    columns the first `left` and the last `right` are zeros around the tensor. With `phases` of s > 1 channel (c * s +
    row) * s + column holds every s-th pixel of every s-th row of the map's channel c, from that row and column on;
    height and width are those of such a channel. `height` rows come, of the map's `map_height`, from `first_row` on;
    `channel_order` may name some of the map's `map_channels` alone. Of a `batch` of images each place's words come in
    turn.
    """

    tensor: str
    channel_order: tuple[int, ...]
    height: int
    width: int
    first_row: int = 0
    map_height: int
    map_channels: int
    signed: bool
    channel_words: int
    left: int = 0
    right: int = 0
    phases: int = 1
    batch: int = 1

    @property
    def words(self) -> int:
        """Words of all that comes of the map, of all images of a batch."""
        return self.batch * len(self.channel_order) * self.channel_words

    def pack_batch(self, tensors: NDArray[np.generic], lanes: int) -> NDArray[np.uint8]:
        """The tensors of a batch's images (`batch`, ...) as stream words: uint8 [words, lanes]; errors of `pack`."""
        images = [self.pack(tensor, lanes) for tensor in tensors]
        return np.stack(images, axis=1).reshape(-1, lanes)

    def pack(self, tensor: NDArray[np.generic], lanes: int) -> NDArray[np.uint8]:
        """A tensor (C, H, W) or (F,) as stream words: uint8 [words of an image, lanes].

        A vector (F,) is one channel of one row.

        Raises:
            ValueError: the tensor has another number of values, or they do not fit 8 bits of the layout's sign.
        """
        order = np.asarray(self.channel_order, dtype=np.int64)
        values = np.asarray(tensor).astype(np.int64)
        low, high = (-128, 127) if self.signed else (0, 255)
        if values.min(initial=0) < low or values.max(initial=0) > high:
            raise ValueError(f"values {values.min()} to {values.max()} do not fit the stream's {low} to {high}.")
        columns = self.width - self.left - self.right
        rows = self._taken_apart(values).reshape(self.map_channels, self.map_height, columns)
        rows = rows[:, self.first_row : self.first_row + self.height]
        maps = np.pad(rows, ((0, 0), (0, 0), (self.left, self.right))).reshape(self.map_channels, -1)
        words = np.zeros((order.size, self.channel_words * lanes), dtype=np.uint8)
        words[:, : maps.shape[1]] = maps[order].astype(np.uint8)
        return words.reshape(-1, lanes)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor of this shape comes in this layout."""
        channels = self.map_channels
        if self.phases == 1:
            return channels * self.map_height * (self.width - self.left - self.right) == int(np.prod(shape))
        sizes = tuple(-(-size // self.phases) for size in shape[1:])
        return (channels, self.map_height, self.width) == (shape[0] * self.phases**2, *sizes)

    def _taken_apart(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """A tensor (C, H, W) as its phases, filled up with zeros: (C * s * s, map_height, width)."""
        if self.phases == 1:
            return values
        channels, rows, columns = values.shape
        filled = np.zeros((channels, self.map_height * self.phases, self.width * self.phases), dtype=values.dtype)
        filled[:, :rows, :columns] = values
        apart = filled.reshape(channels, self.map_height, self.phases, self.width, self.phases)
        return apart.transpose(0, 2, 4, 1, 3).reshape(-1, self.map_height, self.width)

    def value(self, byte: int) -> int:
        """The integer that a lane's byte stands for."""
        return byte - 256 if self.signed and byte > 127 else byte

    def place(self, word: int, lane: int, lanes: int) -> tuple[int, int, int]:
        """(channel, row, column) of a lane of a word; rows beyond the map are filling, columns beyond it zeros."""
        channel, rest = divmod(word // self.batch, self.channel_words)
        row, column = divmod(rest * lanes + lane, self.width)
        return self.channel_order[channel], self.first_row + row, column - self.left


class BuildLayer(_Part):
    """A layer as the accelerator runs it, or a group or strip of it: `inputs` go in one after another, `output` leaves.

    Runs of one layer follow each other and have its name.
    """

    name: str
    engine: str
    weight_words: int
    input_words: int
    output_words: int
    column_words: int = 0
    inputs: tuple[StreamLayout, ...]
    output: StreamLayout
    macs: int
    dense_macs: int
    multipliers: int


class _Port(_Part):
    name: str
    direction: Literal["in", "out"]
    bits: int


class _DescriptionFile(_Part):
    file: str
    sha256: str


class _Vectors(_Part):
    images: int
    source: str


class BehindDdr(_Part):
    """A memory with a bandwidth and a latency (testbench/rtl/data_mover.py), and the cycles that are stated with it."""

    bytes_per_clock: float = Field(gt=0)
    latency: int = Field(ge=0)
    layer_cycles: tuple[tuple[int, ...], ...] = Field(min_length=1)


class _Predictions(_Part):
    macs: tuple[tuple[int, ...], ...]
    layer_cycles: tuple[tuple[int, ...], ...] = Field(min_length=1)
    fetched_words: tuple[tuple[int, ...], ...] = ()
    behind_ddr: BehindDdr | None = None
    high_water: dict[str, int] = Field(default_factory=dict)


class _Architecture(_Part):
    lanes: int
    pes: int
    pe_outputs: int = 1
    fc_pes: int
    fc_slots: int = 0
    fc_value_bits: int = 8
    fc_gap_bits: int = 8
    fc_batch: int = 1


class _WeightStream(_Part):
    word_bits: int
    descriptor_words: int
    unit_bits: int
    pointer_bits: int
    pointers_per_word: int
    layouts: dict[str, dict[str, tuple[int, int]]]


class _Manifest(_Part):
    format: Literal["zeroskip-build"]
    version: Literal[1]
    network: str
    description: _DescriptionFile
    board: str
    clock_mhz: float
    architecture: _Architecture
    top: str
    ports: tuple[_Port, ...]
    stream_depths: dict[str, int]
    stream_stages: dict[str, tuple[int, int]] | None = None
    weight_stream: _WeightStream
    layers: tuple[BuildLayer, ...] = Field(min_length=1)
    vectors: _Vectors
    predictions: _Predictions
    files: dict[str, str]


@dataclass(frozen=True)
class Build:
    """A build folder with its manifest read.

    Attributes:
        folder: the build.
        manifest: what manifest.json says.
    """

    folder: Path
    manifest: _Manifest

    @property
    def layers(self) -> tuple[BuildLayer, ...]:
        """The layers in the order in which they run."""
        return self.manifest.layers

    @property
    def lanes(self) -> int:
        """Pixels in a feature word."""
        return self.manifest.architecture.lanes

    @property
    def weight_bytes(self) -> int:
        """Bytes of a word of weights_in."""
        return next(port.bits for port in self.manifest.ports if port.name == "weights_in") // 8

    @property
    def streamed(self) -> bool:
        """Whether the FC engine's weights come from DDR, by columns."""
        return self.manifest.architecture.fc_slots > 0

    @property
    def batch(self) -> int:
        """Images of a run: as many as the FC engine works on together."""
        return self.manifest.architecture.fc_batch

    @property
    def column_bytes(self) -> int:
        """Bytes of a column word; 0 where there are none."""
        return next((port.bits for port in self.manifest.ports if port.name == "columns_in"), 0) // 8

    @property
    def port_names(self) -> tuple[str, ...]:
        """The accelerator's ports."""
        return tuple(port.name for port in self.manifest.ports)

    @property
    def weight_words(self) -> int:
        """Words that weights_in carries for one image."""
        return sum(layer.weight_words for layer in self.layers)

    @property
    def image_words(self) -> int:
        """Feature words of one image in the vectors: of every layer what goes in, then what comes out."""
        return sum(layer.input_words + layer.output_words for layer in self.layers)

    def maps(self) -> Iterator[tuple[BuildLayer, StreamLayout]]:
        """The maps of one image in the order of the vectors, each with its layer."""
        for layer in self.layers:
            for layout in (*layer.inputs, layer.output):
                yield layer, layout

    @property
    def layers_file(self) -> Path:
        """The table of layers that the C test benches read."""
        return self.folder / "vectors" / "layers.txt"

    @property
    def weights_file(self) -> Path:
        """Words of weights_in for one image."""
        return self.folder / "vectors" / "weights.bin"

    @property
    def columns_file(self) -> Path:
        """The column words of all layers, as they lie in DDR."""
        return self.folder / "vectors" / "columns.bin"

    @property
    def requests_file(self) -> Path:
        """Per image and layer the number of requests for columns, then these."""
        return self.folder / "vectors" / "requests.bin"

    @property
    def images_file(self) -> Path:
        """Feature words of all images."""
        return self.folder / "vectors" / "images.bin"

    def network(self) -> golden.Network:
        """The network that was built, from the description inside the build.

        Raises:
            DescriptionError: the description is not valid.
        """
        return golden.load(self.folder / self.manifest.description.file)


def load_build(folder: Path) -> Build:
    """Reads a build's manifest and checks every file of the build against it.

    Raises:
        BuildFileError: naming the file that is missing, changed or not understood.
    """
    path = folder / "manifest.json"
    try:
        manifest = _Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BuildFileError(
            f"{folder} is not a build: {path.name} cannot be read ({error.strerror}); make one with zeroskip generate."
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise BuildFileError(f"{path}: {field}: {first['msg']}.") from None
    build = Build(folder, manifest)
    _check_columns(build)
    _check_files(build)
    return build


def _check_columns(build: Build) -> None:
    """Whether sizes, ports and layers agree on where the weights of FC layers lie."""
    a = build.manifest.architecture
    if build.column_bytes * 8 != a.fc_slots * (a.fc_value_bits + a.fc_gap_bits) * build.streamed:
        raise BuildFileError(
            f"{build.folder}: port columns_in has {8 * build.column_bytes} bits, but architecture.fc_slots is "
            f"{a.fc_slots}; generate it again."
        )
    stated = build.manifest.predictions
    if build.streamed and not (stated.behind_ddr and len(stated.fetched_words) == len(stated.layer_cycles)):
        raise BuildFileError(
            f"{build.folder}: predictions of a build with architecture.fc_slots state fetched_words and behind_ddr; "
            "generate it again."
        )
    for layer in build.layers:
        if layer.column_words and not (build.streamed and layer.engine == "fc"):
            raise BuildFileError(
                f"{build.folder}: layer {layer.name} has column_words, but no streamed FC engine runs it; "
                "generate it again."
            )


def _check_files(build: Build) -> None:
    for name, digest in build.manifest.files.items():
        path = build.folder / name
        if not path.is_file():
            raise BuildFileError(f"{build.folder}: the build's file {name} is missing; generate it again.")
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise BuildFileError(f"{build.folder}: {name} was changed after the build was made; generate it again.")
