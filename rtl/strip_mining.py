"""Partial unrolling: a loop becomes two, of which the inner one runs N iterations and is then unrolled fully.

It is done in clang's unoptimised IR, before any pass runs, so that nothing hangs on how LLVM would unroll by N:

    outer:  n = 0                       entered where the loop was
    header: the loop's own test         leaves both loops
    first:  if (n == 0) cut             one step begins for N iterations
    body:   ...
    next:   n += 1; if (n < N) header
    again:  outer

The inner loop ends after N iterations at `next`, so that LLVM can unroll it whatever the loop's test is; each copy
keeps its test. Each iteration is marked, and `rtl.cuts` refuses what still goes round without a cut.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["PartialLoop", "strip_mine"]

_LABEL = re.compile(r"^(?:[\w.$-]+|\"[^\"]*\"):")


@dataclass(frozen=True)
class PartialLoop:
    """A loop to be unrolled by a factor.

    Attributes:
        header: label of its first block.
        body: label of the block in which an iteration begins; the header itself where nothing is tested at the top.
        node: number of its metadata node, which the inner loop takes.
        outer_node: number of the node that the outer loop gets.
        mark: number of the metadata node that its cut names.
        factor: iterations that make a step.
    """

    header: str
    body: str
    node: int
    outer_node: int
    mark: int
    factor: int


def strip_mine(lines: Sequence[str], loop: PartialLoop) -> list[str]:
    """The lines of a function, from `define` to before the closing brace, with `loop` taken apart into two."""
    key = f"rtl.{loop.node}"
    inner = f"{key}.first" if loop.body == loop.header else loop.header
    edited = []
    for line in lines:
        latch = re.search(rf", !llvm\.loop !{loop.node}\b", line)
        if latch:
            line = _retarget(line.replace(latch[0], ""), loop.header, f"{key}.next")
        line = _retarget(line, loop.header, f"{key}.outer")
        if loop.body != loop.header:
            line = _retarget(line, loop.body, f"{key}.first")
        edited.append(line)
    entry = next(number for number, line in enumerate(edited) if _LABEL.match(line))
    edited.insert(entry + 1, f"  %{key}.n = alloca i32, align 4")
    return [*edited, *_blocks(loop, key, inner)]


def _retarget(line: str, old: str, new: str) -> str:
    """Branches to label `old` go to `new`; `label %x` is only written in branches."""
    return re.sub(rf"\blabel %{re.escape(old)}(?![\w.$-])", f"label %{new}", line)


def _blocks(loop: PartialLoop, key: str, inner: str) -> list[str]:
    """The new blocks; `inner` is where the inner loop begins."""
    count = f"ptr %{key}.n, align 4"
    return [
        "",
        f"{key}.outer:",
        f"  store i32 0, {count}",
        f"  br label %{inner}",
        "",
        f"{key}.first:",
        "  call void @rtl.iteration()",
        f"  %{key}.begun = load i32, {count}",
        f"  %{key}.fresh = icmp eq i32 %{key}.begun, 0",
        f"  br i1 %{key}.fresh, label %{key}.start, label %{loop.body}",
        "",
        f"{key}.start:",
        f"  call void @rtl.cut(), !rtl.loop !{loop.mark}",
        f"  br label %{loop.body}",
        "",
        f"{key}.next:",
        f"  %{key}.old = load i32, {count}",
        f"  %{key}.new = add i32 %{key}.old, 1",
        f"  store i32 %{key}.new, {count}",
        f"  %{key}.more = icmp ult i32 %{key}.new, {loop.factor}",
        f"  br i1 %{key}.more, label %{inner}, label %{key}.again, !llvm.loop !{loop.node}",
        "",
        f"{key}.again:",
        f"  br label %{key}.outer, !llvm.loop !{loop.outer_node}",
    ]
