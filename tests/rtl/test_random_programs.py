"""Random programs: C++ under g++ with Xilinx' types against the compiled SystemVerilog under Verilator."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.rtl.campaign import setting_of
from tests.rtl.comparison import STALLS, Setting, compare_programs, judge
from tests.rtl.random_programs import random_program
from tests.rtl.simulation import Outcome, Program

CLOCKS = (None, 200.0, 350.0, 500.0)
SAMPLE = range(8, 30)
# Programs that differed once, or that the compiler broke on or refused, and that have no smaller case in
# test_features.py, with what was wrong; all must stay equal. As text: the generator changes.
ONCE_FAILED = sorted((Path(__file__).parent / "programs").glob("random_*.cpp"))


def _once_failed(path: Path) -> Program:
    source = path.read_text()
    head = source[: source.index("#include")].replace("\n//", "")
    calls, words = re.search(r"calls: (\d+)", head), re.findall(r"0x[0-9a-f]+", head)
    assert calls and words
    top = path.stem.replace("random_", "program")
    return Program(top, source, {"in": [int(word, 16) for word in words]}, calls=int(calls[1]))


def _check(programs: Sequence[Program], folder: Path) -> None:
    settings = [setting_of(int(program.top.removeprefix("program")), CLOCKS) for program in programs]
    verdicts = compare_programs(programs, settings, folder)
    assert {top: verdict.detail for top, verdict in verdicts.items() if verdict.outcome != "equal"} == {}
    assert all(verdict.words > 0 for verdict in verdicts.values())


def test_rtl_equals_cpp(tmp_path: Path) -> None:
    """Every word of a few programs and of those that failed once, without pauses and with random ones; lint-clean."""
    _check([*map(random_program, SAMPLE), *map(_once_failed, ONCE_FAILED)], tmp_path)


def test_every_construct_occurs() -> None:
    """Whatever the generator can write, it does write; and equal seeds give equal programs."""
    programs = [random_program(seed) for seed in range(300)]
    constructs: Counter[str] = sum((program.constructs for program in programs), Counter())
    expected = {"UNROLL with break", "goto out of two loops", "diamond with a block", "process: records up to a mark"}
    expected |= {f"fixed point: AP_{mode}" for mode in ("RND_CONV", "TRN_ZERO", "SAT_SYM", "WRAP with N")}
    expected |= {"ROM, 2-dimensional", "array of streams", "lambda", "signed %", "width: 1 bit", "switch, fall through"}
    ways = ("one", "under a condition", "each to the next place", "exchanged")
    expected |= {f"structures copied: {way}" for way in ways}
    assert expected <= constructs.keys() and min(constructs[name] for name in expected) > 10
    assert programs[7] == random_program(7)


def test_a_difference_is_told() -> None:
    """A wrong, a missing and an additional word, in any of the runs."""
    wanted = Outcome({"out": [1, 2, 3]})
    assert judge(wanted, [wanted] * len(STALLS)).outcome == "equal"
    for words, told in (([1, 5, 3], "word 1 is 0x5"), ([1, 2], "word 2 is nothing"), ([1, 2, 3, 4], "word 3 is 0x4")):
        verdict = judge(wanted, [wanted] * (len(STALLS) - 1) + [Outcome({"out": words})])
        assert verdict.outcome == "differs" and told in verdict.detail


def test_what_is_known_is_not_run_again(tmp_path: Path) -> None:
    """A verdict holds for the same program and the same hardware, and for nothing else."""
    head = "void program1(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<8>>& out) {"
    program = Program("program1", f"{head}\nout.write(in.read() / 7 + 1);\n}}\n", {"in": [1]})
    fast, slow = Setting(350.0), Setting()
    first = compare_programs([program], [slow], tmp_path / "first")["program1"]
    assert first.outcome == "equal" and first.digest
    known = {first.digest: first.model_copy(update={"words": 77})}
    for number, (changed, setting, words) in enumerate((
        (program, slow, 77),
        (program, fast, len(STALLS)),
        (replace(program, inputs={"in": [2]}), slow, len(STALLS)),
        (replace(program, source=program.source.replace("+ 1", "+ 2")), slow, len(STALLS)),
    )):  # fmt: skip
        verdict = compare_programs([changed], [setting], tmp_path / f"again{number}", known=known)["program1"]
        assert (verdict.outcome, verdict.words) == ("equal", words)
        assert (verdict.digest == first.digest) == (words == 77)


def test_a_refusal_is_no_difference(tmp_path: Path) -> None:
    """It is told with its line, and the other programs go on without it."""
    head = "void program1(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<8>>& out) {"
    program = Program("program1", f"{head}\nif (!in.empty()) out.write(in.read());\n}}\n", {"in": [1]})
    verdict = compare_programs([program], [Setting()], tmp_path)["program1"]
    assert verdict.outcome == "refused" and verdict.detail.startswith("line ")
