"""What the random programs compute with: number formats, structures and the names in scope."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace

__all__ = ["Array", "Fixed", "Helper", "Integer", "Kind", "Native", "Palette", "Scope", "Structure", "Variable"]

# Seeds that share their widths and formats: the reference is built in batches, and most of that time goes into one
# instance of Xilinx' templates per width.
GROUP = 64
_QUANTISATION = ("AP_TRN", "AP_RND", "AP_RND_ZERO", "AP_RND_MIN_INF", "AP_RND_INF", "AP_RND_CONV", "AP_TRN_ZERO")
_OVERFLOW = ("AP_WRAP", "AP_SAT", "AP_SAT_ZERO", "AP_SAT_SYM", "AP_WRAP")
_NATIVE = {"bool": 1, "unsigned char": 8, "signed char": 8, "short": 16, "unsigned short": 16, "int": 32}
_NATIVE |= {"unsigned": 32, "long long": 64, "unsigned long long": 64}


@dataclass(frozen=True)
class Integer:
    """ap_int or ap_uint of `width` bits."""

    width: int
    signed: bool

    @property
    def text(self) -> str:
        return f"{'ap_int' if self.signed else 'ap_uint'}<{self.width}>"


@dataclass(frozen=True)
class Native:
    """A built-in integer."""

    text: str

    @property
    def width(self) -> int:
        return _NATIVE[self.text]


@dataclass(frozen=True)
class Fixed:
    """ap_fixed or ap_ufixed: W, I, Q, O and N."""

    width: int
    integer: int
    signed: bool
    quantisation: str = "AP_TRN"
    overflow: str = "AP_WRAP"
    saturated: int = 0

    @property
    def text(self) -> str:
        name = "ap_fixed" if self.signed else "ap_ufixed"
        modes = f", {self.quantisation}, {self.overflow}, {self.saturated}"
        return f"{name}<{self.width}, {self.integer}{'' if modes == ', AP_TRN, AP_WRAP, 0' else modes}>"


@dataclass(frozen=True)
class Structure:
    """A plain structure that travels in streams and lies in arrays."""

    text: str
    fields: tuple[tuple[str, Integer | Native | Fixed], ...]


Kind = Integer | Native | Fixed | Structure


@dataclass(frozen=True)
class Variable:
    """A name of a kind that is no structure."""

    name: str
    kind: Integer | Native | Fixed


@dataclass(frozen=True)
class Array:
    """An array with all its elements set; `sizes` has one or two numbers."""

    name: str
    kind: Integer | Fixed
    sizes: tuple[int, ...]
    writable: bool = True


@dataclass(frozen=True)
class Helper:
    """A function without side effects from integers to an integer, called `name(argument, ...)`."""

    name: str
    arguments: tuple[Integer, ...]


@dataclass
class Scope:
    """Names that statements may use.

    Attributes:
        variables: may be assigned.
        constants: built-in integers that are only read, such as loop counters.
        depth: blocks around.
        unrolled: an UNROLL loop is among them, so that the code is there several times.
    """

    variables: list[Variable] = field(default_factory=list)
    constants: list[str] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)
    helpers: list[Helper] = field(default_factory=list)
    depth: int = 0
    unrolled: bool = False

    def inner(self, unrolled: bool = False) -> Scope:
        """A block in this scope."""
        lists = {name: list(getattr(self, name)) for name in ("variables", "constants", "arrays", "helpers")}
        return replace(self, **lists, depth=self.depth + 1, unrolled=self.unrolled or unrolled)

    def of(self, kind: type) -> list[Variable]:
        """Variables of a sort of numbers."""
        return [item for item in self.variables if isinstance(item.kind, kind)]


class Palette:
    """The widths and formats of a program, random numbers, fresh names, and what has been written so far.

    Attributes:
        random: of the program's seed.
        constructs: how often each construct was written.
    """

    def __init__(self, seed: int) -> None:
        shared = random.Random(f"palette {seed // GROUP}")
        self.random = random.Random(seed)
        self.constructs: Counter[str] = Counter()
        # Small ones, the sizes of built-in types with their neighbours, any up to 128, and one wider.
        widths = [1, shared.randint(2, 7), 8, shared.randint(9, 15), 16, shared.randint(17, 31)]
        widths += [32, shared.choice((31, 33, 63, 64, 65)), shared.randint(34, 63), 64, shared.randint(65, 128)]
        widths.append(shared.choice((127, 128, 129, 160, 200, 256)))
        self.widths = sorted(set(widths))
        self.formats = [self._format(shared) for _ in range(8)]
        self._count = 0

    @staticmethod
    def _format(shared: random.Random) -> Fixed:
        width = shared.choice((shared.randint(1, 12), shared.randint(6, 24), shared.randint(16, 40), 64, 70))
        integer = shared.choice((shared.randint(1, width), shared.randint(1, width), shared.randint(-3, width + 4)))
        overflow = shared.choice(_OVERFLOW)
        saturated = shared.randint(0, width) if overflow == "AP_WRAP" and shared.random() < 0.4 else 0
        return Fixed(width, integer, shared.random() < 0.65, shared.choice(_QUANTISATION), overflow, saturated)

    def note(self, construct: str) -> None:
        """Counts a construct."""
        self.constructs[construct] += 1

    def fresh(self, prefix: str) -> str:
        """A name that is not used yet."""
        self._count += 1
        return f"{prefix}{self._count}"

    def chance(self, share: float) -> bool:
        """True in that share of cases."""
        return self.random.random() < share

    def integer(self, most: int = 1 << 30) -> Integer:
        """An ap_int or ap_uint of at most that many bits."""
        width = self.random.choice([width for width in self.widths if width <= most])
        kind = Integer(width, self.chance(0.5))
        sizes = ((1, "1 bit"), (8, "2 to 8 bits"), (32, "9 to 32 bits"), (64, "33 to 64 bits"), (128, "65 to 128 bits"))
        self.note("width: " + next((text for size, text in sizes if width <= size), "above 128 bits"))
        self.note("ap_int" if kind.signed else "ap_uint")
        return kind

    def native(self) -> Native:
        """A built-in integer."""
        kind = Native(self.random.choice(list(_NATIVE)))
        self.note(f"built-in: {kind.text}")
        return kind

    def fixed(self) -> Fixed:
        """One of the program's fixed-point formats."""
        kind = self.random.choice(self.formats)
        self.note("ap_fixed" if kind.signed else "ap_ufixed")
        self.note(f"fixed point: {kind.quantisation}")
        self.note(f"fixed point: {kind.overflow}{' with N' if kind.saturated else ''}")
        return kind

    def number(self) -> Integer | Native | Fixed:
        """Any kind of number."""
        choice = self.random.random()
        return self.integer() if choice < 0.6 else self.fixed() if choice < 0.85 else self.native()
