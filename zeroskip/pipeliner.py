"""What the generator's cycle model must know of the RTL: in which stage each process touches its streams."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import rtl

__all__ = ["stream_stages"]


def stream_stages(hls: Path, top: str, clock_mhz: float) -> Mapping[str, tuple[int, int]]:
    """Compiles a build's C++ and says where its streams are written and read.

    Args:
        hls: folder of the C++, with ``top.cpp``.
        top: the top function.
        clock_mhz: what the processes are pipelined for.

    Returns:
        Per stream (``name``, or ``name_0`` for an element of an array) the stage of its producer and of its consumer;
        streams that are touched in stage 0 alone are left out.

    Raises:
        rtl.CompileError: the compiler refuses the C++.
    """
    with tempfile.TemporaryDirectory() as folder:
        design = rtl.compile_cpp(hls / "top.cpp", top, [hls], Path(folder) / "rtl", clock_mhz=clock_mhz)
    stages = {fifo.stream: (fifo.written_in, fifo.read_in) for fifo in design.fifos}
    return {
        name.replace("[", "_").removesuffix("]"): stage for name, stage in sorted(stages.items()) if stage != (0, 0)
    }
