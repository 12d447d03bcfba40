"""Random programs by the thousand: the compiled SystemVerilog against g++ with Xilinx' types.

    python -m tests.rtl.campaign --programs 3000 --seed 1       a campaign; goes on where it was interrupted
    python -m tests.rtl.campaign --only 1000003                 one program: its source, and what differs
    python -m tests.rtl.campaign --only 1000003 --shrink        the same, made smaller as long as it differs

Program n of campaign s has the seed 1,000,000 s + n, which determines it, its pauses, and with --clock how it is
compiled. Exit code 1 when a program differs. Many programs share a build; `--batch` says how many. Finished batches
count only for the compiler and the generator that made them; what a later compiler makes the very same SystemVerilog of
was equal before and is not run again.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel

from tests.rtl.comparison import Setting, Verdict, compare_programs
from tests.rtl.random_programs import random_program
from tests.rtl.shrinking import shrink

__all__ = ["Batch", "Totals", "run_batch", "setting_of"]

_STATE = Path("build/random_programs")
_CAMPAIGN = 1_000_000
_BATCH = 64


class Batch(BaseModel):
    """A finished batch.

    Attributes:
        first: its first program's seed; the others follow.
        verdicts: by seed.
        constructs: number of programs that hold each construct.
        cpu_s: processor seconds that it took, in all processes.
        again: programs whose verdict was known.
    """

    first: int
    verdicts: dict[int, Verdict]
    constructs: Counter[str]
    cpu_s: float
    again: int = 0


class Totals(BaseModel):
    """A campaign so far; `programs` are those that were compared.

    Attributes:
        words: compared, over all runs.
        cpu_s: processor seconds, in all processes.
        again: programs among them whose verdict was known, as the compiler makes the same of them as before.
        differing: seeds of programs that differ.
        refusals: by seed, what the compiler said; `invalid`, what g++ did.
        constructs: number of programs that hold each construct.
    """

    programs: int = 0
    words: int = 0
    cpu_s: float = 0.0
    again: int = 0
    differing: list[int] = []
    refusals: dict[int, str] = {}
    invalid: dict[int, str] = {}
    constructs: Counter[str] = Counter()

    def add(self, batch: Batch) -> None:
        """Counts a batch."""
        self.cpu_s += batch.cpu_s
        self.again += batch.again
        self.constructs += batch.constructs
        for seed, verdict in batch.verdicts.items():
            self.words += verdict.words
            self.programs += verdict.outcome in ("equal", "differs")
            if verdict.outcome == "differs":
                self.differing.append(seed)
            elif verdict.outcome == "refused":
                self.refusals[seed] = verdict.detail
            elif verdict.outcome == "invalid":
                self.invalid[seed] = verdict.detail


def setting_of(seed: int, clocks: Sequence[float | None]) -> Setting:
    """The clock that a program is pipelined for, and whether its memories are block RAM."""
    clock_mhz = clocks[seed % len(clocks)]
    return Setting(clock_mhz, clock_mhz is not None and seed // len(clocks) % 2 == 1)


def run_batch(
    first: int, count: int, clocks: Sequence[float | None], runtime: Path, known: Mapping[str, Verdict] | None = None
) -> Batch:
    """Compares the programs of `count` seeds from `first` on; `known` as for `compare_programs`."""
    before = _processor_seconds()
    programs = [random_program(seed) for seed in range(first, first + count)]
    settings = [setting_of(program.seed, clocks) for program in programs]
    with tempfile.TemporaryDirectory(prefix="random_programs_") as folder:
        verdicts = compare_programs(programs, settings, Path(folder), runtime, known)
    constructs = Counter(name for program in programs for name in program.constructs)
    found = {program.seed: verdicts[program.top] for program in programs}
    again = sum(each.digest in (known or {}) for each in found.values())
    return Batch(first=first, verdicts=found, constructs=constructs, cpu_s=_processor_seconds() - before, again=again)


def _known(state: Path) -> dict[str, Verdict]:
    """What earlier campaigns found to be equal, by digest."""
    batches = (Batch.model_validate_json(path.read_text()) for path in state.glob("seed*/*.json"))
    verdicts = (verdict for batch in batches for verdict in batch.verdicts.values())
    return {each.digest: each for each in verdicts if each.digest and each.outcome == "equal"}


def _processor_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _kept(path: Path) -> Batch | None:
    return Batch.model_validate_json(path.read_text()) if path.exists() else None


def _keep(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(text)
    draft.replace(path)


def _batches(arguments: argparse.Namespace) -> Iterator[tuple[int, int]]:
    start = arguments.seed * _CAMPAIGN
    for done in itertools.count(0, arguments.batch):
        left = arguments.batch if arguments.forever else min(arguments.batch, arguments.programs - done)
        if left <= 0:
            return
        yield start + done, left


def _campaign(arguments: argparse.Namespace) -> Totals:
    """Runs what is not there yet, and prints a line per batch."""
    clocks = _clocks(arguments.clock)
    folder = arguments.state / f"seed{arguments.seed}_{arguments.clock.replace(',', '_')}_{_version()}"
    runtime, known = _runtime(arguments.state), _known(arguments.state)
    totals, begun, fresh = Totals(), time.monotonic(), 0
    with ProcessPoolExecutor(arguments.jobs) as pool:
        running: dict[Future[Batch], Path] = {}
        todo = _batches(arguments)
        while True:
            while len(running) < arguments.jobs and (item := next(todo, None)):
                path = folder / f"{item[0]}_{item[1]}.json"
                if (batch := _kept(path)) is not None:
                    totals.add(batch)
                    continue
                running[pool.submit(run_batch, *item, clocks, runtime, known)] = path
            if not running:
                return totals
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                batch, path = future.result(), running.pop(future)
                _keep(path, batch.model_dump_json(indent=1))
                _keep_failures(batch, folder / "failed")
                totals.add(batch)
                fresh += len(batch.verdicts)
                print(_line(totals, 60 * fresh / (time.monotonic() - begun)), file=sys.stderr, flush=True)


def _version() -> str:
    """Of the compiler and the generator: a digest of their files."""
    root = Path(__file__).parents[2]
    files = sorted(path for folder in ("rtl", "tests/rtl") for path in (root / folder).rglob("*.*"))
    texts = (path.read_bytes() for path in files if path.suffix in (".py", ".h", ".sv") and "test_" not in path.name)
    return hashlib.sha256(b"".join(texts)).hexdigest()[:8]


def _runtime(folder: Path) -> Path:
    """Where Verilator's own objects lie."""
    return folder.resolve() / "verilator_runtime"


