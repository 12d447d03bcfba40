"""`python -m rtl FILE.cpp --top NAME -I DIR -o DIR`"""

import argparse
import sys
from pathlib import Path

from rtl.compiler import compile_cpp
from rtl.errors import CompileError


def main() -> int:
    """Compiles one file. Exit code 0, or 2 with one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m rtl", description="Vitis HLS C++ to SystemVerilog")
    parser.add_argument("source", type=Path)
    parser.add_argument("--top", required=True, help="top function")
    parser.add_argument("-I", dest="include", type=Path, action="append", default=[], help="include folder")
    parser.add_argument("-D", dest="defines", action="append", default=[], metavar="NAME[=VALUE]")
    parser.add_argument("-o", dest="output", type=Path, required=True, help="output folder, replaced as a whole")
    arguments = parser.parse_args()
    defines = {name: value or "1" for name, _, value in (text.partition("=") for text in arguments.defines)}
    try:
        design = compile_cpp(arguments.source, arguments.top, arguments.include, arguments.output, defines)
    except CompileError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{arguments.output}: {len(design.processes)} processes, {len(design.fifos)} FIFOs")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
