"""C++ to optimised LLVM IR: clang, the marks that fix the timing, and a chosen list of LLVM passes.

The number of steps must not hang on what LLVM's passes feel like doing. So a cut is an *observable effect*: a call of
`@rtl.cut` at the start of every loop body, inserted before any pass runs. LLVM may then do whatever the as-if rule
allows, and the calls are still executed exactly once per iteration. `#pragma HLS UNROLL` loops get no mark; those with
a factor get one for so many iterations (`rtl.strip_mining`).
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rtl.errors import CompileError
from rtl.hierarchy import Hierarchy, find_hierarchy
from rtl.interfaces import describe_source, has_start
from rtl.passes import TARGET, PassError, optimised
from rtl.pragmas import Pragma, check_pragmas, function_of, unroll_factor
from rtl.preprocessed import PROBE, Preprocessed, evaluated, placed, read_preprocessed, without_marks
from rtl.strip_mining import PartialLoop, strip_mine

__all__ = ["INCLUDE_DIR", "SourceLoop", "SourceModule", "lower"]

INCLUDE_DIR = Path(__file__).parent / "include"

_CLANG_FLAGS = f"""
    -O1 -Xclang -disable-llvm-passes -std=c++17 -D__SYNTHESIS__ -D__RTL__
    -fno-exceptions -fno-rtti -fno-builtin -fno-sanitize=all -fno-threadsafe-statics -fno-stack-protector
    -fomit-frame-pointer -fno-vectorize -fno-slp-vectorize -fno-unroll-loops -fsigned-char
    -target {TARGET} -mcpu=baseline -Xclang -fexperimental-max-bitint-width=65536
    -gline-tables-only -fno-discard-value-names -Wno-unknown-pragmas -Wno-unused-command-line-argument
