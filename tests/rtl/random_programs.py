"""Random dataflow programs in the compiler's subset: arithmetic of all widths, arrays, loops, conditions, streams."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tests.rtl.simulation import Program

__all__ = ["random_program"]

_WIDTHS = (1, 2, 3, 5, 7, 8, 9, 12, 16, 17, 24, 31, 32, 33, 40, 48, 63, 64, 65, 100, 128, 129, 200)


@dataclass
class _Scope:
    """Names that an expression may use."""

    numbers: list[tuple[str, int]] = field(default_factory=list)  # assignable, with widths
    constants: list[str] = field(default_factory=list)  # readable only
    arrays: list[tuple[str, int]] = field(default_factory=list)  # with numbers of elements
    depth: int = 0

    def inner(self) -> _Scope:
        return _Scope(list(self.numbers), list(self.constants), list(self.arrays), self.depth + 1)


class _Writer:
    """Writes one program."""

    def __init__(self, seed: int, name: str) -> None:
        self.random = random.Random(seed)
        self.name = name
        self.count = 0

    def fresh(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def type(self, widths: tuple[int, ...] = _WIDTHS) -> tuple[str, int]:
        width = self.random.choice(widths)
        return f"{self.random.choice(('ap_int', 'ap_uint'))}<{width}>", width

    # Expressions ------------------------------------------------------------------------------------------------

    def expression(self, scope: _Scope, depth: int = 3) -> str:
        """An ap_int or ap_uint."""
        if depth == 0 or self.random.random() < 0.15:
            return self.leaf(scope)
        kinds = (self.binary, self.cast, self.unary, self.shift, self.choice, self.slice, self.divide, self.joined)
        return self.random.choices(kinds, (10, 6, 2, 4, 3, 3, 1, 2))[0](scope, depth - 1)

    def leaf(self, scope: _Scope) -> str:
        kind = self.random.random()
        if scope.arrays and kind < 0.2:
            return self.element(scope)
        if kind < 0.35:
            kind_name, width = self.type()
            return f"{kind_name}({self.random.randrange(-(1 << min(width, 20)), 1 << min(width, 30))})"
        if scope.constants and kind < 0.45:
            return f"ap_int<32>({self.random.choice(scope.constants)})"
        return self.random.choice(scope.numbers)[0]

    def binary(self, scope: _Scope, depth: int) -> str:
        operator = self.random.choice(("+", "-", "*", "&", "|", "^", "+", "-"))
        right = self.expression(scope, depth)
        if self.random.random() < 0.15:
            right = str(self.random.randrange(-300, 300))
        return f"({self.expression(scope, depth)} {operator} {right})"

    def cast(self, scope: _Scope, depth: int) -> str:
        return f"{self.type()[0]}({self.expression(scope, depth)})"

    def unary(self, scope: _Scope, depth: int) -> str:
        return f"({self.random.choice('~-')}{self.expression(scope, depth)})"

    def shift(self, scope: _Scope, depth: int) -> str:
        kind, _ = self.type()
        if self.random.random() < 0.6:
            amount = str(self.random.randrange(0, 70))
        else:
            amount = f"{self.random.choice(('ap_uint<6>', 'ap_int<5>', 'ap_uint<8>'))}({self.expression(scope, depth)})"
        return f"({kind}({self.expression(scope, depth)}) {self.random.choice(('<<', '>>'))} {amount})"

    def choice(self, scope: _Scope, depth: int) -> str:
        kind, _ = self.type()
        yes, no = self.expression(scope, depth), self.expression(scope, depth)
        return f"({self.condition(scope, depth)} ? {kind}({yes}) : {kind}({no}))"

    def slice(self, scope: _Scope, _: int) -> str:
        name, width = self.random.choice(scope.numbers)
        low = self.random.randrange(width)
        high = self.random.randrange(low, width)
        if self.random.random() < 0.1:
            low, high = high, low
        kind = self.random.random()
        if kind < 0.2:
            return f"ap_uint<1>({name}[{low}])"
        if kind < 0.4:  # bounds known when it runs only
            span = f"ap_uint<16>({self.leaf(scope)})"
            return f"ap_uint<{width}>({name}.range({width - 1}, ({span} % {width}).to_int()))"
        return f"ap_uint<{abs(high - low) + 1}>({name}.range({high}, {low}))"

    def divide(self, scope: _Scope, depth: int) -> str:
        kind = self.random.choice(("ap_int", "ap_uint"))
        a, b = self.random.choice((8, 13, 32, 40)), self.random.choice((4, 9, 32, 33))
        divisor = f"{kind}<{b}>({kind}<{b}>({self.expression(scope, depth)}) | 1)"
        return f"({kind}<{a}>({self.expression(scope, depth)}) {self.random.choice('/%')} {divisor})"

    def joined(self, scope: _Scope, depth: int) -> str:
        (high, a), (low, b) = self.random.choice(scope.numbers), self.random.choice(scope.numbers)
        return f"ap_uint<{a + b}>(({high}, {low}))"

    def condition(self, scope: _Scope, depth: int) -> str:
        depth = min(depth, 1)
        left, right = self.expression(scope, depth), self.expression(scope, depth)
        if self.random.random() < 0.3:
            right = str(self.random.randrange(-20, 20))
        text = f"({left} {self.random.choice(('==', '!=', '<', '>', '<=', '>='))} {right})"
        if self.random.random() < 0.25:
            text = f"({text} {self.random.choice(('&&', '||'))} {self.condition(scope, 0)})"
        return text

    def element(self, scope: _Scope) -> str:
        name, size = self.random.choice(scope.arrays)
        index = self.expression(_Scope(scope.numbers, scope.constants), 1)
        if size & (size - 1) == 0 and self.random.random() < 0.7:
            return f"{name}[ap_uint<{(size - 1).bit_length()}>({index})]"
        return f"{name}[ap_uint<12>({index}) % {size}]"

    # Statements -------------------------------------------------------------------------------------------------

    def statements(self, scope: _Scope, count: int) -> list[str]:
        lines: list[str] = []
        for _ in range(count):
            kinds = [self.assign, self.compound, self.part, self.store, self.branch, self.loop, self.switch]
            weights = [6, 3, 3, 4 if scope.arrays else 0, 3, 3, 1]
            if scope.depth >= 3:
                weights[4:] = [0, 0, 0]
            lines += self.random.choices(kinds, weights)[0](scope)
        return lines

    def assign(self, scope: _Scope) -> list[str]:
        if self.random.random() < 0.4:
            kind, width = self.type()
            name = self.fresh("v")
            line = f"{kind} {name} = {self.expression(scope)};"
            scope.numbers.append((name, width))
            return [line]
        return [f"{self.random.choice(scope.numbers)[0]} = {self.expression(scope)};"]

    def compound(self, scope: _Scope) -> list[str]:
        name, _ = self.random.choice(scope.numbers)
        if self.random.random() < 0.2:
            return [self.random.choice((f"++{name};", f"{name}--;"))]
        operator = self.random.choice(("+=", "-=", "*=", "&=", "|=", "^="))
        return [f"{name} {operator} {self.expression(scope, 2)};"]

    def part(self, scope: _Scope) -> list[str]:
        name, width = self.random.choice(scope.numbers)
        low = self.random.randrange(width)
        high = self.random.randrange(low, width)
        if self.random.random() < 0.3:
            return [f"{name}[ap_uint<10>({self.expression(scope, 1)}) % {width}] = {self.condition(scope, 1)};"]
        return [f"{name}.range({high}, {low}) = {self.expression(scope, 2)};"]

    def store(self, scope: _Scope) -> list[str]:
        return [f"{self.element(scope)} {self.random.choice(('=', '=', '+=', '^='))} {self.expression(scope, 2)};"]

    def branch(self, scope: _Scope) -> list[str]:
        lines = [f"if ({self.condition(scope, 1)}) {{", *self.statements(scope.inner(), self.random.randint(1, 3))]
        if self.random.random() < 0.6:
            lines += ["} else {", *self.statements(scope.inner(), self.random.randint(1, 3))]
        return [*lines, "}"]

    def switch(self, scope: _Scope) -> list[str]:
        lines = [f"switch (ap_uint<2>({self.expression(scope, 1)}).to_int()) {{"]
        for case in ("case 0:", "case 2:", "default:"):
            lines += [case, "{", *self.statements(scope.inner(), 1), "}", "break;"]
        return [*lines, "}"]

    def loop(self, scope: _Scope) -> list[str]:
        counter = self.fresh("i")
        inner = scope.inner()
        inner.constants.append(counter)
        trips = self.random.randint(1, 4)
        style = self.random.randrange(6)
        early = inner.inner()
        body = self.statements(inner, self.random.randint(1, 3))
        if style == 0:
            return [f"for (int {counter} = 0; {counter} < {trips}; ++{counter}) {{", "#pragma HLS UNROLL", *body, "}"]
        if style == 1:
            leave = [f"if ({self.condition(inner, 1)}) break;"]
            return [f"for (int {counter} = 0; {counter} < {trips}; ++{counter}) {{", *body, *leave, "}"]
        if style >= 4:  # found or not, and what was found, matter after the loop
            flag, (kind, width) = self.fresh("f"), self.type()
            found = self.fresh("v")
            scope.numbers += [(flag, 1), (found, width)]
            head = f"for (int {counter} = 0; {counter} < {trips + 2}; ++{counter}) {{"
            search = [f"{flag} = {self.condition(early, 1)};", f"{found} = {self.expression(early, 2)};"]
            leave = [f"if ({flag}) break;"] if style == 4 else [f"if ({found} == {counter}) continue;"]
            before = [f"ap_uint<1> {flag} = 0;", f"{kind} {found} = 0;"]
            return [*before, head, *search, *leave, *body, "}"]
        if style == 2:
            bound = f"ap_uint<3>({self.leaf(scope)}).to_int()"
            limit = self.fresh("n")
            head = f"for (int {counter} = 0; {counter} < {limit}; ++{counter}) {{"
            return [f"const int {limit} = {bound};", head, *body, "}"]
        head = f"int {counter} = 0;"
        return ["{", head, "do {", *body, f"}} while (++{counter} < {trips} && {self.condition(scope, 1)});", "}"]

    # Stages -----------------------------------------------------------------------------------------------------

    def array(self, scope: _Scope) -> list[str]:
        kind, _ = self.type()
        name, size = self.fresh("a"), self.random.choice((4, 5, 8, 16, 19))
        scope.arrays.append((name, size))
        if self.random.random() < 0.5:
            return [f"static {kind} {name}[{size}];"]
        unroll = ["#pragma HLS UNROLL"] if self.random.random() < 0.5 else []
        return [f"{kind} {name}[{size}];", f"for (int k = 0; k < {size}; ++k) {{", *unroll, f"{name}[k] = k * 7;", "}"]

    def transform(self, index: int, tokens: int, bits: int, out_bits: int) -> tuple[str, str]:
        """A stage that turns `tokens` words into as many others."""
        scope = _Scope()
        setup: list[str] = []
        for _ in range(self.random.randint(1, 3)):
            kind, width = self.type()
            name = self.fresh("s")
            static = "static " if self.random.random() < 0.3 else ""
            setup.append(f"{static}{kind} {name} = {self.random.randrange(0, 50) % (1 << min(width - 1, 6) or 1)};")
            scope.numbers.append((name, width))
        for _ in range(self.random.randint(0, 2)):
            setup += self.array(scope)
        if self.random.random() < 0.3:
            values = ", ".join(str(self.random.randrange(100)) for _ in range(8))
            setup.append(f"static const ap_uint<7> table{index}[8] = {{{values}}};")
        body = [f"ap_uint<{bits}> word = in.read();"]
        scope.numbers.append(("word", bits))
        body += self.statements(scope, self.random.randint(2, 6))
        if f"static const ap_uint<7> table{index}" in " ".join(setup):
            body.append(f"word ^= table{index}[ap_uint<3>({self.leaf(scope)})];")
        body.append(f"out.write(ap_uint<{out_bits}>({self.expression(scope)}));")
        lines = [
            f"void stage{index}(hls::stream<ap_uint<{bits}>>& in, hls::stream<ap_uint<{out_bits}>>& out) {{",
            *setup,
            f"for (int t = 0; t < {tokens}; ++t) {{",
            *body,
            "}",
            "}",
        ]
        return "\n".join(lines), "stage{index}({source}, {sink});"

    def split(self, index: int, tokens: int, bits: int) -> tuple[str, list[str], list[str]]:
        """Two stages with a data-dependent way between them: flag, then one of two lanes."""
        test = f"{self.condition(_Scope([('word', bits)]), 1)} != bool(word[{self.random.randrange(bits)}])"
        first = f"""void stage{index}(hls::stream<ap_uint<{bits}>>& in, hls::stream<bool>& flags,
    hls::stream<ap_uint<{bits}>, 3> (&lanes)[2]) {{
  for (int t = 0; t < {tokens}; ++t) {{
    ap_uint<{bits}> word = in.read();
    const bool flag = {test};
    flags.write(flag);
    if (flag) lanes[1].write(word);
    else lanes[0].write(~word);
  }}
}}"""
        second = f"""void join{index}(hls::stream<bool>& flags, hls::stream<ap_uint<{bits}>>& a,
    hls::stream<ap_uint<{bits}>>& b, hls::stream<ap_uint<{bits}>>& out) {{
  int t = 0;
  while (true) {{
    ap_uint<{bits}> word;
    if (flags.read()) b >> word;
    else a.read(word);
    out << word;
    if (++t == {tokens}) break;
  }}
}}"""
        streams = [f"hls::stream<bool> flags{index};", f"hls::stream<ap_uint<{bits}>, 3> lanes{index}[2];"]
        calls = [
            f"stage{index}({{source}}, flags{index}, lanes{index});",
            f"join{index}(flags{index}, lanes{index}[0], lanes{index}[1], {{sink}});",
        ]
        return first + "\n" + second, streams, calls

    def fan(self, index: int, tokens: int, bits: int) -> tuple[str, list[str], list[str]]:
        """Copies to an array of template processes and gathers again."""
        copies = self.random.randint(2, 3)
        mixed = self.expression(_Scope([("word", bits)], ["K"]), 2)
        text = f"""template <int N> void copy{index}(hls::stream<ap_uint<{bits}>>& in,
    hls::stream<ap_uint<{bits}>> (&lanes)[N]) {{
  for (int t = 0; t < {tokens}; ++t) {{
    ap_uint<{bits}> word = in.read();
    for (int lane = 0; lane < N; ++lane) {{
#pragma HLS UNROLL
      lanes[lane].write(word);
    }}
  }}
}}
template <int K> void lane{index}(hls::stream<ap_uint<{bits}>>& in, hls::stream<ap_int<17>>& out) {{
  ap_uint<{bits}> word = in.read();
  out.write(ap_int<17>({mixed}));
}}
template <int N> void gather{index}(hls::stream<ap_int<17>> (&lanes)[N], hls::stream<ap_uint<{bits}>>& out) {{
  for (int t = 0; t < {tokens}; ++t) {{
    ap_uint<{17 * copies}> all = 0;
    for (int lane = 0; lane < N; ++lane) {{
#pragma HLS UNROLL
      all.range(17 * lane + 16, 17 * lane) = lanes[lane].read();
    }}
    out.write(all);
  }}
}}"""
        streams = [
            f"hls::stream<ap_uint<{bits}>> fan{index}[{copies}];",
            f"hls::stream<ap_int<17>> back{index}[{copies}];",
        ]
        lanes = [f"lane{index}<{k}>(fan{index}[{k}], back{index}[{k}]);" for k in range(copies)]
        calls = [f"copy{index}({{source}}, fan{index});", *lanes, f"gather{index}(back{index}, {{sink}});"]
        return text, streams, [f"for-each-token {call}" if call.startswith("lane") else call for call in calls]


def random_program(seed: int, calls: int = 3) -> Program:
    """A program of one to four stages; equal seeds give equal programs."""
    name = f"program{seed}"
    writer = _Writer(seed, name)
    tokens = writer.random.randint(2, 5)
    bits = first_bits = writer.random.choice((8, 16, 32, 41, 64, 100))
    parts, streams, lines = [], [], []
    count = writer.random.randint(1, 4)
    source = "in"
    for index in range(count):
        last = index == count - 1
        sink = "out" if last else f"s{index}"
        kind = writer.random.random()
        out_bits = bits
        if kind < 0.6:
            out_bits = writer.random.choice((5, 8, 16, 33, 64, 70, 128))
            text, call = writer.transform(index, tokens, bits, out_bits)
            stage_calls = [call.replace("{index}", str(index))]
        else:
            text, more, stage_calls = (writer.split if kind < 0.8 else writer.fan)(index, tokens, bits)
            streams += more
        parts.append(text)
        if not last:
            streams.append(f"hls::stream<ap_uint<{out_bits}>, {writer.random.choice((2, 3, 5))}> {sink};")
        lines += [call.format(source=source, sink=sink) for call in stage_calls]
        source, bits = sink, out_bits
    text = _assemble(name, parts, streams, lines, first_bits, bits, tokens)
    words = [writer.random.getrandbits(first_bits) for _ in range(tokens * calls)]
    return Program(name, text, {"in": words}, calls)


def _assemble(
    name: str, parts: list[str], streams: list[str], lines: list[str], in_bits: int, out_bits: int, tokens: int
) -> str:
    """The file's text. A process that does one token per call is called once per token in C++."""
    marker = "for-each-token "
    body = []
    for line in lines:
        if line.startswith(marker):
            call = line.removeprefix(marker)
            body += [
                "#ifdef __SYNTHESIS__",
                f"  {call}",
                "#else",
                f"  for (int t = 0; t < {tokens}; ++t) {call}",
                "#endif",
            ]
        else:
            body.append(f"  {line}")
    head = f"void {name}(hls::stream<ap_uint<{in_bits}>>& in, hls::stream<ap_uint<{out_bits}>>& out) {{"
    stages = "\n".join(parts)
    wires = "\n".join(f"  {stream}" for stream in streams)
    calls = "\n".join(body)
    inner = f"  using namespace {name}_;\n#pragma HLS DATAFLOW\n{wires}\n{calls}"
    return f"namespace {name}_ {{\n{stages}\n}}\n{head}\n{inner}\n}}\n"
