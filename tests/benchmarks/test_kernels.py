"""The example kernels: right words, the II asked for, and the clocks that are written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.kernel_workloads import WORKLOADS
from benchmarks.kernels import FOLDER, differences, measure, read_expected


def test_kernels_are_as_expected(tmp_path: Path) -> None:
    """g++, Verilator without and with pauses and the models in Python agree, and the figures are those of the file."""
    figures, problems = measure(tmp_path)
    assert problems + differences(figures, read_expected()) == []


def test_every_kernel_is_checked() -> None:
    """No C++ file without a workload, no workload without figures; every PIPELINE loop was reached."""
    assert sorted(WORKLOADS) == sorted(path.stem for path in FOLDER.glob("*.cpp")) == sorted(read_expected())
    loops = [loop for item in read_expected().values() for loop in item.loops]
    assert all(loop.ii_reached == loop.ii_asked for loop in loops if loop.ii_asked is not None)


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_wrong_word_is_noticed(name: str) -> None:
    """A missing word, and one with a wrong bit, at each port."""
    workload = WORKLOADS[name]()
    right = {port: [int(word) for word in words] for port, words in workload.outputs.items()}
    for port, (scale, bits, _) in workload.errors.items():
        right[port] = [round(number * scale) % (1 << bits) for number in workload.outputs[port]]
    assert workload.wrong(right) == ""
    for port, words in right.items():
        assert f"words at '{port}'" in workload.wrong(right | {port: words[:-1]})
        assert f"at '{port}' is" in workload.wrong(right | {port: [*words[:-1], words[-1] ^ 1 << 6]})


def test_a_difference_is_named() -> None:
    """Another number of clocks, another II, a kernel too many or too few."""
    expected = read_expected()
    figures = list(expected.values())
    assert differences(figures, expected) == []
    slower = [figures[0].model_copy(update={"clocks": figures[0].clocks + 1}), *figures[1:]]
    assert f"clocks is {figures[0].clocks + 1}" in differences(slower, expected)[0]
    loop = figures[0].loops[0].model_copy(update={"ii_reached": 2})
    looser = [figures[0].model_copy(update={"loops": [loop, *figures[0].loops[1:]]}), *figures[1:]]
    assert "loops is" in differences(looser, expected)[0]
    assert len(differences(figures[1:], expected)) == 1
    assert len(differences(figures, {figures[0].kernel: figures[0]})) == len(figures) - 1
