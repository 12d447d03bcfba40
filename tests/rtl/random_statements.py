"""Random statements: assignments, arrays, conditions, loops with early exits, calls of helpers."""

from __future__ import annotations

from tests.rtl.random_expressions import Expressions
from tests.rtl.random_types import Array, Fixed, Helper, Integer, Native, Scope, Variable

__all__ = ["Statements"]

_DEEPEST = 3
# Helpers that every program has: templates over types and numbers, arguments by reference, a class.
TEMPLATES = """template <typename T> static void step(T& a) { a = a * 3 + 1; }
template <typename T> static T larger(const T& a, const T& b) { return a < b ? b : a; }
template <int N> static ap_int<40> scaled(ap_int<24> x) {
  ap_int<40> sum = 0;
  for (int k = 0; k < N; ++k) {
#pragma HLS UNROLL
    sum += x << k;
  }
  return sum;
}
template <int W> struct Accumulator {
  ap_int<W> total;
  ap_uint<8> seen;
  void clear() { total = 0; seen = 0; }
  template <typename T> void add(const T& x) { total += x; ++seen; }
  ap_int<W> mean() const { return seen == 0 ? total : ap_int<W>(total / ap_int<9>(seen)); }
};"""


class Statements(Expressions):
    """Writes statements, each as lines; a block's lines end in `{` and begin with `}`."""

    def statements(self, scope: Scope, count: int) -> list[str]:
        """That many statements; new variables are added to the scope."""
        lines: list[str] = []
        for _ in range(count):
            kinds = [self._assign, self._declare, self._compound, self._part, self._store, self._divide_fixed]
            weights: list[float] = [5, 3, 3, 2, 4 if self._writable(scope) else 0, 0.5]
            kinds += [self._helped, self._lambda, self._branch, self._loop, self._switch]
            weights += [1, 0.6, *((0, 0, 0) if scope.depth >= _DEEPEST else (3, 3, 1))]
            lines += self.random.choices(kinds, weights)[0](scope)
        return lines

    # Single statements ------------------------------------------------------------------------------------------

    def _assign(self, scope: Scope) -> list[str]:
        if not scope.variables:
            return self._declare(scope)
        variable = self.random.choice(scope.variables)
        self.note("assignment")
        return [f"{variable.name} = {self.value(scope, variable.kind)};"]

    def _declare(self, scope: Scope) -> list[str]:
        variable = Variable(self.fresh("v"), self.number())
        line = self.declared(variable, self.value(scope, variable.kind))
        scope.variables.append(variable)
        return [line]

    def _compound(self, scope: Scope) -> list[str]:
        if not scope.variables:
            return self._declare(scope)
        variable = self.random.choice(scope.variables)
        name, kind = variable.name, variable.kind
        if isinstance(kind, Native):
            return self._native_step(scope, variable)
        if self.chance(0.2) and not (isinstance(kind, Fixed) and kind.integer > kind.width):
            self.note("++ and --")
            return [self.random.choice((f"++{name};", f"{name}--;", f"{name}++;"))]
        if isinstance(kind, Integer) and self.chance(0.15):
            operator = self.random.choice(("<<=", ">>="))
            self.note(operator)
            return [f"{name} {operator} {self.random.randrange(kind.width + 3)};"]
        operator = self.random.choice(("+=", "-=", "*=", "&=", "|=", "^="))
        self.note(f"{'fixed-point ' if isinstance(kind, Fixed) else ''}{operator}")
        return [f"{name} {operator} {self.value(scope, kind, 2)};"]

    def _native_step(self, scope: Scope, variable: Variable) -> list[str]:
        """Arithmetic of C++'s own: unsigned, so that it wraps."""
        self.note("arithmetic of built-in types")
        name, kind = variable.name, variable.kind.text
        # In brackets of its own, or a cast of a cast may be read as the type of a function.
        other = f"(unsigned long long)(({self.integer_expression(scope, 1)}))"
        operator = self.random.choice("+-*&|^")
        if kind == "bool":
            return [f"{name} = {name} != (({other} & 1) != 0);"]
        if self.chance(0.3):
            operator, other = self.random.choice(("<<", ">>")), str(self.random.randrange(8))
        return [f"{name} = ({kind})((unsigned long long)({name}) {operator} {other});"]

    def _part(self, scope: Scope) -> list[str]:
        numbers = scope.of(Integer) + scope.of(Fixed)
        if not numbers:
            return self._declare(scope)
        variable = self.random.choice(numbers)
        name, width = variable.name, variable.kind.width
        low = self.random.randrange(width)
        high = self.random.randrange(low, width)
        if isinstance(variable.kind, Integer) and self.chance(0.3):
            self.note("assigned bit")
            return [f"{name}[ap_uint<10>({self.integer_expression(scope, 1)}) % {width}] = {self.condition(scope, 1)};"]
        self.note(f"assigned {'fixed-point ' if isinstance(variable.kind, Fixed) else ''}range")
        # A number as wide as the range: what a range of a fixed-point number takes beyond that is undefined.
        value = f"ap_uint<{high - low + 1}>({self.integer_expression(scope, 2)})"
        return [f"{name}.range({high}, {low}) = {value};"]

    @staticmethod
    def _writable(scope: Scope) -> list[Array]:
        return [array for array in scope.arrays if array.writable]

    def _store(self, scope: Scope) -> list[str]:
        array = self.random.choice(self._writable(scope))
        operator = self.random.choice(("=", "=", "+=", "^="))
        self.note(f"stored element, {operator}")
        return [f"{self.element(scope, array)} {operator} {self.value(scope, array.kind, 2)};"]

    def _divide_fixed(self, scope: Scope) -> list[str]:
        """A division whose divisor's bits are not all zero."""
        signed = self.chance(0.6)
        fitting = [item for item in self.formats if item.signed == signed and item.width <= 40]
        if not fitting:
            return self._declare(scope)
        top, bottom = self.random.choice(fitting), self.random.choice(fitting)
        divisor, quotient = Variable(self.fresh("d"), bottom), Variable(self.fresh("q"), self.fixed())
        self.note(f"fixed-point {'signed' if signed else 'unsigned'} /")
        raw = f"ap_uint<{bottom.width}>(ap_uint<{bottom.width}>({self.integer_expression(scope, 1)}) | 1)"
        number = f"{top.text}({self.fixed_expression(scope, 1)})"
        scope.variables.append(quotient)
        return [
            f"{bottom.text} {divisor.name} = 0; {divisor.name}.range() = {raw};",
            self.declared(quotient, f"{number} / {divisor.name}"),
        ]

    def _helped(self, scope: Scope) -> list[str]:
        """A call of a template."""
        integers = scope.of(Integer)
        choice = self.random.randrange(4)
        if choice == 0 and integers:
            self.note("argument by reference")
            return [f"step({self.random.choice(integers).name});"]
        if choice == 1:
            self.note("template over a type")
            kind = self.random.choice((self.integer, self.fixed))()
            both = ", ".join(f"{kind.text}({self.value(scope, kind, 1)})" for _ in range(2))
            return self._into_new(scope, kind, f"larger<{kind.text}>({both})")
        if choice == 2:
            self.note("template over a number")
            call = f"scaled<{self.random.randint(1, 6)}>({self.integer_expression(scope, 1)})"
            return self._into_new(scope, Integer(40, True), call)
        self.note("class with methods")
        name, width = self.fresh("c"), self.random.choice((16, 24, 33))
        adds = [f"{name}.add({self.integer_expression(scope, 1)});" for _ in range(self.random.randint(1, 3))]
        lines = [f"Accumulator<{width}> {name}; {name}.clear();", *adds]
        return [*lines, *self._into_new(scope, Integer(width, True), f"{name}.mean()")]

    def _into_new(self, scope: Scope, kind: Integer | Fixed, value: str) -> list[str]:
        variable = Variable(self.fresh("v"), kind)
        scope.variables.append(variable)
        return [self.declared(variable, value)]

    def _lambda(self, scope: Scope) -> list[str]:
        """A lambda that changes what it captures, called in statements of its own."""
        self.note("lambda")
        inside = Scope(list(scope.variables), list(scope.constants), [], list(scope.helpers), _DEEPEST)
        name, argument = self.fresh("l"), Variable(self.fresh("x"), self.integer())
        inside.variables.append(argument)
        result = self.integer()
        body = self.statements(inside, 2)
        lines = [f"auto {name} = [&]({argument.kind.text} {argument.name}) {{", *body]
        lines += [f"return {result.text}({self.integer_expression(inside, 2)});", "};"]
        for _ in range(self.random.randint(1, 2)):
            variable = Variable(self.fresh("v"), result)
            lines.append(self.declared(variable, f"{name}({self.integer_expression(scope, 1)})"))
            scope.variables.append(variable)
        return lines

    # Blocks -----------------------------------------------------------------------------------------------------

    def _branch(self, scope: Scope) -> list[str]:
        self.note("if")
        lines = [f"if ({self.condition(scope, 1)}) {{", *self.statements(scope.inner(), self.random.randint(1, 3))]
        while self.chance(0.5):
            if self.chance(0.3):
                self.note("else if")
                lines += [f"}} else if ({self.condition(scope, 1)}) {{", *self.statements(scope.inner(), 1)]
                continue
            self.note("else")
            lines += ["} else {", *self.statements(scope.inner(), self.random.randint(1, 3))]
            break
        return [*lines, "}"]

    def _switch(self, scope: Scope) -> list[str]:
        self.note("switch")
        # In brackets, or g++ may take the condition for a declaration.
        lines = [f"switch ((ap_uint<3>({self.integer_expression(scope, 1)})).to_int()) {{"]
        for case in self.random.sample(range(8), self.random.randint(2, 4)):
            lines += [f"case {case}:", "{", *self.statements(scope.inner(), 1), "}"]
            if self.chance(0.7):
                lines.append("break;")
            else:
                self.note("switch, fall through")
        if self.chance(0.7):
            lines += ["default:", "{", *self.statements(scope.inner(), 1), "}"]
        return [*lines, "}"]

    def _loop(self, scope: Scope) -> list[str]:
        if scope.depth:
            self.note("nested loop")
        kinds = [self._counted, self._unrolled, self._broken, self._search, self._bounded, self._do, self._while]
        weights: list[float] = [2, 0 if scope.unrolled else 2, 1, 2, 1.5, 1, 1]
        kinds.append(self._leave_both)
        weights.append(0.7 if scope.depth < _DEEPEST - 1 else 0)
        return self.random.choices(kinds, weights)[0](scope)

    def _body(self, scope: Scope, counter: str, unrolled: bool = False) -> tuple[Scope, list[str]]:
        inner = scope.inner(unrolled)
        inner.constants.append(counter)
        return inner, self.statements(inner, self.random.randint(1, 3))

    def _counted(self, scope: Scope) -> list[str]:
        counter = self.fresh("i")
        first, trips, stride = self.random.randint(0, 3), self.random.randint(1, 4), self.random.choice((1, 1, 2))
        _, body = self._body(scope, counter)
        pragma = []
        if self.chance(0.3):
            self.note("PIPELINE")
            pragma = ["#pragma HLS PIPELINE II = 1"]
        if self.chance(0.3):
            self.note("for, downwards")
            head = f"for (int {counter} = {first + trips * stride}; {counter} > {first}; {counter} -= {stride}) {{"
        else:
            self.note("for")
            head = f"for (int {counter} = {first}; {counter} < {first + trips * stride}; {counter} += {stride}) {{"
        return [head, *pragma, *body, "}"]

    def _unrolled(self, scope: Scope) -> list[str]:
        self.note("UNROLL")
        counter = self.fresh("i")
        inner, body = self._body(scope, counter, True)
        if self.chance(0.25):
            self.note("UNROLL with break")
            body.append(f"if ({self.condition(inner, 1)}) break;")
        head = f"for (int {counter} = 0; {counter} < {self.random.randint(1, 4)}; ++{counter}) {{"
        return [head, "#pragma HLS UNROLL", *body, "}"]

    def _broken(self, scope: Scope) -> list[str]:
        self.note("for with break at the end")
        counter = self.fresh("i")
        inner, body = self._body(scope, counter)
        head = f"for (int {counter} = 0; {counter} < {self.random.randint(1, 4)}; ++{counter}) {{"
        return [head, *body, f"if ({self.condition(inner, 1)}) break;", "}"]

    def _search(self, scope: Scope) -> list[str]:
        """Found or not, and what was found, matter after the loop."""
        counter = self.fresh("i")
        flag, found = Variable(self.fresh("f"), Integer(1, False)), Variable(self.fresh("v"), self.integer())
        early = scope.inner().inner()
        early.constants.append(counter)
        search = [f"{flag.name} = {self.condition(early, 1)};", f"{found.name} = {self.integer_expression(early, 2)};"]
        _, body = self._body(scope, counter)
        scope.variables += [flag, found]
        head = f"for (int {counter} = 0; {counter} < {self.random.randint(2, 6)}; ++{counter}) {{"
        if self.chance(0.5):
            self.note("break")
            leave = f"if ({flag.name}) break;"
        else:
            self.note("continue")
            leave = f"if ({found.name} == {counter}) continue;"
        return [self.declared(flag, "0"), self.declared(found, "0"), head, *search, leave, *body, "}"]

    def _bounded(self, scope: Scope) -> list[str]:
        self.note("for with variable bound")
        counter, limit = self.fresh("i"), self.fresh("n")
        bound = f"const int {limit} = ap_uint<3>({self.integer_leaf(scope)}).to_int();"
        _, body = self._body(scope, counter)
        return [bound, f"for (int {counter} = 0; {counter} < {limit}; ++{counter}) {{", *body, "}"]

    def _do(self, scope: Scope) -> list[str]:
        self.note("do")
        counter = self.fresh("i")
        _, body = self._body(scope, counter)
        trips = self.random.randint(1, 4)
        return [
            *("{", f"int {counter} = 0;", "do {"),
            *(*body, f"}} while (++{counter} < {trips} && {self.condition(scope, 1)});", "}"),
        ]

    def _while(self, scope: Scope) -> list[str]:
        """Ends by a test of what the body computes, and after some turns at the latest."""
        self.note("while")
        counter = self.fresh("i")
        _, body = self._body(scope, counter)
        test = f"{counter} < {self.random.randint(1, 5)} && {self.condition(scope, 1)}"
        return ["{", f"int {counter} = 0;", f"while ({test}) {{", *body, f"++{counter};", "}", "}"]

    def _leave_both(self, scope: Scope) -> list[str]:
        self.note("goto out of two loops")
        label, outer, inner = self.fresh("g"), self.fresh("i"), self.fresh("j")
        middle, before = self._body(scope, outer)
        innermost, body = self._body(middle, inner)
        return [
            "{",
            f"for (int {outer} = 0; {outer} < {self.random.randint(1, 3)}; ++{outer}) {{",
            *before,
            f"for (int {inner} = 0; {inner} < {self.random.randint(1, 4)}; ++{inner}) {{",
            *body,
            f"if ({self.condition(innermost, 1)}) goto {label};",
            *("}", "}", f"{label}:;", "}"),
        ]

    # What stands before -----------------------------------------------------------------------------------------

    def array(self, scope: Scope) -> list[str]:
        """An array, all of it set."""
        kind = self.random.choices((self.integer, self.fixed), (3, 1))[0]()
        name = self.fresh("a")
        sizes: tuple[int, ...] = (self.random.choice((2, 4, 5, 8, 16, 19)),)
        if self.chance(0.3):
            sizes = (self.random.choice((2, 3, 4, 7)), self.random.choice((2, 4, 5)))
        brackets = "".join(f"[{size}]" for size in sizes)
        choice = self.random.random()
        scope.arrays.append(Array(name, kind, sizes, choice < 0.75))
        if choice < 0.25:
            self.note(f"static array, {len(sizes)}-dimensional")
            return [f"static {kind.text} {name}{brackets};"]
        if choice < 0.4 or choice >= 0.75:
            self.note(f"{'ROM' if choice >= 0.75 else 'static array with values'}, {len(sizes)}-dimensional")
            word = "static const" if choice >= 0.75 else "static"
            return [f"{word} {kind.text} {name}{brackets} = {self._values(kind, sizes)};"]
        self.note(f"local array, {len(sizes)}-dimensional")
        unroll = ["#pragma HLS UNROLL"] if self.chance(0.4) else []
        lines, place, value = [f"{kind.text} {name}{brackets};"], name, "3"
        for size in sizes:
            counter = self.fresh("k")
            lines += [f"for (int {counter} = 0; {counter} < {size}; ++{counter}) {{", *unroll]
            place += f"[{counter}]"
            value += f" + {counter} * 7"
        return [*lines, f"{place} = {value};", *("}" for _ in sizes)]

    def _values(self, kind: Integer | Fixed, sizes: tuple[int, ...]) -> str:
        if not sizes:
            return self.initial(kind)
        return f"{{{', '.join(self._values(kind, sizes[1:]) for _ in range(sizes[0]))}}}"

    def helper(self, scope: Scope) -> list[str]:
        """A function with early returns, for all processes."""
        self.note("function with early return")
        name = self.fresh("h")
        arguments = tuple(Variable(self.fresh("x"), self.integer(64)) for _ in range(self.random.randint(1, 2)))
        inside = Scope(list(arguments), helpers=list(scope.helpers), depth=1)
        result = self.integer(64)
        body = self.statements(inside, self.random.randint(1, 2))
        if self.chance(0.6):
            counter = self.fresh("i")
            _, looped = self._body(inside, counter)
            body += [f"for (int {counter} = 0; {counter} < {self.random.randint(1, 4)}; ++{counter}) {{", *looped]
            body += [f"if ({self.condition(inside, 1)}) return {self.integer_expression(inside, 1)};", "}"]
        else:
            body.append(f"if ({self.condition(inside, 1)}) return {self.integer_expression(inside, 1)};")
        kinds = tuple(item.kind for item in arguments if isinstance(item.kind, Integer))
        scope.helpers.append(Helper(name, kinds))
        parameters = ", ".join(f"{item.kind.text} {item.name}" for item in arguments)
        head = f"static {result.text} {name}({parameters}) {{"
        return [head, *body, f"return {self.integer_expression(inside, 2)};", "}"]