"""

_EFFECT = "nounwind willreturn nomerge nocallback nofree nosync memory(inaccessiblemem: readwrite)"
_DEFINE = re.compile(r"^define .*?@([\w$.]+|\"[^\"]*\")\(")
_SUBPROGRAM = re.compile(r"!dbg !(\d+)")
_LABEL = re.compile(r"^([\w.$-]+|\"[^\"]*\"):")
_LATCH = re.compile(r"^  br label %([\w.$-]+), .*!llvm\.loop !(\d+)|^  br i1 .*!llvm\.loop !(\d+)")
_CONDITIONAL_LATCH = re.compile(r"^  br i1 [^,]+, label %([\w.$-]+), label %([\w.$-]+)")
_METADATA = re.compile(r"^!(\d+) = (.*)$")
_STREAM_INTRINSIC = re.compile(
    r"^declare .*@(_ZN3rtl1[12]stream_(?P<op>read|write)ILi(?P<bits>\d+)ELi(?P<bytes>\d+)E"
    r"(?:NS_5sidesI(?P<sides>(?:Li\d+E)+)E)?\w*)\("
)
_STREAM_CALL = re.compile(r"@(rtl\.(?:read|write)\.i(\d+)[\d.]*)\(")
_BODY = re.compile(r"^(for|while)\.body\d*$")
_CLANG_ERROR = re.compile(r"^(.+?):(\d+):\d+: (?:fatal )?error: (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class SourceLoop:
    """A loop as it stands in the source.

    Attributes:
        file: source file.
        line: first line.
        last_line: last line.
        pipeline: the PIPELINE pragma that stands in it and in no loop inside it.
        factor: iterations that UNROLL makes one step of.
    """

    file: str
    line: int
    last_line: int
    pipeline: Pragma | None
    factor: int = 1


@dataclass
class SourceModule:
    """Optimised LLVM IR of one translation unit.

    Attributes:
        text: the IR, as text; every function but the regions and the processes is inlined.
        top: symbol of the top function.
        regions: symbols of the dataflow regions, callers first; `top` is the first, unless it is a process itself.
        processes: symbols of the functions that regions call, in order of first call.
        pragmas: HLS pragmas of all source files involved.
        loops: the loops that are not unrolled, by the number that cuts name.
        pipelined: PIPELINE pragmas outside loops, by file and first line of the function that they stand in.
        functions: file and first line of every function, in order; lambdas belong to the one that they stand in.
        interface: the INTERFACE pragmas in the top function, when they ask for a start.
        described: IR of what `rtl.interfaces` wants to know of the top function then.
    """

    text: str
    top: str
    regions: list[str]
    processes: list[str]
    pragmas: list[Pragma] = field(default_factory=list)
    loops: list[SourceLoop] = field(default_factory=list)
    pipelined: dict[tuple[str, int], Pragma] = field(default_factory=dict)
    functions: list[tuple[str, int]] = field(default_factory=list)
    interface: list[Pragma] = field(default_factory=list)
    described: str = ""


def lower(source: Path, top: str, include: Sequence[Path], defines: Mapping[str, str]) -> SourceModule:
    """Runs clang and the passes on `source`.

    Raises:
        CompileError: clang's first error, a missing top function, or a pragma that is not supported.
    """
    lines, pragmas = _compiled(source, include, defines)
    metadata = _Metadata(lines)
    check_pragmas(pragmas)
    symbol = _find_top(lines, metadata, top, source)
    hierarchy = _hierarchy(lines, metadata, pragmas, symbol)
    found = _mark_loops(lines, metadata, [pragma for pragma in pragmas if pragma.name == "UNROLL"])
    loops, pipelined = _pipelines(
        found, metadata.function_starts(), [pragma for pragma in pragmas if pragma.name == "PIPELINE"]
    )
    text = _set_inlining(lines, {*hierarchy.regions, *hierarchy.processes})
    try:
        ir = optimised(text)
    except PassError as error:
        raise CompileError(str(source), 0, f"LLVM breaks on the marked IR: {error}") from error
    _check_unrolled(ir)
    module = SourceModule(ir, symbol, hierarchy.regions, hierarchy.processes, pragmas, loops, pipelined)
    module.functions = metadata.function_starts()
    module.interface = _interface(lines, metadata, pragmas, symbol)
    if module.interface:
        module.described = _described(source, top, include, defines)
    return module


def _interface(lines: Sequence[str], metadata: _Metadata, pragmas: Sequence[Pragma], top: str) -> list[Pragma]:
    header = next(lines[start] for symbol, start, _ in _functions(lines) if symbol == top)
    debug = _SUBPROGRAM.search(header)
    place = metadata.function_start(int(debug[1])) if debug else None
    starts = metadata.function_starts()
    found = [item for item in pragmas if item.name == "INTERFACE" and function_of(item, starts) == place]
    return found if has_start(found) else []


def _described(source: Path, top: str, include: Sequence[Path], defines: Mapping[str, str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        question = Path(folder) / "parameters.cpp"
        question.write_text(describe_source(str(source.resolve()), top))
        try:
            return _clang(question, [source.parent, *include], defines)
        except CompileError as error:
            message = f"the types of the parameters of '{top}' cannot be told: {error.message}"
            raise CompileError(str(source), 1, message) from error


def _compiled(source: Path, include: Sequence[Path], defines: Mapping[str, str]) -> tuple[list[str], list[Pragma]]:
    """Lines of clang's IR, and the pragmas of the files that contributed to it."""
    text = _clang(source, include, defines, ["-E", "-dD"])
    unmarked: set[tuple[str, int]] | None = set()
    while True:
        read = read_preprocessed(text, Path.cwd(), unmarked)
        try:
            marked = _unit(read, include)
            break
        except CompileError as error:
            if unmarked is None or not any(pragma.mark for pragma in read.pragmas):
                raise
            # Where no statement can stand, lines say what a pragma means. An `else` may follow it, on another line.
            place = (str(Path.cwd() / error.file), error.line)
            known = place in {(pragma.file, pragma.line) for pragma in read.pragmas if pragma.mark}
            unmarked = unmarked | {place} if known else None
    lines = without_marks(marked)
    files = _Metadata(lines).files()
    pragmas = placed([pragma for pragma in read.pragmas if pragma.file in files], marked)
    return lines, evaluated(pragmas, lines)


