"""LLVM's passes, in a process of their own: LLVM ends the process that it runs in when it meets a fault of its own.

As a script, `python passes.py [PASS ..]` reads LLVM IR from stdin and writes what the passes make of it, without those
that are named, to stdout. It imports nothing of the project, so that it starts in a few hundredths of a second.
"""

import subprocess
import sys

import llvmlite.binding as llvm

__all__ = ["TARGET", "PassError", "optimised"]

# aarch64 and not x86-64: its ABI passes _BitInts of up to 128 bits as they are, where x86-64 takes them apart. Any
# fixed 64-bit little-endian target keeps the IR, and so the hardware, independent of the machine.
TARGET = "aarch64-linux-gnu"

_UNROLL_LIMIT = 1 << 24

# LLVM's passes, in order. SIMPLIFY runs again after each round of unrolling: what was an index is a constant then.
_INLINE = ("always_inliner", "global_dead_code_eliminate")
_SIMPLIFY = (
    *("sroa", "instruction_combine", "simplify_cfg", "sccp", "new_gvn"),
    *("instruction_combine", "dead_store_elimination", "aggressive_dce", "simplify_cfg"),
)
_UNROLL = ("sroa", "loop_simplify", "lcssa", "loop_unroll", "simplify_cfg", "instruction_combine")
_PASSES = (_INLINE, _SIMPLIFY, _UNROLL, _SIMPLIFY, _UNROLL, _SIMPLIFY, _SIMPLIFY)

# What can be left out: it finds values that are computed twice, which the expressions do as well, and gives up by an
# assertion (`ProcessedCount`) on some loops.
_DISPENSABLE = "new_gvn"


class PassError(RuntimeError):
    """LLVM did not take the IR, or broke on it; a fault of this compiler or of LLVM, not of the source."""


def optimised(text: str) -> str:
    """LLVM IR, as text, behind the passes. None of them can add or remove steps: see `rtl.frontend`.

    Raises:
        PassError: see there; with what LLVM said.
    """
    command = [sys.executable, "-P", __file__]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode < 0:  # killed by a signal, as an assertion of LLVM's ends it
        done = subprocess.run([*command, _DISPENSABLE], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PassError(" ".join(done.stderr.split())[-400:])
    return done.stdout


def _run(text: str, left_out: set[str]) -> str:
    llvm.set_option("rtl", f"-pragma-unroll-threshold={_UNROLL_LIMIT}")
    llvm.initialize_all_targets()
    module = llvm.parse_assembly(text, context=llvm.create_context())
    machine = llvm.Target.from_triple(TARGET).create_target_machine()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=1))
    for passes in _PASSES:
        manager = llvm.create_new_module_pass_manager()
        for name in passes:
            if name not in left_out:
                getattr(manager, f"add_{name}_pass")()
        manager.run(module, builder)
    return str(module)


def _main() -> int:
    try:
        sys.stdout.write(_run(sys.stdin.read(), set(sys.argv[1:])))
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
