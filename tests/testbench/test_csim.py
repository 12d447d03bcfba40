"""The C-simulation's stream and fiber headers, its compiler call and the reading of its results."""

from pathlib import Path

import pytest

from testbench.csim import CompileFailed, CsimResult, StreamUse, compile_program, run_program
from testbench.csim.compiler import ap_types_folder

PROGRAMS = Path(__file__).parent / "csim_programs"


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("csim")


def interleaved(build: Path, odd_depth: int, seed: int) -> CsimResult:
    program = build / f"interleaved_{odd_depth}"
    compile_program([PROGRAMS / "interleaved.cpp"], program, include=[PROGRAMS], defines={"ODD_DEPTH": str(odd_depth)})
    return run_program(program, [str(seed)])


def sequential(build: Path, numbers: int) -> CsimResult:
    program = build / "sequential"
    compile_program([PROGRAMS / "sequential.cpp"], program, include=[PROGRAMS])
    return run_program(program, [str(numbers)])


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_processes_run_interleaved_within_their_depths(build: Path, seed: int) -> None:
    result = interleaved(build, 8, seed)
    assert result.passed, result.explanation()
    uses = {use.name: use for use in result.streams}
    assert set(uses) == {"numbers", "even", "odd", "sums"}
    assert uses["even"].depth == 2, "a stream without a depth has Vitis' default"
    assert all(use.high_water <= use.depth and use.left_over == 0 for use in result.streams)
    assert uses["numbers"].written == 1600


def test_an_undersized_stream_is_a_deadlock_named_by_process_and_stream(build: Path) -> None:
    # add_pairs wants 8 even numbers; by then split has had to store 7 odd ones.
    assert interleaved(build, 7, 0).passed
    result = interleaved(build, 6, 0)
    assert not result.passed
    assert result.exit_code == 3
    assert "process 'split' waits to write 'odd', which is full (depth 6)" in result.explanation()
    assert "process 'add_pairs' waits to read 'even', which is empty" in result.explanation()


def test_a_deadlock_does_not_hang_on_the_order(build: Path) -> None:
    assert not any(interleaved(build, 6, seed).passed for seed in range(1, 6))


def test_sequential_streams_are_unbounded_and_count_their_fill(build: Path) -> None:
    result = sequential(build, 16)
    assert result.passed, result.explanation()
    assert StreamUse("numbers", depth=4, high_water=16, written=16, left_over=0) in result.streams


def test_words_that_nobody_reads_are_reported(build: Path) -> None:
    result = sequential(build, 18)
    assert StreamUse("numbers", depth=4, high_water=18, written=18, left_over=2) in result.streams


def test_reading_an_empty_stream_names_it(build: Path) -> None:
    result = sequential(build, 15)
    assert not result.passed
    assert result.explanation() == "DEADLOCK: stream 'numbers' is read while it is empty"


def test_a_mismatch_is_read_from_the_bench(build: Path) -> None:
    source = build / "wrong.cpp"
    source.write_text(
        '#include <cstdio>\nint main() { std::puts("MISMATCH layer=conv1 image=2 channel=3 row=4 column=5 '
        'expected=17 got=-18"); }\n'
    )
    result = run_program(compile_program([source], build / "wrong"))
    assert not result.passed, "a printed mismatch fails whatever the exit code says"
    assert result.explanation() == "layer conv1, image 2, channel 3, row 4, column 5: expected 17, got -18"


def test_a_crash_and_an_endless_program_fail(build: Path) -> None:
    source = build / "crash.cpp"
    source.write_text("int main(int count, char**) { if (count == 1) __builtin_trap(); while (true) {} }\n")
    program = compile_program([source], build / "crash")
    assert run_program(program).exit_code < 0
    endless = run_program(program, ["forever"], timeout_seconds=0.5)
    assert not endless.passed
    assert "no end after 0.5 s" in endless.explanation()


def test_an_index_outside_its_array_stops_the_program(build: Path) -> None:
    source = build / "index.cpp"
    source.write_text("static int a[4];\nint main(int count, char**) { return a[3 + count]; }\n")
    result = run_program(compile_program([source], build / "index"))
    assert not result.passed
    assert "index 4 out of bounds" in result.log


def test_a_compile_error_names_file_and_line(build: Path) -> None:
    source = build / "broken.cpp"
    source.write_text("int main() {\n    return missing;\n}\n")
    with pytest.raises(CompileFailed, match=r"broken\.cpp:2:12: error: 'missing' was not declared"):
        compile_program([source], build / "broken")


def test_a_program_is_compiled_again_only_when_an_input_changed(build: Path) -> None:
    header, source = build / "value.h", build / "uses_value.cpp"
    header.write_text("#define VALUE 0\n")
    source.write_text('#include "value.h"\nint main() { return VALUE; }\n')
    program = compile_program([source], build / "uses_value")
    first = program.stat().st_mtime_ns
    assert compile_program([source], program).stat().st_mtime_ns == first
    header.write_text("#define VALUE 5\n")
    compile_program([source], program)
    assert run_program(program).exit_code == 5


def test_only_our_stream_header_is_ever_read(build: Path) -> None:
    program = build / "sequential_headers"
    compile_program([PROGRAMS / "sequential.cpp"], program, include=[PROGRAMS])
    read = program.with_name(program.name + ".d").read_text().replace("\\\n", " ").split()
    assert str(ap_types_folder() / "ap_int.h") in read
    assert [Path(name).parent.parent.name for name in read if name.endswith("/hls_stream.h")] == ["csim"]