def _unit(read: Preprocessed, include: Sequence[Path]) -> list[str]:
    """Lines of the IR of a preprocessed translation unit."""
    with tempfile.TemporaryDirectory() as folder:
        unit = Path(folder) / "unit.cpp"
        unit.write_text(read.text)
        return _clang(unit, include, {}).splitlines()


def _clang(
    source: Path, include: Sequence[Path], defines: Mapping[str, str], options: Sequence[str] = ("-S", "-emit-llvm")
) -> str:
    """What clang writes, by default LLVM IR."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        command = [sys.executable, "-m", "ziglang", "c++", *options, *_CLANG_FLAGS.split(), f"-I{INCLUDE_DIR}"]
        command += [f"-fdebug-compilation-dir={Path.cwd()}", *(f"-I{path}" for path in include)]
        command += [f"-D{name}={value}" for name, value in defines.items()]
        done = subprocess.run([*command, str(source), "-o", str(output)], capture_output=True, text=True, check=False)
        if done.returncode != 0 or not output.exists():
            raise _clang_error(done.stderr, source)
        return output.read_text()


def _clang_error(printed: str, source: Path) -> CompileError:
    error = _CLANG_ERROR.search(printed)
    if error is None:
        return CompileError(str(source), 0, f"clang failed: {printed.strip()[-400:]}")
    message = "the number in the pragma is no constant" if PROBE in error[3] else error[3]
    return CompileError(error[1], int(error[2]), message)


@dataclass(frozen=True)
class _LoopRange:
    """File, (line, column) of the start, last line."""

    file: str
    start: tuple[int, ...]
    last_line: int

    def holds(self, pragma: Pragma) -> bool:
        """The pragma's line is inside."""
        return self.file == pragma.file and self.start[0] <= pragma.line <= self.last_line


@dataclass(frozen=True)
class _Loops:
    """Loops with cuts and UNROLL's factor, in the order of the numbers that the cuts name; all loops by their nodes.

    A template's instances share a number, unless their factors differ.
    """

    marked: list[tuple[_LoopRange | None, int]]
    all: dict[int, _LoopRange | None]
    functions: dict[int, str]


class _Metadata:
    """Debug metadata of unoptimised IR, as far as loops and function names need it."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.nodes = {int(m[1]): m[2] for m in map(_METADATA.match, lines) if m}

    def files(self) -> list[str]:
        """Source files that contributed code, as paths."""
        return sorted({self._path(node) for node in self.nodes.values() if node.startswith("!DIFile(")})

    def function_name(self, number: int) -> str:
        """Name of the DISubprogram `number`, template arguments included."""
        match = re.search(r'name: "([^"]*)"', self.nodes[number])
        return match[1] if match else ""

    def function_start(self, number: int) -> tuple[str, int]:
        """File and first line of the DISubprogram `number`."""
        line = re.search(r"\bline: (\d+)", self.nodes[number])
        return self._scope_file(number), int(line[1]) if line else 0

    def function_starts(self) -> list[tuple[str, int]]:
        """File and first line of every function."""
        nodes = [node for node in self.nodes.values() if "DISubprogram(" in node and 'name: "operator()"' not in node]
        lines = [(re.search(r"\bline: (\d+)", node), re.search(r"\bfile: !(\d+)", node)) for node in nodes]
        return sorted({(self._path(self.nodes[int(file[1])]), int(line[1])) for line, file in lines if line and file})

    def loop_range(self, number: int) -> _LoopRange | None:
        """Where the loop with the metadata node `number` stands."""
        places = [self._place(int(ref)) for ref in re.findall(r"!(\d+)", self.nodes[number])]
        found = [place for place in places if place]
        return _LoopRange(found[0][0], found[0][1:], found[-1][1]) if found else None

    def _place(self, number: int) -> tuple[str, int, int] | None:
        node = self.nodes.get(number, "")
        match = re.match(r"!DILocation\(line: (\d+)(?:, column: (\d+))?, scope: !(\d+)", node)
        return (self._scope_file(int(match[3])), int(match[1]), int(match[2] or 0)) if match else None

    def _scope_file(self, number: int) -> str:
        match = re.search(r"\bfile: !(\d+)", self.nodes[number])
        return self._path(self.nodes[int(match[1])]) if match else ""

    @staticmethod
    def _path(node: str) -> str:
        name = re.search(r'filename: "([^"]*)"', node)
        folder = re.search(r'directory: "([^"]*)"', node)
        return str(Path(folder[1] if folder else "") / (name[1] if name else ""))


def _functions(lines: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Symbol, first line and end line (of the closing brace) of every function definition."""
    start, symbol = 0, ""
    for number, line in enumerate(lines):
        match = _DEFINE.match(line)
        if match:
            start, symbol = number, match[1]
        elif line == "}":
            yield symbol, start, number


