"""`zeroskip estimate`: text, JSON, one sentence for bad input."""

import json
from pathlib import Path

import pytest

import golden
from generator.boards import load_board
from tests.generator.networks import branched_network
from zeroskip.commands import main


@pytest.fixture
def description(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    golden.save(branched_network(), tmp_path / "small.json")
    return tmp_path / "small.json"


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code, *capsys.readouterr()


def test_the_estimate_is_printed_and_is_the_builds(description: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ("--board", "zcu104", "--pes", 2, "--tile", 16, "--fc-pes", 2)
    code, text, _ = _run(capsys, "estimate", description, *sizes)
    assert code == 0 and "2 PEs x 16 of 16 lanes, 2 FC PEs (as given)" in text and "images a second" in text
    code, text, _ = _run(capsys, "estimate", description, *sizes, "--json")
    found = json.loads(text)
    assert [layer["name"] for layer in found["layers"]][0] == "main" and found["pipelined"]
    code, text, _ = _run(capsys, "generate", description, *sizes, "-o", description.parent / "build", "--json")
    assert code == 0 and json.loads(text)["cycles"] == found["cycles"]


def test_bad_input_is_one_sentence(description: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = load_board("ultra96").model_dump() | {"name": "tiny", "luts": 5000, "dsps": 10}
    (description.parent / "tiny.json").write_text(json.dumps(tiny))
    for arguments, words in (
        (("--board", "zcu104", "--clock", 0), "clock: must be positive"),
        (("--board", "zcu104", "--tile", -8), "field 'tile': must be 1 or more, not -8"),
        (("--board", "zcu104", "--map-words", 0), "field 'map_words': must be 1 or more, not 0"),
        (("--board", "zcu104", "--tile", 8, "--map-words", 5), "takes 9 feature words of input map, 4 more than"),
        (("--board", "nowhere"), "unknown board 'nowhere'"),
        (("--board", description.parent / "tiny.json"), "the nearest board that it fits is 'ultra96'"),
    ):
        code, out, err = _run(capsys, "estimate", description, *arguments)
        assert code == 2 and words in err and err.count("\n") == 1 and not out
    short = ("--board", "zcu104", "--lanes", 8, "--map-words", 5, "-o", description.parent / "short")
    code, out, err = _run(capsys, "generate", description, *short)
    assert code == 2 and "of its output takes 9 feature words of input map, 4 more" in err and err.count("\n") == 1
    assert not (description.parent / "short").exists()
