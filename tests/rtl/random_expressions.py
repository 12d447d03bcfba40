"""Random expressions: integers, fixed-point numbers and conditions, without undefined behaviour."""

from __future__ import annotations

from tests.rtl.random_types import Array, Fixed, Integer, Native, Palette, Scope, Variable

__all__ = ["Expressions"]

_COMPARISONS = ("==", "!=", "<", ">", "<=", ">=")


class Expressions(Palette):
    """Writes expressions over the names of a scope. Every one has a class type, so that no built-in int overflows."""

    # Integers ---------------------------------------------------------------------------------------------------

    def integer_expression(self, scope: Scope, depth: int = 2) -> str:
        """An ap_int or ap_uint."""
        if depth == 0 or self.chance(0.2):
            return self.integer_leaf(scope)
        kinds = (
            *(self._binary, self._cast, self._unary, self._shift, self._choice, self._slice, self._divide),
            *(self._joined, self._count_bits, self._call, self._of_fixed, self._with_native),
        )
        weights = (10, 5, 2, 4, 3, 3, 1, 2, 1, 2 if scope.helpers else 0, 1, 1)
        return self.random.choices(kinds, weights)[0](scope, depth - 1)

    def integer_leaf(self, scope: Scope) -> str:
        """A variable, an element or a constant."""
        arrays = [array for array in scope.arrays if isinstance(array.kind, Integer)]
        numbers = scope.of(Integer)
        choice = self.random.random()
        if arrays and choice < 0.2:
            return self.element(scope, self.random.choice(arrays))
        if choice < 0.3 or not numbers:
            kind = self.integer()
            return f"{kind.text}({self.random.randrange(-(1 << min(kind.width, 20)), 1 << min(kind.width, 30))})"
        if scope.constants and choice < 0.4:
            # With a sign, or g++ may take it for the declaration of an argument.
            return f"ap_int<32>(+{self.random.choice(scope.constants)})"
        natives = scope.of(Native)
        if natives and choice < 0.5:
            return f"{self.integer().text}({self.random.choice(natives).name})"
        return self.random.choice(numbers).name

    def _binary(self, scope: Scope, depth: int) -> str:
        operator = self.random.choice(("+", "-", "*", "&", "|", "^", "+", "-"))
        self.note(f"integer {operator}")
        right = self.integer_expression(scope, depth)
        if self.chance(0.15):
            right = str(self.random.randrange(-300, 300))
        return f"({self.integer_expression(scope, depth)} {operator} {right})"

    def _with_native(self, scope: Scope, depth: int) -> str:
        natives = scope.of(Native)
        if not natives:
            return self._binary(scope, depth)
        self.note("integer with built-in")
        sides = [self.integer_expression(scope, depth), self.random.choice(natives).name]
        if self.chance(0.5):
            sides.reverse()
        return f"({sides[0]} {self.random.choice('+-*&|^')} {sides[1]})"

    def _cast(self, scope: Scope, depth: int) -> str:
        self.note("cast")
        return f"{self.integer().text}({self.integer_expression(scope, depth)})"

    def _unary(self, scope: Scope, depth: int) -> str:
        operator = self.random.choice("~-")
        self.note(f"unary {operator}")
        return f"({operator}{self.integer_expression(scope, depth)})"

    def _shift(self, scope: Scope, depth: int) -> str:
        kind = self.integer()
        operator = self.random.choice(("<<", ">>"))
        if self.chance(0.5):
            self.note(f"{operator} constant")
            amount = str(self.random.randrange(0, kind.width + 6))
        else:
            by = self.random.choice((Integer(6, False), Integer(5, True), Integer(8, False)))
            self.note(f"{operator} {'signed ' if by.signed else ''}variable")
            amount = f"{by.text}({self.integer_expression(scope, depth)})"
        return f"({kind.text}({self.integer_expression(scope, depth)}) {operator} {amount})"

    def _choice(self, scope: Scope, depth: int) -> str:
        self.note("?:")
        kind = self.integer().text
        yes, no = self.integer_expression(scope, depth), self.integer_expression(scope, depth)
        return f"({self.condition(scope, depth)} ? {kind}({yes}) : {kind}({no}))"

    def _slice(self, scope: Scope, _: int) -> str:
        numbers = scope.of(Integer) + scope.of(Fixed)
        if not numbers:
            return self.integer_leaf(scope)
        number = self.random.choice(numbers)
        width, name = number.kind.width, number.name
        low = self.random.randrange(width)
        high = self.random.randrange(low, width)
        choice = self.random.random()
        fixed = "fixed-point " if isinstance(number.kind, Fixed) else ""
        if choice < 0.2:
            self.note(f"{fixed}bit")
            return f"ap_uint<1>({name}[{low}])"
        if choice < 0.4 and not fixed:  # a bound known when it runs only
            self.note("range with variable bound")
            span = f"ap_uint<16>({self.integer_leaf(scope)})"
            return f"ap_uint<{width}>({name}.range({width - 1}, ({span} % {width}).to_int()))"
        if choice < 0.5 and not fixed:
            self.note("range, reversed")
            low, high = high, low
        else:
            self.note(f"{fixed}range")
        return f"ap_uint<{abs(high - low) + 1}>({name}.range({high}, {low}))"

    def _divide(self, scope: Scope, depth: int) -> str:
        operator = self.random.choice("/%")
        signed = self.chance(0.5)
        top, bottom = (
            Integer(self.random.choice(sizes), signed) for sizes in ((8, 13, 32, 40, 66), (4, 9, 32, 33, 65))
        )
        self.note(f"{'signed' if signed else 'unsigned'} {operator}")
        divisor = f"{bottom.text}({bottom.text}({self.integer_expression(scope, depth)}) | 1)"
        return f"({top.text}({self.integer_expression(scope, depth)}) {operator} {divisor})"

    def _joined(self, scope: Scope, _: int) -> str:
        numbers = scope.of(Integer)
        if not numbers:
            return self.integer_leaf(scope)
        parts, total = [], 0
        for _part in range(self.random.choice((2, 2, 2, 3))):
            number = self.random.choice(numbers)
            if self.chance(0.3):
                low = self.random.randrange(number.kind.width)
                high = self.random.randrange(low, number.kind.width)
                parts.append(f"{number.name}.range({high}, {low})")
                total += high - low + 1
            else:
                parts.append(number.name)
                total += number.kind.width
        self.note(f"concatenation of {len(parts)}")
        return f"ap_uint<{total}>(({', '.join(parts)}))"

    def _count_bits(self, scope: Scope, depth: int) -> str:
        kind = Integer(self.integer(128).width, False)
        method = self.random.choice(("and_reduce", "or_reduce", "xor_reduce", "countLeadingZeros"))
        self.note(method)
        return f"ap_uint<8>({kind.text}({self.integer_expression(scope, depth)}).{method}())"

    def _call(self, scope: Scope, depth: int) -> str:
        helper = self.random.choice(scope.helpers)
        self.note("call in an expression")
        arguments = (f"{kind.text}({self.integer_expression(scope, min(depth, 1))})" for kind in helper.arguments)
        return f"{helper.name}({', '.join(arguments)})"

    def _of_fixed(self, scope: Scope, depth: int) -> str:
        kind = self.random.choice([item for item in self.formats if item.integer > 0] or [Fixed(9, 4, True)])
        self.note("integer part of a fixed-point number")
        return f"{self.integer().text}({kind.text}({self.fixed_expression(scope, min(depth, 1))}))"

    def element(self, scope: Scope, array: Array) -> str:
        """An element of an array; the index is always inside."""
        self.note(f"{len(array.sizes)}-dimensional element{'' if array.writable else ' of a ROM'}")
        text = array.name
        for size in array.sizes:
            if self.chance(0.15):
                text += f"[{self.random.randrange(size)}]"
                continue
            index = self._index(scope)
            bits = (size - 1).bit_length()
            text += f"[ap_uint<{bits}>({index})]" if size == 1 << bits else f"[ap_uint<12>({index}) % {size}]"
        return text

    def _index(self, scope: Scope) -> str:
        """What an array is indexed with: an expression, or an element of an array that is indexed with one."""
        plain = Scope(scope.variables, scope.constants)
        arrays = [item for item in scope.arrays if isinstance(item.kind, Integer)]
        if arrays and self.chance(0.2):
            self.note("element as an index")
            return self.element(plain, self.random.choice(arrays))
        return self.integer_expression(plain, 1)

    # Fixed-point numbers ----------------------------------------------------------------------------------------

    def fixed_expression(self, scope: Scope, depth: int = 2) -> str:
        """An ap_fixed or ap_ufixed."""
        if depth == 0 or self.chance(0.2):
            return self._fixed_leaf(scope)
        kinds = (self._fixed_binary, self._fixed_shift, self._fixed_unary, self._fixed_choice, self._fixed_cast)
        return self.random.choices(kinds, (8, 2, 1, 2, 2))[0](scope, depth - 1)

    def _fixed_leaf(self, scope: Scope) -> str:
        arrays = [array for array in scope.arrays if isinstance(array.kind, Fixed)]
        numbers = scope.of(Fixed)
        choice = self.random.random()
        if arrays and choice < 0.2:
            return self.element(scope, self.random.choice(arrays))
        if numbers and choice < 0.7:
            return self.random.choice(numbers).name
        if choice < 0.85:
            self.note("fixed-point constant")
            return f"{self.fixed().text}({self.decimal()})"
        self.note("fixed point of an integer")
        return f"{self.fixed().text}({self.integer_expression(Scope(scope.variables, scope.constants), 1)})"

    def decimal(self) -> str:
        """A decimal constant, mostly one that is no sum of few powers of two."""
        return f"{self.random.choice((1, -1)) * self.random.random() * 2 ** self.random.randint(-6, 6):.6f}"

    def _fixed_binary(self, scope: Scope, depth: int) -> str:
        operator = self.random.choice("++--**&|^")
        self.note(f"fixed-point {operator}")
        left, right = self.fixed_expression(scope, depth), self.fixed_expression(scope, depth)
        if self.chance(0.15):
            self.note("fixed point with integer")
            right = self.integer_leaf(Scope(scope.variables, scope.constants))
        return f"{self.fixed().text}({left} {operator} {right})"

    def _fixed_shift(self, scope: Scope, depth: int) -> str:
        kind = self.fixed()
        operator = self.random.choice(("<<", ">>"))
        self.note(f"fixed-point {operator}")
        amount = str(self.random.randrange(kind.width + 2))
        if self.chance(0.4):
            amount = f"ap_uint<4>({self.integer_leaf(Scope(scope.variables, scope.constants))})"
        return f"({kind.text}({self.fixed_expression(scope, depth)}) {operator} {amount})"

    def _fixed_unary(self, scope: Scope, depth: int) -> str:
        operator = self.random.choice("-~")
        self.note(f"fixed-point unary {operator}")
        return f"{self.fixed().text}({operator}{self.fixed_expression(scope, depth)})"

    def _fixed_choice(self, scope: Scope, depth: int) -> str:
        self.note("fixed-point ?:")
        kind = self.fixed().text
        yes, no = self.fixed_expression(scope, depth), self.fixed_expression(scope, depth)
        return f"({self.condition(scope, 0)} ? {kind}({yes}) : {kind}({no}))"

    def _fixed_cast(self, scope: Scope, depth: int) -> str:
        self.note("fixed-point conversion")
        return f"{self.fixed().text}({self.fixed_expression(scope, depth)})"

    # Conditions -------------------------------------------------------------------------------------------------

    def condition(self, scope: Scope, depth: int) -> str:
        """A bool."""
        depth = min(depth, 1)
        if self.chance(0.15):
            text = self._fixed_condition(scope, depth)
        else:
            self.note("integer comparison")
            left, right = self.integer_expression(scope, depth), self.integer_expression(scope, depth)
            if self.chance(0.3):
                right = str(self.random.randrange(-20, 20))
            text = f"({left} {self.random.choice(_COMPARISONS)} {right})"
        if self.chance(0.25):
            operator = self.random.choice(("&&", "||"))
            self.note(operator)
            text = f"({text} {operator} {self.condition(scope, 0)})"
        return text

    def _fixed_condition(self, scope: Scope, depth: int) -> str:
        left = self.fixed_expression(scope, depth)
        right = self.fixed_expression(scope, depth)
        narrow = [item for item in self.formats if item.width <= 50]
        if narrow and self.chance(0.3):
            self.note("fixed-point comparison with a constant")
            left, right = f"{self.random.choice(narrow).text}({left})", self.decimal()
        else:
            self.note("fixed-point comparison")
        return f"({left} {self.random.choice(_COMPARISONS)} {right})"

    # Any kind ---------------------------------------------------------------------------------------------------

    def value(self, scope: Scope, kind: Integer | Native | Fixed, depth: int = 2) -> str:
        """An expression that is converted to `kind`."""
        if isinstance(kind, Fixed):
            return self.fixed_expression(scope, min(depth, 2))
        if isinstance(kind, Integer):
            return self.integer_expression(scope, depth)
        if kind.text == "bool":
            return self.condition(scope, depth)
        return f"({kind.text})(ap_uint<64>({self.integer_expression(scope, depth)}).to_uint64())"

    def initial(self, kind: Integer | Native | Fixed) -> str:
        """A constant of that kind."""
        if isinstance(kind, Fixed):
            return self.decimal()
        return str(self.random.randrange(1 << min(max(kind.width - 1, 1), 6)))

    def declared(self, variable: Variable, value: str, prefix: str = "") -> str:
        """The declaration of a variable."""
        return f"{prefix}{variable.kind.text} {variable.name} = {value};"
