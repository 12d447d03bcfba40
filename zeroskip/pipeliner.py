"""What the generator must know of the RTL: in which stage each process touches its streams.

The compiler is imported when there is something to compile.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import rtl

__all__ = ["KeptStages", "Pipeliner"]


@dataclass
class Pipeliner:
    """Compiles a build's C++ for its clock; called by the generator, and keeps the report.

    Attributes:
        reports: one for each call.
    """

    reports: list["rtl.Report"] = field(default_factory=list)

    def __call__(self, hls: Path, top: str, clock_mhz: float) -> Mapping[str, tuple[int, int]]:
        """Where the streams are written and read.

        Args:
            hls: folder of the C++, with ``top.cpp``.
            top: the top function.
            clock_mhz: what the processes are pipelined for.

        Returns:
            Per stream (``name``, or ``name_0`` for an element of an array) the stage of its producer and of its
            consumer; streams that are touched in stage 0 alone are left out. And what else
            :meth:`rtl.Design.stream_stages` tells.

        Raises:
            rtl.CompileError: the compiler refuses the C++.
        """
        import rtl

        with tempfile.TemporaryDirectory() as folder:
            design, report = rtl.compile_with_report(hls / "top.cpp", top, [hls], Path(folder) / "rtl", clock_mhz)
        self.reports.append(report)
        return design.stream_stages()


class KeptStages:
    """A pipeliner that compiles C++ only once: the stages of equal C++, clock and compiler are kept in a folder.

    Args:
        folder: where; by default `zeroskip/stages` in the user's cache ($XDG_CACHE_HOME, or ~/.cache).
    """

    def __init__(self, folder: Path | None = None) -> None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self._folder = folder or cache / "zeroskip" / "stages"

    def __call__(self, hls: Path, top: str, clock_mhz: float) -> Mapping[str, tuple[int, int]]:
        """As :meth:`Pipeliner.__call__`."""
        kept = self._folder / f"{_stages_digest(hls, top, clock_mhz)}.json"
        try:
            found: dict[str, tuple[int, int]] = {
                name: (int(written), int(read)) for name, (written, read) in json.loads(kept.read_text()).items()
            }
            return found
        except (OSError, ValueError, AttributeError, TypeError):
            stages = Pipeliner()(hls, top, clock_mhz)
        with suppress(OSError):  # a folder that cannot be written costs a compilation a call, no more
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = kept.with_name(f".{kept.name}.{os.getpid()}")
            temporary.write_text(json.dumps(dict(stages)) + "\n")
            os.replace(temporary, kept)
        return stages


def _stages_digest(hls: Path, top: str, clock_mhz: float) -> str:
    """Of all that the stages depend on: the C++, the clock, the compiler's own code and headers."""
    digest = hashlib.sha256(f"{top} {clock_mhz!r}".encode())
    compiler = find_spec("rtl")
    assert compiler and compiler.origin
    for root in (hls, Path(compiler.origin).parent):
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"\0{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:40]
