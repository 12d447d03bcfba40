"""The accelerator as a network of processes and streams, for a given set of sizes.

The same description of the network gives the emitted top level (`emit`) and the cycle model (`timing`), so the two
cannot drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from generator import layouts

__all__ = ["GROUP_SLOTS", "MOST_POSTS", "Architecture", "Process", "ProcessNetwork", "Stream", "process_network"]

GROUP_SLOTS = 8
"""Slots of the streamed FC engine that one process adds up: kGroupSlots in fc_stream.h."""
MOST_POSTS = 255
"""Which `broadcast` and `collect` count in 8 bits."""


class Architecture(BaseModel):
    """Sizes of an accelerator; every one is a template argument of a kernel or the depth of a stream."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lanes: int = Field(ge=8, le=128, description="pixels in a feature word, a power of two")
    tile: int = Field(ge=1, le=128, description="positions that a PE computes at once; its multipliers")
    pes: int = Field(ge=0, le=128, description="PEs of the sparse convolver; 0 leaves the convolver out")
    pe_outputs: Literal[1, 2, 4] = Field(
        default=1, description="output channels that a PE computes side by side, each with its own multipliers"
    )
    fc_pes: int = Field(ge=0, le=128, description="PEs of the FC engine; 0 leaves the FC engine out")
    map_words: int = Field(
        ge=2, le=65536, description="feature words of the largest input map, whole rows of its banks"
    )
    max_entries: int = Field(ge=1, le=65535, description="entries of the longest output channel")
    mask_words: int = Field(default=2, ge=2, le=65535, description="words of a layer's masks of columns, or of rows")
    max_columns: int = Field(ge=1, le=1023, description="columns of the widest pooled map")
    sum_bits: int = Field(default=32, ge=18, le=32, description="bits of the convolver's sums, biases added")
    additions: bool = Field(default=True, description="whether a map may be added behind a convolution")
    averages: bool = Field(default=True, description="whether average pooling may be fused behind a convolution")
    pointer_words: int = Field(ge=1, le=65535, description="pointer words of the widest FC layer")
    entry_words: int = Field(ge=1, le=16384, description="entry words a PE holds of the largest FC layer")
    fc_rows: int = Field(ge=1, le=65535, description="rows a PE holds of the largest FC layer")
    map_columns: int = Field(
        default=0, ge=0, le=1023, description="columns of the widest map that the map engine pools; 0 leaves it out"
    )
    map_overlap: int = Field(default=1, ge=1, le=15, description="pooling windows that a pixel belongs to, a direction")
    map_lanes: int = Field(
        default=1, ge=1, le=128, description="neighbouring columns that the map engine works on at once: a strip"
    )
    map_strips: int = Field(default=1, ge=1, le=1024, description="strips of the map engine's widest row")
    map_reach: int = Field(default=1, ge=1, le=128, description="columns of the widest window in several lanes")
    map_stride: int = Field(default=1, ge=1, le=128, description="largest stride of strips of several windows")
    map_averages: int = Field(default=0, ge=0, le=1, description="whether several lanes take averages, too")
    normalised_positions: int = Field(
        default=1, ge=1, le=4096, description="positions, or strips, walked of a channel that is normalised"
    )
    normalised_channels: int = Field(default=1, ge=1, le=63, description="channels of a normalisation's window")
    table_words: int = Field(default=1, ge=1, le=4096, description="weight words of a normalisation's table")
    weight_depth: int = Field(default=16, ge=1, description="words that wait before a PE of the convolver")
    entry_depth: int = Field(default=8, ge=1, description="decoded weights that wait before a PE of the convolver")
    output_depth: int = Field(default=64, ge=1, description="feature words that wait behind a PE of the convolver")
    token_depth: int = Field(
        default=16, ge=1, description="pairs of activations that wait before a PE of the FC engine (EIE: 8 single ones)"
    )
    fc_slots: int = Field(
        default=0, ge=0, le=128, description="entries of a column word that is fetched; 0: weights lie in the PEs"
    )
    fc_value_bits: Literal[4, 5, 8] = Field(default=4, description="of a fetched entry; 8: plain weights, no codebook")
    fc_gap_bits: int = Field(default=5, ge=1, le=8, description="of a fetched entry")
    fc_base_bits: Literal[18, 26] = Field(
        default=18, description="of the number of a layer's entry, or column word; 26 with fc_slots alone"
    )
    fc_rows_at_once: Literal[1, 2, 4, 8] = Field(
        default=8, description="rows that the streamed FC engine hands over, adds up and requantises in a clock"
    )
    fc_sums: Literal["bram", "uram"] = Field(
        default="bram", description="block RAM or UltraRAM for the sums of the streamed FC engine's slots"
    )
    fc_batch: int = Field(
        default=1, ge=1, le=8, description="images that the streamed FC engine works on together; a column comes once"
    )
    fetch_depth: int = Field(default=64, ge=1, description="requests for columns that wait for their words")

    @model_validator(mode="before")
    @classmethod
    def _whole_words(cls, values: Any) -> Any:
        """A tile is a feature word where nothing is said."""
        return values if not isinstance(values, dict) or "tile" in values else values | {"tile": values.get("lanes")}

    @model_validator(mode="after")
    def _consistent(self) -> Architecture:
        if self.pes == 0 and self.fc_pes == 0 and self.map_columns == 0:
            raise ValueError("an accelerator needs at least one engine: pes, fc_pes and map_columns are all 0")
        if self.lanes & (self.lanes - 1):
            raise ValueError(f"lanes must be a power of two, not {self.lanes}")
        if self.map_words % self.row_words:
            raise ValueError(f"map_words must be even where a tile is a feature word, not {self.map_words}")
        if self.posts > MOST_POSTS:
            raise ValueError(f"pes * pe_outputs must be {MOST_POSTS} at most, not {self.pes} * {self.pe_outputs}")
        if self.tile > self.lanes:
            raise ValueError(f"tile ({self.tile}) must be no greater than lanes ({self.lanes})")
        if self.fc_pes and self.lanes % self.fc_pes:
            raise ValueError(f"fc_pes ({self.fc_pes}) must divide lanes ({self.lanes})")
        if self.lanes % self.map_lanes:
            raise ValueError(f"map_lanes ({self.map_lanes}) must divide lanes ({self.lanes})")
        if self.map_reach > self.map_lanes:
            raise ValueError(f"map_reach ({self.map_reach}) must be no greater than map_lanes ({self.map_lanes})")
        if self.fc_slots % GROUP_SLOTS:
            raise ValueError(f"fc_slots must be a multiple of {GROUP_SLOTS}, not {self.fc_slots}")
        if self.fc_slots and self.fc_pes != 1:
            raise ValueError(
                f"the streamed FC engine (fc_slots) looks columns up in one PE: fc_pes must be 1, not {self.fc_pes}"
            )
        if self.fc_base_bits > layouts.BASE_BITS and not self.fc_slots:
            raise ValueError(f"fc_base_bits ({self.fc_base_bits}) is for the streamed FC engine (fc_slots)")
        if self.fc_batch > 1 and (not self.fc_slots or self.pes or self.map_columns):
            raise ValueError(f"fc_batch ({self.fc_batch}) is for an accelerator of the streamed FC engine alone")
        if self.fc_slots and self.fc_rows % layouts.BIASES_PER_WORD:
            raise ValueError(
                f"fc_rows must be a multiple of {layouts.BIASES_PER_WORD} with fc_slots, not {self.fc_rows}"
            )
        return self

    @property
    def others(self) -> str:
        """What streams beside the map engine are named after: the one engine with weights, or "main" for both."""
        return ("main" if self.pes else "fc") if self.fc_pes else "convolver"

    @property
    def row_words(self) -> int:
        """Feature words that a row of a PE's banks holds."""
        return 2 if self.tile == self.lanes else 1

    @property
    def column_bits(self) -> int:
        """Bits of a column word; 0 without the streamed FC engine."""
        return self.fc_slots * (self.fc_value_bits + self.fc_gap_bits)

    @property
    def pointer_bits(self) -> int:
        """Bits of a pointer word as the FC engine holds it."""
        return layouts.POINTERS_PER_WORD * layouts.POINTER_BITS + self.fc_base_bits

    @property
    def pair_bits(self) -> int:
        """Bits of the number of a pair of columns, of which a pointer word serves POINTERS_PER_WORD / 2."""
        return max(1, (self.pointer_words * layouts.POINTERS_PER_WORD // 2 - 1).bit_length())

    @property
    def slot_groups(self) -> int:
        """Groups in which the slots' sums are added up."""
        return self.fc_slots // GROUP_SLOTS

    @property
    def fc_multipliers(self) -> int:
        """Multipliers that the FC engine can keep busy in one cycle."""
        return self.fc_slots * self.fc_batch or self.fc_pes

    @property
    def convolver_multipliers(self) -> int:
        """Multipliers that the convolver can keep busy in one cycle."""
        return self.posts * self.tile

    @property
    def posts(self) -> int:
        """Output channels that all PEs compute side by side, each with its post-processing."""
        return self.pes * self.pe_outputs


@dataclass(frozen=True)
class Stream:
    """A stream, or an array of them: C++ element type, depth in words, elements (None: a single stream)."""

    name: str
    element: str
    depth: int
    count: int | None = None

    @property
    def members(self) -> list[str]:
        """Names of the single streams: `name` or `name_0`, `name_1`, .."""
        return [self.name] if self.count is None else [f"{self.name}_{i}" for i in range(self.count)]

    @property
    def fifos(self) -> list[str]:
        """Names of the members' FIFOs in the compiled hardware, where an array's only element has the array's name."""
        return [self.name] if self.count == 1 else self.members


@dataclass(frozen=True)
class Process:
    """One call in the top level: instance name, C++ function with template arguments, stream arguments as written."""

    name: str
    function: str
    arguments: tuple[str, ...]

    @property
    def call(self) -> str:
        """The C++ statement."""
        return f"{self.function}({', '.join(self.arguments)});"


@dataclass(frozen=True)
class ProcessNetwork:
    """All streams between processes, and the processes in the order of the data's flow."""

    streams: tuple[Stream, ...]
    processes: tuple[Process, ...]
    headers: tuple[str, ...]
    ports: tuple[str, ...] = ("features_in", "weights_in", "features_out")

    def depths(self) -> dict[str, int]:
        """Depth of every single stream, the ports' register slices (two words each) included."""
        ports = dict.fromkeys(self.ports, 2)
        return ports | {member: stream.depth for stream in self.streams for member in stream.members}

    def fifo_names(self) -> dict[str, str]:
        """The name in the compiled hardware of every single stream, the ports' included."""
        ports = {port: port for port in self.ports}
        pairs = (pair for stream in self.streams for pair in zip(stream.members, stream.fifos, strict=True))
        return ports | dict(pairs)


def _convolver(a: Architecture, weights: str, features: str, output: str) -> ProcessNetwork:
    n, feature, outputs = a.pes, "FeatureWord<kLanes>", a.pe_outputs
    sums = Stream("", "ap_uint<kSumBits>", layouts.sum_depth(a.lanes) if a.additions else a.lanes, outputs)
    addends, posts = (("addends",), ", kPes * kPeOutputs") if a.additions else ((), "")
    streams = (
        Stream("broadcast_layer", "Descriptor", 2),
        Stream("collect_layer", "Descriptor", 2),
        # Registers, where two words would take LUTs.
        Stream("decode_layers", "Descriptor", 1, n),
        Stream("pe_layers", "Descriptor", 1, n),
        *(Stream(f"post_layers_{i}", "Descriptor", 1, outputs) for i in range(n)),
        Stream("pe_weights", "WeightWord", a.weight_depth, n),
        Stream("maps", feature, 2, n),
        Stream("masks", "WeightWord", 1, n),
        *([Stream("addends", feature, a.output_depth, a.posts)] if a.additions else []),
        Stream("channels", "ChannelWord", 2, n),
        # A PE's pipeline holds the sums of five channels, where they are of one weight and one position.
        *(Stream(f"scales_{i}", "ScaleWord", 8, outputs) for i in range(n)),
        Stream("entries", "EntryWord<kPeOutputs>", a.entry_depth, n),
        *(replace(sums, name=f"tile_sums_{i}") for i in range(n)),
        Stream("pe_outputs", feature, a.output_depth, a.posts),
    )
    head = (
        Process(
            "scatter",
            "scatter<kEngineConvolver, kPes>",
            (weights, "broadcast_layer", "collect_layer", "decode_layers", "pe_weights"),
        ),
        Process("broadcast", f"broadcast<kLanes, kPes{posts}>", ("broadcast_layer", features, "maps", *addends)),
    )
    body = tuple(process for i in range(n) for process in _convolver_pe(i, outputs, addends))
    tail = (Process("collect", "collect<kLanes, kPes * kPeOutputs>", ("collect_layer", "pe_outputs", output)),)
    headers = ("scatter.h", "convolver_decode.h", "convolver_pe.h", "convolver_post.h")
    return ProcessNetwork(streams, head + body + tail, headers)


def _convolver_pe(i: int, outputs: int, addends: tuple[str, ...]) -> tuple[Process, ...]:
    def of(*names: str) -> tuple[str, ...]:
        return tuple(f"{name}_{i}" if name in _OF_OUTPUTS else f"{name}[{i}]" for name in names)

    posts = (_post(i, output, i * outputs + output, addends) for output in range(outputs))
    return (
        Process(
            f"decode_{i}",
            "decode_convolution<kLanes, kPeOutputs>",
            of("decode_layers", "pe_layers", "pe_weights", "masks", "channels", "scales", "entries"),
        ),
        Process(
            f"pe_{i}",
            "convolver_pe<kLanes, kTile, kMapWords, kMaxEntries, kMaskWords, kSumBits, kPeOutputs>",
            of("pe_layers", "post_layers", "maps", "masks", "channels", "entries", "tile_sums"),
        ),
        *posts,
    )


_OF_OUTPUTS = ("post_layers", "scales", "tile_sums")
"""Streams of which each PE has an array of its own, one for each of its output channels."""


def _post(i: int, output: int, number: int, addends: tuple[str, ...]) -> Process:
    """Behind PE `i`, for one of the output channels that it computes side by side."""
    own = tuple(f"{name}_{i}[{output}]" for name in _OF_OUTPUTS)
    shared = tuple(f"{name}[{number}]" for name in (*addends, "pe_outputs"))
    return Process(
        f"post_{number}", "convolver_post<kLanes, kMaxColumns, kSumBits, kAverages, (kPeOutputs > 1)>", own + shared
    )


def _fc_engine(a: Architecture, weights: str, features: str, outputs: str) -> ProcessNetwork:
    n = a.fc_pes
    streams = (
        Stream("scan_layer", "Descriptor", 2),
        Stream("gather_layer", "Descriptor", 2),
        Stream("lookup_layers", "Descriptor", 2, n),
        Stream("mac_layers", "Descriptor", 2, n),
        Stream("lookup_weights", "WeightWord", 2, n),
        Stream("mac_weights", "WeightWord", 2, n),
        Stream("tokens", "TokenWord<1>", a.token_depth, n),
        Stream("commands", "CommandWord<1>", 4, n),
        Stream("row_sums", "Accumulator", 2, n),
    )
    head = (
        Process(
            "fc_scatter",
            "scatter<kEngineFc, kFcPes>",
            (weights, "scan_layer", "gather_layer", "lookup_layers", "lookup_weights"),
        ),
        Process("fc_scan", "fc_scan<kLanes, kFcPes, 1>", ("scan_layer", features, "tokens")),
    )
    body: tuple[Process, ...] = ()
    for i in range(n):
        lookup = ("lookup_layers", "mac_layers", "lookup_weights", "mac_weights", "tokens", "commands")
        mac = ("mac_layers", "mac_weights", "commands", "row_sums")
        body += (
            Process(f"fc_lookup_{i}", "fc_lookup<kPointerWords, 1>", tuple(f"{s}[{i}]" for s in lookup)),
            Process(f"fc_mac_{i}", "fc_mac<kEntryWords, kFcRows>", tuple(f"{s}[{i}]" for s in mac)),
        )
    tail = (Process("fc_gather", "fc_gather<kLanes, kFcPes>", ("gather_layer", "row_sums", outputs)),)
    return ProcessNetwork(streams, head + body + tail, ("scatter.h", "fc_engine.h"))


def _map_engine(a: Architecture, weights: str, features: str, outputs: str) -> ProcessNetwork:
    kernel, walked, more = "map_engine", "kMapColumns", ""
    if a.map_lanes > 1:
        kernel, walked, more = "map_strips", "kMapLanes, kMapStrips", ", kMapReach, kMapStride, kMapAverages != 0"
    sizes = f"kLanes, {walked}, kMapOverlap, kNormalisedPositions, kNormalisedChannels, kTableWords{more}"
    process = Process("map_engine", f"{kernel}<{sizes}>", (weights, features, outputs))
    return ProcessNetwork((), (process,), (f"{kernel}.h",))


def _fc_stream(a: Architecture, weights: str, features: str, outputs: str) -> ProcessNetwork:
    """With ports of its own, columns_in and requests_out, which nothing else shares."""
    groups, sums = range(a.slot_groups), "SumWord<kFcRowsAtOnce>"
    streams = (
        Stream("scan_layer", "Descriptor", 2),
        Stream("gather_layer", "Descriptor", 2),
        Stream("lookup_layers", "Descriptor", 2, 1),
        Stream("mac_layers", "Descriptor", 2, 1),
        Stream("unpack_layer", "Descriptor", 2),
        Stream("lookup_weights", "WeightWord", 2, 1),
        Stream("mac_weights", "WeightWord", 2, 1),
        Stream("biases", "WeightWord", 2),
        Stream("tokens", "TokenWord<kFcBatch>", a.token_depth, 1),
        Stream("commands", "CommandWord<kFcBatch>", 4, 1),
        Stream("asked_for", "CommandWord<kFcBatch>", a.fetch_depth),
        Stream("slot_entries", "SlotWord<kFcBatch>", 2, a.fc_slots),
        Stream("group_rows", "RowCount", 2, a.slot_groups),
        *(Stream(f"slot_sums_{group}", sums, 2, GROUP_SLOTS) for group in groups),
        Stream("group_sums", sums, 2, a.slot_groups),
    )
    lookup = ("lookup_layers", "mac_layers", "lookup_weights", "mac_weights", "tokens", "commands")
    unpack = ("unpack_layer", "mac_weights[0]", "biases", "asked_for", "columns_in", "slot_entries", "group_rows")
    scatter = (weights, "scan_layer", "gather_layer", "lookup_layers", "lookup_weights")
    request = ("mac_layers[0]", "unpack_layer", "commands[0]", "asked_for", "requests_out")
    accumulate = "fc_accumulate" if a.fc_sums == "bram" else "fc_accumulate_ultra"
    processes = (
        Process("fc_scatter", "scatter<kEngineFc, 1>", scatter),
        Process("fc_scan", "fc_scan<kLanes, 1, kFcBatch>", ("scan_layer", features, "tokens")),
        Process("fc_lookup_0", "fc_lookup<kPointerWords, kFcBatch>", tuple(f"{s}[0]" for s in lookup)),
        Process("fc_request", "fc_request<kFcBatch>", request),
        Process("fc_unpack", "fc_unpack<kFcSlots, kFcValueBits, kFcGapBits, kFcBatch>", unpack),
        *(
            Process(
                f"fc_accumulate_{slot}",
                f"{accumulate}<kFcRows, kFcRowsAtOnce, kFcBatch>",
                (f"slot_entries[{slot}]", _slot_sum(slot)),
            )
            for slot in range(a.fc_slots)
        ),
        *(
            Process(
                f"fc_add_group_{group}",
                "fc_add_group<kFcRowsAtOnce, kFcBatch>",
                (f"group_rows[{group}]", f"slot_sums_{group}", f"group_sums[{group}]"),
            )
            for group in groups
        ),
        Process(
            "fc_add_groups",
            "fc_add_groups<kLanes, kFcSlots / kGroupSlots, kFcRows, kFcRowsAtOnce, kFcBatch>",
            ("gather_layer", "biases", "group_sums", outputs),
        ),
    )
    return ProcessNetwork(streams, processes, ("scatter.h", "fc_stream.h"))


def _slot_sum(slot: int) -> str:
    group, number = divmod(slot, GROUP_SLOTS)
    return f"slot_sums_{group}[{number}]"


def process_network(architecture: Architecture) -> ProcessNetwork:
    """The processes and streams of an accelerator; with more than one engine, routing is around them."""
    network = _all_engines(architecture)
    return replace(network, ports=_STREAMED_PORTS) if architecture.fc_slots else network


_STREAMED_PORTS = ("features_in", "weights_in", "columns_in", "requests_out", "features_out")


def _all_engines(architecture: Architecture) -> ProcessNetwork:
    ports = ("weights_in", "features_in", "features_out")
    if not architecture.map_columns:
        return _engines_with_weights(architecture, *ports)
    if not architecture.pes and not architecture.fc_pes:
        return _map_engine(architecture, *ports)
    others = architecture.others
    other = _engines_with_weights(architecture, *(f"{others}_{port}" for port in ("weights", "features", "outputs")))
    maps = _map_engine(architecture, "map_weights", "map_features", "map_outputs")
    names = {"WeightWord": ["map_input_routes", "map_output_routes", f"{others}_weights", "map_weights"]}
    names["FeatureWord<kLanes>"] = [f"{each}_{port}" for port in ("features", "outputs") for each in (others, "map")]
    streams = tuple(Stream(name, element, 2) for element, group in names.items() for name in group)
    head = (
        Process(
            "split_weights",
            "split_weights",
            ("weights_in", f"{others}_weights", "map_weights", "map_input_routes", "map_output_routes"),
        ),
        Process(
            "split_features",
            "split_features<kLanes>",
            ("map_input_routes", "features_in", f"{others}_features", "map_features"),
        ),
    )
    tail = (
        Process(
            "join_outputs",
            "join_outputs<kLanes>",
            ("map_output_routes", f"{others}_outputs", "map_outputs", "features_out"),
        ),
    )
    return ProcessNetwork(
        streams + other.streams + maps.streams,
        head + other.processes + maps.processes + tail,
        ("map_routing.h", *other.headers, *maps.headers),
    )


def _engines_with_weights(a: Architecture, weights_in: str, features_in: str, features_out: str) -> ProcessNetwork:
    """The convolver or the FC engine between the named streams, or both (then with routing around them)."""
    if not a.fc_pes:
        return _convolver(a, weights_in, features_in, features_out)
    fc_engine = _fc_stream if a.fc_slots else _fc_engine
    if not a.pes:
        return fc_engine(a, weights_in, features_in, features_out)
    convolver = _convolver(a, "convolver_weights", "convolver_features", "convolver_outputs")
    fc = fc_engine(a, "fc_weights", "fc_features", "fc_outputs")
    feature = "FeatureWord<kLanes>"
    streams = (
        Stream("input_routes", "WeightWord", 2),
        Stream("output_routes", "WeightWord", 2),
        Stream("convolver_weights", "WeightWord", 2),
        Stream("fc_weights", "WeightWord", 2),
        Stream("convolver_features", feature, 2),
        Stream("fc_features", feature, 2),
        Stream("convolver_outputs", feature, 2),
        Stream("fc_outputs", feature, 2),
    )
    head = (
        Process(
            "route_weights",
            "route_weights",
            (weights_in, "convolver_weights", "fc_weights", "input_routes", "output_routes"),
        ),
        Process(
            "route_features",
            "route_features<kLanes>",
            ("input_routes", features_in, "convolver_features", "fc_features"),
        ),
    )
    tail = (
        Process(
            "merge_outputs",
            "merge_outputs<kLanes>",
            ("output_routes", "convolver_outputs", "fc_outputs", features_out),
        ),
    )
    headers = tuple(dict.fromkeys(("routing.h", *convolver.headers, *fc.headers)))
    return ProcessNetwork(
        streams + convolver.streams + fc.streams, head + convolver.processes + fc.processes + tail, headers
    )
