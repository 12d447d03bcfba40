"""Everything that executes a build and compares it with the golden model: C-simulation, RTL benches, the ladder."""

__all__: list[str] = []
