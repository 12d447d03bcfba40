"""Random processes, each kind with its streams: from one stream of words to another."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.rtl.random_statements import Statements
from tests.rtl.random_types import Array, Fixed, Integer, Kind, Native, Scope, Structure, Variable

__all__ = ["Part", "Processes", "Stream"]


@dataclass(frozen=True)
class Stream:
    """A stream between processes: its name, what it carries and how many words a call of top."""

    name: str
    kind: Kind
    words: int


@dataclass
class Part:
    """Processes between two streams.

    Attributes:
        text: definitions.
        streams: declarations of the streams in between.
        calls: in top; with the number of times that C++ has to call a process which takes one word a call.
        kind, words: what comes out, and how many words a call of top.
    """

    kind: Kind
    words: int
    text: list[str] = field(default_factory=list)
    streams: list[str] = field(default_factory=list)
    calls: list[tuple[str, int]] = field(default_factory=list)


class Processes(Statements):
    """Writes processes over the functions that all processes of a program may call."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.shared = Scope()
        self.structures: list[Structure] = []

    def structure(self) -> list[str]:
        """The definition of a new structure."""
        self.note("structure")
        kinds: list[Integer | Native | Fixed] = [self.number() for _ in range(self.random.randint(2, 4))]
        fields = tuple((f"m{index}", kind) for index, kind in enumerate(kinds))
        name = self.fresh("Record")
        self.structures.append(Structure(name, fields))
        return [f"struct {name} {{ {' '.join(f'{kind.text} {label};' for label, kind in fields)} }};"]

    def word(self) -> Kind:
        """What a stream carries."""
        if self.structures and self.chance(0.3):
            self.note("stream of structures")
            return self.random.choice(self.structures)
        kind = self.number()
        self.note(f"stream of {type(kind).__name__}")
        return kind

    def declared_stream(self, name: str, kind: Kind, depth: int) -> str:
        """A stream of top; depth 0 leaves it to the compiler."""
        self.note(f"stream of depth {depth if depth < 5 else '5 and more'}" if depth else "stream without depth")
        return f"hls::stream<{kind.text}{f', {depth}' if depth else ''}> {name};"

    @staticmethod
    def head(name: str, source: Kind, sink: Kind) -> str:
        """A process' first line."""
        return f"void {name}(hls::stream<{source.text}>& in, hls::stream<{sink.text}>& out) {{"

    # What the processes are made of -----------------------------------------------------------------------------

    def bind(self, scope: Scope, name: str, kind: Kind) -> None:
        """Puts a word, or the fields of one, in scope."""
        if isinstance(kind, Structure):
            scope.variables += [Variable(f"{name}.{label}", field_kind) for label, field_kind in kind.fields]
        else:
            scope.variables.append(Variable(name, kind))

    def written(self, scope: Scope, kind: Kind) -> list[str]:
        """Writes a computed word."""
        if not isinstance(kind, Structure):
            call = self.random.choice(("out.write(", "out << ("))
            cast = f"({kind.text})" if isinstance(kind, Native) else kind.text
            return [f"{call}{cast}({self.value(scope, kind)}));"]
        name = self.fresh("r")
        fields = [f"{name}.{label} = {self.value(scope, field_kind, 2)};" for label, field_kind in kind.fields]
        return [f"{kind.text} {name}; {' '.join(fields)}", f"out.write({name});"]

    def taken(self, scope: Scope, kind: Kind, name: str = "") -> list[str]:
        """Reads a word into scope, in one of the three ways."""
        name = name or self.fresh("word")
        self.bind(scope, name, kind)
        way = self.random.randrange(3)
        self.note(("read()", "read(T&)", ">>")[way])
        if way == 0:
            return [f"{kind.text} {name} = in.read();"]
        return [f"{kind.text} {name}; {f'in.read({name});' if way == 1 else f'in >> {name};'}"]

    def state(self, scope: Scope) -> list[str]:
        """Variables and arrays before the first loop."""
        lines: list[str] = []
        for _ in range(self.random.randint(1, 3)):
            variable = Variable(self.fresh("s"), self.number())
            static = "static " if self.chance(0.35) else ""
            self.note(f"{static or 'local '}variable")
            lines.append(self.declared(variable, self.initial(variable.kind), static))
            scope.variables.append(variable)
        for _ in range(self.random.randint(0, 2)):
            lines += self.array(scope)
        return lines

    def scope(self) -> Scope:
        """A new process' scope."""
        return Scope(helpers=list(self.shared.helpers))

    # Kinds of processes -----------------------------------------------------------------------------------------

    def transform(self, source: Stream, sink: str, kind: Kind | None = None) -> Part:
        """One word for each, in a loop, with state from word to word."""
        self.note("process: word by word")
        kind, name, scope = kind or self.word(), self.fresh("transform"), self.scope()
        setup = self.state(scope)
        body = self.taken(scope, source.kind)
        body += self.statements(scope, self.random.randint(1, 4)) + self.written(scope, kind)
        loop = f"for (int t = 0; t < {source.words}; ++t) {{"
        text = [self.head(name, source.kind, kind), *setup, loop, *body, "}", "}"]
        return Part(kind, source.words, text, [], [(f"{name}({source.name}, {sink});", 1)])

    def single(self, source: Stream, sink: str) -> Part:
        """One word a call, with an early return."""
        self.note("process: one word a call, early return")
        kind, name, scope = self.word(), self.fresh("single"), self.scope()
        body = self.state(scope) + self.taken(scope, source.kind) + self.statements(scope, self.random.randint(0, 2))
        early = scope.inner()
        body += [f"if ({self.condition(scope, 1)}) {{", *self.statements(early, 1), *self.written(early, kind)]
        body += ["return;", "}", *self.statements(scope, self.random.randint(1, 3)), *self.written(scope, kind)]
        text = [self.head(name, source.kind, kind), *body, "}"]
        return Part(kind, source.words, text, [], [(f"{name}({source.name}, {sink});", source.words)])

    def block(self, source: Stream, sink: str) -> Part:
        """All words into an array, and out again in another order."""
        self.note("process: block in another order")
        name, count = self.fresh("block"), source.words
        order = self.random.choice((f"{count - 1} - t", f"(t * 5 + 1) % {count}", "t"))
        scope = self.scope()
        setup = self.state(scope)
        scope.constants.append("t")
        first = self.statements(scope.inner(), self.random.randint(0, 2))
        text = [
            self.head(name, source.kind, source.kind),
            *setup,
            f"{source.kind.text} buffer[{count}];",
            f"for (int t = 0; t < {count}; ++t) {{",
            *first,
            "buffer[t] = in.read();",
            "}",
            f"for (int t = 0; t < {count}; ++t) out.write(buffer[{order}]);",
            "}",
        ]
        return Part(source.kind, count, text, [], [(f"{name}({source.name}, {sink});", 1)])

    def keep(self, source: Stream, sink: str) -> Part:
        """Structures in an array, assigned from element to element."""
        self.note("process: structures in an array")
        record, kind, name, scope = self.random.choice(self.structures), self.word(), self.fresh("keep"), self.scope()
        kept = Array(self.fresh("kept"), Integer(1, False), (self.random.choice((2, 4, 5, 9)),), True)
        setup = self.state(scope)
        body = self.taken(scope, source.kind, "word")
        fields = [f"item.{label} = {self.value(scope, field_kind, 1)};" for label, field_kind in record.fields]
        body += [f"{record.text} item; {' '.join(fields)}", f"{self.element(scope, kept)} = item;"]
        for _ in range(self.random.randint(1, 3)):
            body += self._moved(scope, kept, record.text)
        self.bind(scope, f"{kept.name}[{self.random.randrange(kept.sizes[0])}]", record)
        body += self.statements(scope, self.random.randint(0, 2))
        body.append(f"item = {self.element(scope, kept)};")
        self.bind(scope, "item", record)
        declared = f"static {record.text} {kept.name}[{kept.sizes[0]}];"
        loop = f"for (int t = 0; t < {source.words}; ++t) {{"
        text = [self.head(name, source.kind, kind), declared, *setup, loop, *body, *self.written(scope, kind)]
        return Part(kind, source.words, [*text, "}", "}"], [], [(f"{name}({source.name}, {sink});", 1)])

    def _moved(self, scope: Scope, kept: Array, record: str) -> list[str]:
        """Elements that are copied: one, one under a condition, all by one place, or two for each other."""
        first, second = self.element(scope, kept), self.element(scope, kept)
        way = self.random.randrange(4)
        self.note(f"structures copied: {('one', 'under a condition', 'each to the next place', 'exchanged')[way]}")
        if way == 0:
            return [f"{first} = {second};"]
        if way == 1:
            return [f"if ({self.condition(scope, 1)}) {{", f"{first} = {second};", "}"]
        if way == 2:
            counter, pragma = self.fresh("k"), ["#pragma HLS UNROLL"] if self.chance(0.5) else []
            head = f"for (int {counter} = {kept.sizes[0] - 1}; {counter} > 0; --{counter}) {{"
            return [head, *pragma, f"{kept.name}[{counter}] = {kept.name}[{counter} - 1];", "}"]
        between = self.fresh("other")
        return [f"const {record} {between} = {first};", f"{first} = {second};", f"{second} = {between};"]

    def expand(self, source: Stream, sink: str) -> Part:
        """Several words for each: several accesses of a stream in one step, or a loop."""
        self.note("process: several words for one")
        kind, name, scope, copies = self.word(), self.fresh("expand"), self.scope(), self.random.randint(2, 3)
        setup = self.state(scope)
        body = self.taken(scope, source.kind) + self.statements(scope, self.random.randint(1, 3))
        if self.chance(0.5):
            inner = scope.inner()
            inner.constants.append("part")
            pragma = ["#pragma HLS UNROLL"] if self.chance(0.4) else []
            body += [f"for (int part = 0; part < {copies}; ++part) {{", *pragma, *self.written(inner, kind), "}"]
        else:
            for _ in range(copies):
                body += self.written(scope, kind)
        loop = f"for (int t = 0; t < {source.words}; ++t) {{"
        text = [self.head(name, source.kind, kind), *setup, loop, *body, "}", "}"]
        return Part(kind, copies * source.words, text, [], [(f"{name}({source.name}, {sink});", 1)])

    def variable(self, source: Stream, sink: str) -> Part:
        """As many records as the word says, the last one marked; gathered again by another process."""
        self.note("process: records up to a mark")
        record, kind, name = self.fresh("Marked"), self.integer(), self.fresh("records")
        out_kind = self.word()
        first, second = self.scope(), self.scope()
        taken = self.taken(first, source.kind)
        count = f"ap_uint<2>({self.integer_leaf(first)}).to_int()"
        first.constants.append("i")
        sent = self.value(first, kind, 2)
        setup = self.state(second)
        second.variables.append(Variable("item.value", kind))
        body = self.statements(second.inner(), 2)
        stream = self.fresh("marked")
        text = [
            f"struct {record} {{ {kind.text} value; bool last; }};",
            f"void {name}(hls::stream<{source.kind.text}>& in, hls::stream<{record}>& out) {{",
            f"for (int t = 0; t < {source.words}; ++t) {{",
            *taken,
            f"const int count = {count};",
            "for (int i = 0; i <= count; ++i) {",
            f"{record} item; item.value = {sent}; item.last = i == count;",
            *("out.write(item);", "}", "}", "}"),
            f"void {name}_end(hls::stream<{record}>& in, hls::stream<{out_kind.text}>& out) {{",
            *setup,
            f"for (int t = 0; t < {source.words}; ++t) {{",
            f"{record} item;",
            *("do {", "item = in.read();", *body, "} while (!item.last);"),
            *(*self.written(second, out_kind), "}", "}"),
        ]
        declared = f"hls::stream<{record}, {self.random.randint(1, 4)}> {stream};"
        calls = [(f"{name}({source.name}, {stream});", 1), (f"{name}_end({stream}, {sink});", 1)]
        return Part(out_kind, source.words, text, [declared], calls)

    def split(self, source: Stream, sink: str) -> Part:
        """A flag and one of two lanes; the joining process knows from the flag where to read."""
        self.note("process: one of two lanes")
        self.note("array of streams")
        kind, count, name = source.kind.text, source.words, self.fresh("split")
        flags, lanes = self.fresh("flags"), self.fresh("lanes")
        depth = self.random.randint(1, 4)
        scope = self.scope()
        taken = self.taken(scope, source.kind, "word")
        text = [
            f"void {name}(hls::stream<{kind}>& in, hls::stream<bool>& flags,",
            f"hls::stream<{kind}, {depth}> (&lanes)[2]) {{",
            f"for (int t = 0; t < {count}; ++t) {{",
            *taken,
            f"const bool flag = {self.condition(scope, 1)} != (t % 2 == 0);",
            *("flags.write(flag);", "if (flag) lanes[1].write(word); else lanes[0].write(word);", "}", "}"),
            f"void {name}_end(hls::stream<bool>& flags, hls::stream<{kind}>& a, hls::stream<{kind}>& b,",
            f"hls::stream<{kind}>& out) {{",
            *("int t = 0;", "while (true) {", f"{kind} word;"),
            "if (flags.read()) b >> word; else a.read(word);",
            *("out << word;", f"if (++t == {count}) break;", "}", "}"),
        ]
        streams = [f"hls::stream<bool> {flags};", f"hls::stream<{kind}, {depth}> {lanes}[2];"]
        calls = [(f"{name}({source.name}, {flags}, {lanes});", 1)]
        calls.append((f"{name}_end({flags}, {lanes}[0], {lanes}[1], {sink});", 1))
        return Part(source.kind, count, text, streams, calls)

    def fan(self, source: Stream, sink: str) -> Part:
        """Copies to instances of a template process, one word a call, and gathers again."""
        self.note("process: fan out to template instances")
        self.note("array of streams")
        copies, name, fan, back = (
            self.random.randint(2, 3),
            self.fresh("fan"),
            self.fresh("fan_s"),
            self.fresh("back_s"),
        )
        scope = self.scope()
        taken = self.taken(scope, source.kind)
        scope.constants.append("K")
        lane, kind = self.integer(64), source.kind.text
        total = lane.width * copies
        text = [
            f"template <int N> void {name}(hls::stream<{kind}>& in, hls::stream<{kind}> (&lanes)[N]) {{",
            f"for (int t = 0; t < {source.words}; ++t) {{",
            f"{kind} word = in.read();",
            *(
                "for (int lane = 0; lane < N; ++lane) {",
                "#pragma HLS UNROLL",
                "lanes[lane].write(word);",
                "}",
                "}",
                "}",
            ),
            f"template <int K> void {name}_lane(hls::stream<{kind}>& in, hls::stream<{lane.text}>& out) {{",
            *(*taken, *self.statements(scope, 1), f"out.write({lane.text}({self.integer_expression(scope, 2)}));", "}"),
            f"template <int N> void {name}_end(hls::stream<{lane.text}> (&lanes)[N],",
            f"hls::stream<ap_uint<{total}>>& out) {{",
            f"for (int t = 0; t < {source.words}; ++t) {{",
            *(f"ap_uint<{total}> all = 0;", "for (int lane = 0; lane < N; ++lane) {", "#pragma HLS UNROLL"),
            f"all.range({lane.width} * lane + {lane.width - 1}, {lane.width} * lane) = lanes[lane].read();",
            *("}", "out.write(all);", "}", "}"),
        ]
        streams = [f"hls::stream<{kind}> {fan}[{copies}];", f"hls::stream<{lane.text}> {back}[{copies}];"]
        calls = [(f"{name}({source.name}, {fan});", 1)]
        calls += [(f"{name}_lane<{k}>({fan}[{k}], {back}[{k}]);", source.words) for k in range(copies)]
        return Part(Integer(total, False), source.words, text, streams, [*calls, (f"{name}_end({back}, {sink});", 1)])

    def diamond(self, source: Stream, sink: str) -> Part:
        """Two ways that join again; the one beside a process that keeps a block has room for the block."""
        self.note("process: diamond")
        name, kind, count = self.fresh("diamond"), source.kind.text, source.words
        ends = [(self.fresh("branch"), self.fresh("branch")) for _ in range(2)]
        blocked = self.chance(0.5)
        ways = []
        for number, (begin, end) in enumerate(ends):
            write = self.block if blocked and number == 0 else self.random.choice((self.transform, self.single))
            ways.append(write(Stream(begin, source.kind, count), end))
        self.note("diamond with a block" if blocked else "diamond of words")
        depths = [self.random.randint(1, 5), self.random.randint(1, 5) + (count if blocked else 0)]
        scope, out_kind = self.scope(), self.word()
        reads = [f"{way.kind.text} way{number} = in{number}.read();" for number, way in enumerate(ways)]
        for number, way in enumerate(ways):
            self.bind(scope, f"way{number}", way.kind)
        ins = ", ".join(f"hls::stream<{way.kind.text}>& in{number}" for number, way in enumerate(ways))
        text = [line for way in ways for line in way.text] + [
            f"void {name}(hls::stream<{kind}>& in, hls::stream<{kind}>& a, hls::stream<{kind}>& b) {{",
            f"for (int t = 0; t < {count}; ++t) {{",
            *(f"{kind} word = in.read();", "a.write(word);", "b.write(word);", "}", "}"),
            f"void {name}_end({ins}, hls::stream<{out_kind.text}>& out) {{",
            *(f"for (int t = 0; t < {count}; ++t) {{", *reads, *self.written(scope, out_kind), "}", "}"),
        ]
        streams = [self.declared_stream(ends[way][0], source.kind, depths[way]) for way in range(2)]
        streams += [self.declared_stream(ends[way][1], ways[way].kind, self.random.randint(0, 3)) for way in range(2)]
        calls = [(f"{name}({source.name}, {ends[0][0]}, {ends[1][0]});", 1), *ways[0].calls, *ways[1].calls]
        calls.append((f"{name}_end({ends[0][1]}, {ends[1][1]}, {sink});", 1))
        return Part(out_kind, count, text, streams, calls)
