"""`python -m rtl FILE.cpp --top NAME -I DIR -o DIR`, and `--clock MHZ --report` for the timing report."""

import argparse
import sys
from pathlib import Path

from rtl.compiler import compile_cpp, compile_with_report
from rtl.design import Design
from rtl.errors import CompileError, OptionError
from rtl.report import Report, check_options
from rtl.report_table import print_report


def main() -> int:
    """Compiles one file. Exit code 0; 1 when a PIPELINE loop misses its II or the clock; 2, with a sentence."""
    arguments = _arguments()
    try:
        design, report = _compiled(arguments)
    except (CompileError, OptionError) as error:
        print(error, file=sys.stderr)
        return 2
    if report is not None and arguments.report:
        if arguments.json:
            print(report.model_dump_json(indent=2))
        else:
            print_report(report)
    elif arguments.json:
        print(design.model_dump_json(indent=2))
    else:
        print(f"{arguments.output}: {len(design.processes)} processes, {len(design.fifos)} FIFOs")
    if report is not None and report.misses and not arguments.relaxed:
        print(f"{len(report.misses)} misses, the first: {report.misses[0]}", file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m rtl", description="Vitis HLS C++ to SystemVerilog")
    parser.add_argument("source", type=Path)
    parser.add_argument("--top", required=True, help="top function")
    parser.add_argument("-I", dest="include", type=Path, action="append", default=[], help="include folder")
    parser.add_argument("-D", dest="defines", action="append", default=[], metavar="NAME[=VALUE]")
    parser.add_argument("-o", dest="output", type=Path, help="output folder, replaced as a whole")
    parser.add_argument("--clock", metavar="MHZ", help="pipeline for this clock; adds report.json to -o")
    parser.add_argument("--report", action="store_true", help="print the timing report (needs --clock)")
    parser.add_argument("--json", action="store_true", help="print one JSON document in place of text")
    parser.add_argument("--relaxed", action="store_true", help="exit code 0 even when a PIPELINE loop misses")
    return parser.parse_args()


def _compiled(arguments: argparse.Namespace) -> tuple[Design, Report | None]:
    defines = {name: value or "1" for name, _, value in (text.partition("=") for text in arguments.defines)}
    source, top, include, output = arguments.source, arguments.top, arguments.include, arguments.output
    clock_mhz = _megahertz(arguments.clock)
    check_options(output, clock_mhz, arguments.report, arguments.relaxed)
    if clock_mhz is not None:
        return compile_with_report(source, top, include, output, clock_mhz, defines)
    return compile_cpp(source, top, include, output, defines), None


def _megahertz(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        raise OptionError(f"--clock: '{text}' is no number of MHz") from None


if __name__ == "__main__":
    raise SystemExit(main())
