"""Path conditions inside one step's acyclic piece of the control-flow graph."""

from __future__ import annotations

from collections.abc import Sequence

from rtl.expressions import Graph, Node
from rtl.ir import Block

__all__ = ["Region"]


class Region:
    """Blocks of a step, and under which conditions control comes to each.

    Blocks are entered in topological order; an edge whose condition is known to be false is dropped.
    """

    def __init__(self, graph: Graph, blocks: Sequence[Block]) -> None:
        self.blocks = list(blocks)
        self._graph = graph
        self._index = {id(block): number for number, block in enumerate(blocks)}
        self._rejoins = self._static_rejoins()
        self._edges: dict[int, list[tuple[Block, Node]]] = {id(blocks[0]): []}
        self._dominators: dict[int, int] = {id(blocks[0]): 1}
        self._conditions: dict[tuple[int, int], Node] = {}

    def reached(self, block: Block) -> bool:
        """Control can come to `block`."""
        return id(block) in self._dominators

    def enter(self, block: Block) -> bool:
        """Prepares `block`, all of whose predecessors are done. False when control cannot come here."""
        if block is self.blocks[0]:
            return True
        edges = self._edges.get(id(block), [])
        if not edges:
            return False
        dominators = -1
        for source, _ in edges:
            dominators &= self._dominators[id(source)]
        self._dominators[id(block)] = dominators | 1 << self._index[id(block)]
        return True

    def leave(self, source: Block, target: Block, condition: Node) -> None:
        """Adds the edge from `source`, taken when `condition` holds there, unless it never is."""
        if not (condition.op == "const" and condition.number == 0):
            self._edges.setdefault(id(target), []).append((source, condition))

    def dominates(self, first: Block, second: Block) -> bool:
        """Every path of this step to `second` passes `first`."""
        return bool(self._dominators[id(second)] >> self._index[id(first)] & 1)

    def condition(self, block: Block) -> Node:
        """Control comes to `block` in this step."""
        return self._condition(block, self.blocks[0])

    def choices(self, block: Block) -> list[tuple[Block, Node]]:
        """Predecessors of `block` and, given that control comes to `block`, when it comes from each."""
        top = self._dominator(block)
        and_ = self._graph.bitwise
        return [(source, and_("and", self._condition(source, top), edge)) for source, edge in self._edges[id(block)]]

    def path(self, first: Block, last: Block) -> bool:
        """Control can go from `first` to `last` inside the step."""
        stack, seen = [last], {id(last)}
        while stack:
            block = stack.pop()
            if block is first:
                return True
            for source, _ in self._edges.get(id(block), []):
                if id(source) not in seen:
                    seen.add(id(source))
                    stack.append(source)
        return False

    def _dominator(self, block: Block) -> Block:
        """The nearest block that every path to `block` passes, other than itself."""
        others = self._dominators[id(block)] & ~(1 << self._index[id(block)])
        return self.blocks[others.bit_length() - 1]

    def _condition(self, block: Block, top: Block) -> Node:
        """Control comes to `block`, given that it comes to its dominator `top`."""
        if block is top:
            return self._graph.const(1, 1)
        key = (id(block), id(top))
        if key not in self._conditions:
            dominator = self._dominator(block)
            if self._rejoins[self._index[id(block)]] >> self._index[id(dominator)] & 1:
                node = self._condition(dominator, top)
            else:
                parts = [
                    self._graph.bitwise("and", self._condition(source, top), edge)
                    for source, edge in self._edges[id(block)]
                ]
                node = self._graph.disjunction(parts)
            self._conditions[key] = node
        return self._conditions[key]

    def _static_rejoins(self) -> list[int]:
        """For each block the set (as bits) of blocks from which every path to the step's end passes it."""
        count = len(self.blocks)
        passes = [0] * count  # passes[b]: blocks that every path from b passes
        for number in range(count - 1, -1, -1):
            block = self.blocks[number]
            targets = [self._index.get(id(target)) for target in block.branch.targets]
            common = -1
            for target in targets:
                common &= passes[target] if target is not None and not self.blocks[target].is_cut else 0
            if not targets:
                common = -1 if block.branch.unreachable else 0
            passes[number] = common | 1 << number
        return [sum(1 << source for source in range(count) if passes[source] >> number & 1) for number in range(count)]
