"""What the generator must know of the RTL: in which stage each process touches its streams."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import rtl

__all__ = ["Pipeliner"]


@dataclass
class Pipeliner:
    """Compiles a build's C++ for its clock; called by the generator, and keeps the report.

    Attributes:
        reports: one for each call.
    """

    reports: list[rtl.Report] = field(default_factory=list)

    def __call__(self, hls: Path, top: str, clock_mhz: float) -> Mapping[str, tuple[int, int]]:
        """Where the streams are written and read.

        Args:
            hls: folder of the C++, with ``top.cpp``.
            top: the top function.
            clock_mhz: what the processes are pipelined for.

        Returns:
            Per stream (``name``, or ``name_0`` for an element of an array) the stage of its producer and of its
            consumer; streams that are touched in stage 0 alone are left out.

        Raises:
            rtl.CompileError: the compiler refuses the C++.
        """
        with tempfile.TemporaryDirectory() as folder:
            design, report = rtl.compile_with_report(hls / "top.cpp", top, [hls], Path(folder) / "rtl", clock_mhz)
        self.reports.append(report)
        return design.stream_stages()
