"""`zeroskip explore`: the sweep, what is kept of it, reports, one sentence for bad input."""

import json
from pathlib import Path

import pytest

import golden
from generator.boards import load_board
from tests.cli.test_estimate import _run
from tests.generator.networks import fc_network
from zeroskip import exploring


@pytest.fixture
def description(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    golden.save(fc_network(), tmp_path / "small.json")
    return tmp_path / "small.json"


def test_a_sweep_is_kept_and_reported(
    description: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = description.parent / "out"
    sweep = ("explore", description, "--board", "ultra96", "--tile", "8,16", "--fc-pes", "1,2", "-o", folder)
    code, text, _ = _run(capsys, *sweep, "--workers", 1)
    assert code == 0 and "4 of 4 configurations fit; 0 were kept" in text
    results = json.loads((folder / "results.json").read_text())
    assert results["missing"] == 0 and results["pareto"]
    assert "<svg" in (folder / "pareto.html").read_text() and (folder / "pareto.svg").is_file()
    point = results["outcomes"][0]["point"]
    sizes = ("--tile", point["tile"], "--fc-pes", point["fc_pes"])
    code, text, _ = _run(capsys, "estimate", description, "--board", "ultra96", *sizes, "--json")
    assert json.loads(text)["cycles"] == results["outcomes"][0]["cycles"]

    def asked(job: object, points: list[object], *_: object) -> None:
        assert len(points) == 1

    # An outcome that is gone is computed again, and only that.
    next((folder / "points").iterdir()).unlink()
    monkeypatch.setattr("zeroskip.commands.explore.run_points", asked)
    code, text, _ = _run(capsys, *sweep)
    assert code == 0 and "3 were kept" in text and "interrupted; the same command makes the 1" in text


def test_another_description_or_board_is_explored_anew(description: Path, tmp_path: Path) -> None:
    board, point = load_board("ultra96"), exploring.Point(pes=0, tile=8, fc_pes=1, clock_mhz=200)
    first = exploring.Job.of(description, "ultra96", board, tmp_path).file(point)
    faster = board.model_copy(update={"ddr_gb_per_s": 10.0})
    assert exploring.Job.of(description, "ultra96", faster, tmp_path).file(point) != first
    golden.save(fc_network(1), description)
    assert exploring.Job.of(description, "ultra96", board, tmp_path).file(point) != first


def test_bad_input_is_one_sentence(description: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (description.parent / "full").mkdir()
    (description.parent / "full" / "mine.txt").write_text("mine")
    for arguments, words in (
        (("--clock", "fast"), "--clock: 'fast' is no list of numbers"),
        (("--clock", "0"), "--clock: must be positive"),
        (("--tile", "-8"), "--tile: must be positive"),
        (("--tile", "8,200"), "field 'tile': Input should be less than or equal to 128"),
        (("--fc-pes", "64", "--tile", "64"), "in none of the configurations asked for"),
        (("-o", description.parent / "full"), "holds other files"),
    ):
        output = ("-o", description.parent / "out") if "-o" not in arguments else ()
        code, out, err = _run(capsys, "explore", description, "--board", "ultra96", *output, *arguments)
        assert code == 2 and words in err and err.count("\n") == 1 and not out
