"""Names in the emitted SystemVerilog: as in the C++ where possible, legal and unique always."""

import re

__all__ = ["Namespace", "identifier"]

# Keywords of SystemVerilog, and the names that every module uses.
_RESERVED = """
    always and assign automatic begin bit buf byte case cell class clocking config const constraint context
    cover default design disable do edge else end enum event expect export extends extern final first for force
    foreach forever fork function generate genvar global if iff import include initial inout input inside
    instance int integer interface join large liblist library local localparam logic longint macromodule matches
    medium modport module nand negedge new nor not null or output package packed parameter posedge primitive
    priority program property protected pure rand real ref reg release repeat restrict return scalared sequence
    shortint small solve static string strong strong0 strong1 struct super supply0 supply1 table tagged task
    this throughout time timeprecision timeunit tran tri type typedef union unique unsigned use uwire var
    vectored virtual void wait weak while wildcard wire with within wor xnor xor state unused ap_clk ap_rst_n
    clk rst_n signed word_number
"""


def identifier(text: str) -> str:
    """A legal identifier made of `text`: `k.sroa.0.0` gives `k`, `scale<4, 2>` gives `scale_4_2`."""
    text = re.sub(r"\.(?:sroa|speculated|addr|i\d*|off\d*)(?=\.|$)", "", text)
    text = re.sub(r"(?:\.\d+)+$", "", text)
    name = re.sub(r"\W+", "_", text).strip("_")
    if not name or name[0].isdigit():
        name = f"t{name}"
    return f"{name}_" if name in _RESERVED.split() else name


class Namespace:
    """Hands out names, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def unique(self, text: str) -> str:
        """`identifier(text)`, with a number when that is taken."""
        base = identifier(text)
        name, number = base, self._next.get(base, 1)
        while name.lower() in self._taken:
            name = f"{base}_{number}"
            number += 1
        self._next[base] = number
        self._taken.add(name.lower())
        return name
