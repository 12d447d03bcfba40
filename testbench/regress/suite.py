"""SUITE.toml: which builds a regression runs, under which seeds, stalls and images, and for how long."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from testbench.rtl.executor import PORTS
from testbench.rtl.stalls import PATTERNS

__all__ = ["GENERATED", "BuildEntry", "Selection", "Suite", "SuiteError", "load_suite"]

_MOST_RUNS = 100_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class SuiteError(ValueError):
    """A suite is wrong, or does not fit its builds or this machine; one sentence that names the file and the field."""


def _as_seeds(value: Any) -> Any:
    """A list as it is; {first, count} as the list that it stands for."""
    if isinstance(value, dict):
        if set(value) != {"first", "count"} or not all(type(number) is int for number in value.values()):
            raise ValueError("a range of seeds is written {first = 1, count = 8}")
        if not 1 <= value["count"] <= _MOST_RUNS:
            raise ValueError(f"count must be 1 to {_MOST_RUNS}")
        return tuple(range(value["first"], value["first"] + value["count"]))
    return _as_tuple(value)


def _as_images(value: Any) -> Any:
    """A list as it is; a number N as the first N images."""
    if type(value) is int:
        if not 1 <= value <= _MOST_RUNS:
            raise ValueError(f"a number of images must be 1 to {_MOST_RUNS}")
        return tuple(range(value))
    return _as_tuple(value)


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    seen: set[Any] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{value} stands there twice")
        seen.add(value)
    return values


def _plain_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("a name is 1 to 64 letters, digits, '.', '_' and '-', and begins with a letter or digit")
    return name


def _below_the_suite(path: Path, info: ValidationInfo) -> Path:
    """Paths in a suite are relative to its file."""
    base = (info.context or {}).get("folder", Path())
    return Path(base) / path


def _board(name: str, info: ValidationInfo) -> str:
    return str(_below_the_suite(Path(name), info)) if name.endswith(".json") else name


SuitePath = Annotated[Path, AfterValidator(_below_the_suite)]
Seeds = Annotated[
    tuple[Annotated[int, Field(ge=1, lt=2**31)], ...],
    BeforeValidator(_as_seeds),
    AfterValidator(_distinct),
    Field(min_length=1),
]
Images = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...],
    BeforeValidator(_as_images),
    AfterValidator(_distinct),
    AfterValidator(lambda images: tuple(sorted(images))),
    Field(min_length=1),
]
Stalls = Annotated[
    tuple[str, ...], BeforeValidator(_as_tuple), AfterValidator(_distinct), Field(min_length=1, strict=True)
]
Share = Annotated[float, Field(ge=0, lt=1)]
GENERATED = frozenset({"board", "clock", "pes", "lanes", "tile", "pe_outputs", "fc_pes", "fc_slots", "map_lanes"})
"""Fields of a build that say how it is generated, beside its description and stimuli."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Selection(_Part):
    """What is run of a build; a build's own fields go before the suite's."""

    seeds: Seeds | None = Field(None, description="a list, or {first, count}; each gives other stalls and start values")
    stalls: Stalls | None = Field(None, description="names of stall patterns: the bench's, or of [patterns]")
    images: Images | None = Field(None, description="how many of the build's images, or a list of their numbers")
    images_per_run: int | None = Field(None, ge=1, description="images that one simulation runs")
    time_limit_s: float | None = Field(None, gt=0, description="seconds after which a simulation is killed")


class BuildEntry(Selection):
    """A build folder, or a description with what `zeroskip generate` is to make of it."""

    name: Annotated[str, AfterValidator(_plain_name)]
    folder: SuitePath | None = Field(None, strict=False, description="a build that is there")
    description: SuitePath | None = Field(None, strict=False, description="a description, to be generated")
    board: Annotated[str, AfterValidator(_board)] | None = Field(
        None, description="board name, or a board file (.json)"
    )
    stimuli: SuitePath | None = Field(None, strict=False, description=".npy of the images; random ones by default")
    clock: float | None = Field(None, gt=0, description="MHz; the board's by default")
    pes: int = Field(8, ge=1, description="PEs of the convolver")
    lanes: int = Field(16, ge=1, description="pixels in a feature word, a power of two")
    tile: int | None = Field(None, ge=1, description="multipliers of a PE; as many as lanes by default")
    pe_outputs: Literal[1, 2, 4] = Field(1, description="output channels that a PE computes side by side")
    fc_pes: int = Field(8, ge=1, description="PEs of the FC engine")
    fc_slots: int = Field(0, ge=0, description="entries of a column word fetched from DDR; 0: the FC PEs hold weights")
    map_lanes: int = Field(1, ge=1, description="columns that the map engine works on at once, a divisor of lanes")

    @property
    def board_file(self) -> Path | None:
        """The board as a file, None if it is one that the generator knows by name."""
        return Path(self.board) if self.board is not None and self.board.endswith(".json") else None

    @model_validator(mode="after")
    def _check_origin(self) -> BuildEntry:
        if (self.folder is None) == (self.description is None):
            raise ValueError("a build has either a folder or a description")
        generated = (GENERATED | {"stimuli"}) & self.model_fields_set
        if self.folder is not None and generated:
            raise ValueError(f"{sorted(generated)[0]} goes with a description; the build in a folder is made already")
        if self.description is not None and self.board is None:
            raise ValueError("a description needs a board")
        return self