def _find_top(lines: Sequence[str], metadata: _Metadata, top: str, source: Path) -> str:
    found = []
    for symbol, start, _ in _functions(lines):
        debug = _SUBPROGRAM.search(lines[start])
        if debug and metadata.function_name(int(debug[1])) == top:
            found.append(symbol)
    if len(found) != 1:
        problem = "is not defined" if not found else "is defined more than once (overloaded)"
        raise CompileError(str(source), 1, f"top function '{top}' {problem}")
    return found[0]


def _hierarchy(lines: Sequence[str], metadata: _Metadata, pragmas: Sequence[Pragma], top: str) -> Hierarchy:
    bodies, starts = {}, {}
    for symbol, start, end in _functions(lines):
        debug = _SUBPROGRAM.search(lines[start])
        bodies[symbol] = lines[start:end]
        starts[symbol] = metadata.function_start(int(debug[1])) if debug else ("", 0)
    known = metadata.function_starts()
    dataflow = {function_of(pragma, known) for pragma in pragmas if pragma.name == "DATAFLOW"}
    return find_hierarchy(bodies, starts, {start for start in dataflow if start}, top)


def _mark_loops(lines: list[str], metadata: _Metadata, unrolls: Sequence[Pragma]) -> _Loops:
    """Puts a cut at the start of every loop's body, except where the loop is to be unrolled; sets loop metadata."""
    bodies: dict[int, tuple[str, str, str]] = {}  # symbol of the function, header, where an iteration begins
    inserts: dict[int, str] = {}
    loops: dict[int, _LoopRange | None] = {}
    for symbol, start, end in _functions(lines):
        for header, node in _loops_of(lines, start, end):
            loops[node] = metadata.loop_range(node)
            label = _body_label(lines, start, end, header)
            inserts[node] = f"{start}:{label}"
            bodies[node] = (symbol, header, label)
    functions = {node: body[0] for node, body in bodies.items()}
    unrolled = _unrolled_loops(loops, functions, unrolls)
    factors = {node: factor for node, pragma in unrolled.items() if (factor := unroll_factor(pragma))}
    marked = [node for node in loops if node not in unrolled or node in factors]
    ranges: dict[tuple[_LoopRange | None, int], int] = {}  # numbers of loops and their factors
    free = max(metadata.nodes, default=0) + 3  # _set_loop_metadata takes two numbers
    marks = {node: free + ranges.setdefault((loops[node], factors.get(node, 1)), len(ranges)) for node in marked}
    _insert_cuts(lines, {inserts[node]: mark for node, mark in marks.items() if node not in factors})
    free += len(ranges)
    for outer, (node, factor) in enumerate(factors.items(), start=free):
        symbol, header, body = bodies[node]
        start, end = next((start, end) for name, start, end in _functions(lines) if name == symbol)
        lines[start:end] = strip_mine(lines[start:end], PartialLoop(header, body, node, outer, marks[node], factor))
    disable = _set_loop_metadata(lines, loops, unrolled)
    lines += [f"!{outer} = distinct !{{!{outer}, !{disable}}}" for outer in range(free, free + len(factors))]
    lines += [f'!{free - len(ranges) + number} = !{{!"rtl.loop.{number}"}}' for number in ranges.values()]
    return _Loops(list(ranges), loops, functions)


