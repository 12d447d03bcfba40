"""Debug locations of LLVM IR: which line of the user's C++ an instruction comes from."""

import re
from collections.abc import Sequence
from pathlib import Path

from rtl.ir import Place

__all__ = ["Locations"]

_NODE = re.compile(r"^!(\d+) = (.*)$")
_LOCATION = re.compile(r"!DILocation\(line: (\d+).*?scope: !(\d+)(?:.*?inlinedAt: !(\d+))?")


class Locations:
    """Looks up `!dbg` nodes. Places inside the compiler's own headers are replaced by those of their callers."""

    def __init__(self, lines: Sequence[str], own_headers: Path) -> None:
        self._nodes = {int(match[1]): match[2] for match in map(_NODE.match, lines) if match}
        self._own = str(own_headers)
        self._places: dict[int, Place] = {}

    def place(self, node: int) -> Place:
        """Place of the DILocation `node`."""
        if node not in self._places:
            self._places[node] = self._find(node)
        return self._places[node]

    def subprogram(self, node: int) -> tuple[str, Place]:
        """Name (with template arguments) and place of the DISubprogram `node`."""
        text = self._nodes.get(node, "")
        name = re.search(r'name: "([^"]*)"', text)
        line = re.search(r"\bline: (\d+)", text)
        return (name[1] if name else "", Place(self._file(node), int(line[1]) if line else 0))

    def loop(self, node: int) -> int | None:
        """Number of the source's loop that the metadata node `node` of a cut names (see `rtl.frontend`)."""
        match = re.search(r"rtl\.loop\.(\d+)", self._nodes.get(node, ""))
        return int(match[1]) if match else None

    def _find(self, node: int) -> Place:
        match = _LOCATION.match(self._nodes.get(node, "").removeprefix("distinct "))
        if not match:
            return Place()
        file = self._file(int(match[2]))
        if match[3] and (file.startswith(self._own) or match[1] == "0" or "include/c++" in file):
            return self.place(int(match[3]))
        return Place(file, int(match[1]))

    def _file(self, scope: int) -> str:
        file = re.search(r"\bfile: !(\d+)", self._nodes.get(scope, ""))
        text = self._nodes.get(int(file[1]), "") if file else ""
        name = re.search(r'filename: "([^"]*)"', text)
        folder = re.search(r'directory: "([^"]*)"', text)
        return str(Path(folder[1] if folder else "") / (name[1] if name else ""))
