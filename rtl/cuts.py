"""Where steps begin: splits a function's blocks so that every cut stands at the start of a block without phis."""

from __future__ import annotations

from rtl.errors import CompileError
from rtl.ir import Block, Branch, Function, Instruction

__all__ = ["cut_at_loops", "cut_before", "step_region"]


def cut_at_loops(function: Function) -> None:
    """Splits at the marks that `rtl.frontend` set, and at loops (made of gotos) that have none.

    Raises:
        CompileError: a loop that was to be unrolled by a factor and was not.
    """
    work = list(function.blocks)
    while work:
        block = work.pop(0)
        mark = next((item for item in block.instructions if item.op == "cut"), None)
        if mark is not None:
            rest = _split(function, block, block.instructions.index(mark))
            rest.instructions.pop(0)
            rest.place = mark.place
            rest.loop = mark.loop
            work.insert(0, rest)
    function.blocks[0].is_cut = True
    _check_iterations(function)
    while header := _uncut_cycle(function):
        _split(function, header, len(list(header.phis())))


def cut_before(function: Function, instruction: Instruction) -> None:
    """Starts a step at `instruction`."""
    block = next(item for item in function.blocks if instruction in item.instructions)
    rest = _split(function, block, block.instructions.index(instruction))
    rest.place = instruction.place


def _split(function: Function, block: Block, at: int) -> Block:
    """Moves the instructions from `at` on into a new block that is a cut."""
    rest = Block(f"{block.name}.{len(function.blocks)}", block.instructions[at:], block.branch, True, block.place)
    block.instructions = block.instructions[:at]
    block.branch = Branch(None, [rest])
    for target in rest.branch.targets:
        for phi in target.phis():
            phi.incoming = [rest if source is block else source for source in phi.incoming]
    function.blocks.insert(function.blocks.index(block) + 1, rest)
    return rest


def _check_iterations(function: Function) -> None:
    """Each iteration of a loop with a factor stands by itself: none comes round to itself without a cut."""
    for block in function.blocks:
        mark = next((item for item in block.instructions if item.op == "iteration"), None)
        if mark is None:
            continue
        reached = {id(other) for target in block.branch.targets if not target.is_cut for other in step_region(target)}
        if id(block) in reached:
            message = "the loop cannot be unrolled by its factor; unroll it fully, or write the iterations out"
            raise CompileError(mark.place.file, mark.place.line, message)
        block.instructions = [item for item in block.instructions if item.op != "iteration"]


def _uncut_cycle(function: Function) -> Block | None:
    """The header of a cycle that passes no cut, if there is one."""
    state: dict[int, int] = {}
    for start in function.blocks:
        if id(start) in state:
            continue
        stack = [(start, iter(start.branch.targets))]
        state[id(start)] = 1
        while stack:
            block, targets = stack[-1]
            target = next(targets, None)
            if target is None:
                state[id(block)] = 2
                stack.pop()
            elif not target.is_cut and state.get(id(target)) == 1:
                return target
            elif not target.is_cut and id(target) not in state:
                state[id(target)] = 1
                stack.append((target, iter(target.branch.targets)))
    return None


def step_region(start: Block) -> list[Block]:
    """Blocks of the step that begins at `start`, in topological order."""
    order: list[Block] = []
    seen = {id(start)}
    stack = [(start, iter(start.branch.targets))]
    while stack:
        block, targets = stack[-1]
        target = next(targets, None)
        if target is None:
            order.append(block)
            stack.pop()
        elif not target.is_cut and id(target) not in seen:
            seen.add(id(target))
            stack.append((target, iter(target.branch.targets)))
    return order[::-1]