def _loops_of(lines: Sequence[str], start: int, end: int) -> Iterator[tuple[str, int]]:
    """Header label and metadata node of each loop of a function."""
    labels: list[str] = []
    for line in lines[start:end]:
        label = _LABEL.match(line)
        if label:
            labels.append(label[1])
        latch = _LATCH.match(line)
        if not latch:
            continue
        if latch[1]:
            yield latch[1], int(latch[2])
        else:
            targets = _CONDITIONAL_LATCH.match(line)
            assert targets
            yield next(name for name in (targets[1], targets[2]) if name in labels), int(latch[3])


def _body_label(lines: Sequence[str], start: int, end: int, header: str) -> str:
    """Where an iteration begins: clang's block for the body, or the header of a loop that tests nothing at its top."""
    headers = {name for name, _ in _loops_of(lines, start, end)}
    labels = [match[1] for match in map(_LABEL.match, lines[start:end]) if match]
    for label in labels[labels.index(header) + 1 :]:
        if label in headers:
            break
        match = _BODY.match(label)
        if match and header.startswith(f"{match[1]}.cond"):
            return label
    return header


def _unrolled_loops(
    loops: Mapping[int, _LoopRange | None], functions: Mapping[int, str], unrolls: Sequence[Pragma]
) -> dict[int, Pragma]:
    """Loops that are the innermost around an UNROLL pragma. Template instances give several loops one range."""
    chosen: dict[int, Pragma] = {}
    for pragma in unrolls:
        if re.search(r"\boff\b", pragma.arguments, re.IGNORECASE) or unroll_factor(pragma) == 1:
            continue
        own = {node: place for node, place in loops.items() if pragma.function in ("", functions[node])}
        around = _around(pragma, own, functions)
        if pragma.function and not around:
            message = "the factor differs between instances, and which loop is meant cannot be told"
            raise CompileError(pragma.file, pragma.line, message)
        if around:
            innermost = max(place.start for place in around.values())
            chosen.update({node: pragma for node, place in around.items() if place.start == innermost})
    return chosen


def _around(
    pragma: Pragma, loops: Mapping[int, _LoopRange | None], functions: Mapping[int, str]
) -> dict[int, _LoopRange]:
    """The loops whose lines hold a pragma: of the functions that it stands in, or what a lambda of such stands in."""
    around = {node: place for node, place in loops.items() if place and place.holds(pragma)}
    return {node: place for node, place in around.items() if functions[node] in pragma.inside} or around


def _pipelines(
    loops: _Loops, starts: Sequence[tuple[str, int]], pragmas: Sequence[Pragma]
) -> tuple[list[SourceLoop], dict[tuple[str, int], Pragma]]:
    """The marked loops with their PIPELINE pragmas, and the functions that have one outside loops."""
    inside: dict[_LoopRange | None, Pragma] = {}
    functions: dict[tuple[str, int], Pragma] = {}
    for pragma in pragmas:
        around = _around(pragma, loops.all, loops.functions)
        if around:
            inside[max(around.values(), key=lambda place: place.start)] = pragma
            continue
        start = function_of(pragma, starts)
        if start:
            functions[start] = pragma
    known = [
        SourceLoop(place.file, place.start[0], place.last_line, inside.get(place), factor)
        if place
        else SourceLoop("", 0, 0, None)
        for place, factor in loops.marked
    ]
    return known, functions


def _insert_cuts(lines: list[str], places: Mapping[str, int]) -> None:
    start = 0
    result: list[str] = []
    for number, line in enumerate(lines):
        if _DEFINE.match(line):
            start = number
        result.append(line)
        label = _LABEL.match(line)
        mark = places.get(f"{start}:{label[1]}") if label else None
        if mark is not None:
            result.append(f"  call void @rtl.cut(), !rtl.loop !{mark}")
    lines[:] = result