def _keep_failures(batch: Batch, folder: Path) -> None:
    for seed, verdict in batch.verdicts.items():
        if verdict.outcome != "differs":
            continue
        comment = "".join(f"// {line}\n" for line in verdict.detail.splitlines())
        _keep(folder / f"program{seed}.cpp", comment + random_program(seed).source)
        print(f"seed {seed} differs: {verdict.detail}", file=sys.stderr)


def _line(totals: Totals, rate: float) -> str:
    counts = f"{totals.programs:,} programs, {totals.words:,} words, {len(totals.differing)} differ"
    others = f"{len(totals.refusals)} refused, {len(totals.invalid)} invalid"
    each = totals.cpu_s / max(totals.programs, 1)
    return f"{counts}; {others}; {rate:.1f} programs a minute, {each:.2f} processor seconds each"


def _print(totals: Totals, as_json: bool) -> None:
    if as_json:
        print(json.dumps(totals.model_dump(), indent=2))
        return
    print("programs with each construct:")
    for name, count in sorted(totals.constructs.items(), key=lambda item: (-item[1], item[0])):
        print(f"{count:8,}  {name}")
    for title, found in (("refused", totals.refusals), ("invalid", totals.invalid)):
        for seed, detail in found.items():
            print(f"{title} {seed}: {detail.strip().splitlines()[0] if detail.strip() else ''}")
    each = totals.cpu_s / max(totals.programs, 1)
    print(f"{totals.programs:,} programs compared, {totals.words:,} words, {each:.2f} processor seconds each")
    print(f"{totals.again:,} of them when the compiler made the same SystemVerilog of them before")
    print(f"{len(totals.differing)} differ{': ' if totals.differing else ''}{', '.join(map(str, totals.differing))}")


def _single(arguments: argparse.Namespace) -> bool:
    """Prints one program and what differs in it; True when nothing does."""
    program = random_program(arguments.only)
    setting = setting_of(arguments.only, _clocks(arguments.clock))
    with tempfile.TemporaryDirectory(prefix="random_programs_") as folder:
        runtime = _runtime(Path(folder))
        verdict = compare_programs([program], [setting], Path(folder), runtime)[program.top]
        if arguments.shrink and verdict.outcome == "differs":
            source, verdict = shrink(program, setting, Path(folder), runtime)
            program = replace(program, source=source)
    print(program.source)
    print(f"// {setting}; words in: {', '.join(map(hex, program.inputs['in']))}")
    print(f"// {verdict.outcome}: {verdict.words} words; {verdict.detail}")
    return verdict.outcome != "differs"


def _clocks(text: str) -> list[float | None]:
    return [None if item == "none" else float(item) for item in text.split(",")]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.rtl.campaign", description=__doc__.split("\n")[0])
    parser.add_argument("--programs", type=int, default=3000, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="of the campaign")
    parser.add_argument("--clock", default="none,200,350", help="MHz, or none; programs take turns")
    parser.add_argument("--batch", type=int, default=_BATCH, help="programs in one build")
    parser.add_argument("--jobs", type=int, default=2, help="batches at the same time")
    parser.add_argument("--state", type=Path, default=_STATE, help="folder of finished batches and failing programs")
    parser.add_argument("--forever", action="store_true", help="goes on until it is interrupted")
    parser.add_argument("--json", action="store_true", help="the totals as one JSON document")
    parser.add_argument("--only", type=int, metavar="SEED", help="one program: its source, and what differs")
    parser.add_argument("--shrink", action="store_true", help="with --only: drops what does not matter")
    return parser.parse_args()


def main() -> None:
    """Runs a campaign or one program."""
    arguments = _arguments()
    if arguments.only is not None:
        sys.exit(0 if _single(arguments) else 1)
    totals = _campaign(arguments)
    _print(totals, arguments.json)
    sys.exit(1 if totals.differing else 0)


if __name__ == "__main__":
    main()