class _Patterns(_Part):
    """Shares of clocks in which a port pauses."""

    features_in: Share = 0.0
    weights_in: Share = 0.0
    features_out: Share = 0.0
    columns_in: Share = 0.0
    requests_out: Share = 0.0


class Suite(_Part):
    """A whole suite.

    Attributes:
        file: where it was read.
    """

    file: Path = Field(exclude=True, strict=False)
    output: SuitePath = Field(strict=False, description="folder of everything that the regression makes")
    seeds: Seeds = (1,)
    stalls: Stalls = ("none", "random")
    images: Images = (0, 1)
    images_per_run: int = Field(1, ge=1)
    time_limit_s: float = Field(600.0, gt=0)
    patterns: dict[Annotated[str, AfterValidator(_plain_name)], _Patterns] = Field(default_factory=dict)
    builds: Annotated[tuple[BuildEntry, ...], BeforeValidator(_as_tuple), Field(min_length=1)]

    @model_validator(mode="after")
    def _check_names(self) -> Suite:
        _distinct(tuple(f"builds: the name '{entry.name}'" for entry in self.builds))
        for name in self.patterns:
            if name in PATTERNS:
                raise ValueError(f"patterns.{name}: the bench has a pattern of that name; choose another")
        known = {*PATTERNS, *self.patterns}
        for place, stalls in self._all_stalls():
            unknown = [name for name in stalls if name not in known]
            if unknown:
                raise ValueError(
                    f"{place}: there is no stall pattern '{unknown[0]}'; known: {', '.join(sorted(known))}"
                )
        if self.size() > _MOST_RUNS:
            raise ValueError(f"the suite has {self.size():,} runs; at most {_MOST_RUNS:,} are allowed")
        return self

    def _all_stalls(self) -> Iterable[tuple[str, tuple[str, ...]]]:
        yield "stalls", self.stalls
        for number, entry in enumerate(self.builds):
            yield f"builds[{number}].stalls", entry.stalls or ()

    def size(self) -> int:
        """Number of runs."""
        return sum(
            len(part.seeds) * len(part.stalls) * -(-len(part.images) // part.images_per_run)
            for part in map(self.selection, self.builds)
        )

    def selection(self, entry: BuildEntry) -> _Chosen:
        """What is run of a build."""
        own = {name: getattr(entry, name) for name in Selection.model_fields}
        return _Chosen(**{name: getattr(self, name) if value is None else value for name, value in own.items()})

    def shares(self, pattern: str, seed: int) -> dict[str, float]:
        """The share of clocks in which each port pauses under a pattern."""
        own = self.patterns.get(pattern)
        shares = PATTERNS[pattern](seed) if own is None else own.model_dump()
        return {port: shares[port] for port in PORTS if shares.get(port)}


class _Chosen(_Part):
    """A selection without gaps."""

    seeds: tuple[int, ...]
    stalls: tuple[str, ...]
    images: tuple[int, ...]
    images_per_run: int
    time_limit_s: float


def load_suite(file: Path) -> Suite:
    """Reads a suite.

    Raises:
        SuiteError: the file is not TOML, or a field is wrong; names the field by its path in the TOML.
        OSError: the file cannot be read.
    """
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SuiteError(f"{file}: is not TOML: {error}.") from None
    if "file" in document:
        raise SuiteError(f"{file}: file: there is no such field.")
    try:
        return Suite.model_validate(document | {"file": file}, context={"folder": file.parent})
    except ValidationError as error:
        raise SuiteError(f"{file}: {_sentence(error)}") from None


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
    match first["type"]:
        case "extra_forbidden":
            reason = "there is no such field"
        case "missing":
            reason = "is missing; every suite and every build needs it"
        case "tuple_type" | "path_type":
            kind = "a list" if first["type"] == "tuple_type" else "a path"
            reason = f"must be {kind}, not {_short(first['input'])}"
        case "value_error":
            reason = str(first["ctx"]["error"])
        case _:
            reason = f"{first['msg'][0].lower()}{first['msg'][1:]}, not {_short(first['input'])}"
    return f"{place}: {reason}." if place else f"{reason}."


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