def _set_loop_metadata(lines: list[str], loops: Mapping[int, object], unrolled: Mapping[int, Pragma]) -> int:
    """Says of each loop whether LLVM unrolls it; returns the number of the node that forbids it."""
    highest = max((int(match[1]) for match in map(_METADATA.match, lines) if match), default=0)
    lines.append(f'!{highest + 1} = !{{!"llvm.loop.unroll.full"}}')
    lines.append(f'!{highest + 2} = !{{!"llvm.loop.unroll.disable"}}')
    for number, line in enumerate(lines):
        match = _METADATA.match(line)
        if match and int(match[1]) in loops:
            node = int(match[1])
            own = [ref for ref in re.findall(r"!(\d+)", match[2]) if int(ref) != node]
            kept = [f"!{ref}" for ref in own if _is_location(lines, int(ref), highest)]
            wish = highest + 1 if node in unrolled else highest + 2
            lines[number] = f"!{node} = distinct !{{!{node}, {', '.join([*kept, f'!{wish}'])}}}"
    return highest + 2


def _is_location(lines: Sequence[str], number: int, highest: int) -> bool:
    # Metadata nodes are numbered in order, at the end of the module.
    for line in lines[-(highest + 3) :]:
        if line.startswith(f"!{number} = "):
            return "!DILocation" in line
    return False


def _set_inlining(lines: Sequence[str], kept: set[str]) -> str:
    """Everything is inlined but `kept`; stream operations become calls of typed intrinsics."""
    result: list[str] = []
    for line in lines:
        define = _DEFINE.match(line)
        stream = _STREAM_INTRINSIC.match(line)
        if define:
            wish = "noinline" if define[1] in kept else "alwaysinline"
            result.append(re.sub(r" #(\d+)(?= |$)", f" {wish} #\\1", line, count=1))
        elif stream:
            sides = "".join(f".{number}" for number in re.findall(r"\d+", stream["sides"] or ""))
            called = f"rtl.{stream['op']}.i{stream['bits']}{sides}"
            result += _stream_definition(stream[1], called, int(stream["bits"]), 8 * int(stream["bytes"]))
        elif line.startswith("attributes #"):
            result.append(re.sub(r"\b(noinline|alwaysinline|optnone|inlinehint)\b ?", "", line))
        else:
            result.append(line)
    result += [f"declare void @rtl.{mark}() {_EFFECT}" for mark in ("cut", "iteration")]
    calls = {match[1]: match[2] for line in result for match in _STREAM_CALL.finditer(line)}
    for name, width in sorted(calls.items()):
        kind, word = (f"i{width}", "") if name.startswith("rtl.read") else ("void", f", i{width}")
        result.append(f"declare {kind} @{name}(ptr captures(none){word}) {_EFFECT}")
    return "\n".join(result) + "\n"


def _stream_definition(symbol: str, called: str, width: int, memory: int) -> list[str]:
    """Body of rtl::stream_read / stream_write, with the word in the form in which clang keeps _BitInts in memory."""
    arguments = "(ptr captures(none) %stream, ptr captures(none) %word) alwaysinline nounwind {"
    narrow = memory == width
    if called.startswith("rtl.read"):
        store = [f"  store i{width} %value, ptr %word, align 1"]
        if not narrow:
            store = [f"  %wide = zext i{width} %value to i{memory}", f"  store i{memory} %wide, ptr %word, align 1"]
        body = [f"  %value = call i{width} @{called}(ptr %stream)", *store]
    else:
        load = [f"  %value = load i{width}, ptr %word, align 1"]
        if not narrow:
            load = [f"  %wide = load i{memory}, ptr %word, align 1", f"  %value = trunc i{memory} %wide to i{width}"]
        body = [*load, f"  call void @{called}(ptr %stream, i{width} %value)"]
    return [f"define internal void @{symbol}{arguments}", *body, "  ret void", "}"]


def _check_unrolled(text: str) -> None:
    """Refuses loops that were to be unrolled and still stand."""
    lines = text.splitlines()
    metadata = _Metadata(lines)
    wished = {number for number, node in metadata.nodes.items() if '"llvm.loop.unroll.full"' in node}
    for line in lines:
        match = re.search(r"^  br .*!llvm\.loop !(\d+)", line)
        if match and wished & {int(ref) for ref in re.findall(r"!(\d+)", metadata.nodes[int(match[1])])}:
            place = metadata.loop_range(int(match[1]))
            file, number = (place.file, place.start[0]) if place else ("", 0)
            message = "the loop cannot be unrolled: its number of iterations is not a constant"
            raise CompileError(file, number, message)
