"""The commands: text and JSON, exit codes, one sentence for bad input."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import golden
from tests.testbench.networks import build_of, small_network
from zeroskip.commands import main

FIFO_CPP = """
#include <ap_int.h>
#include <hls_stream.h>
void copy(hls::stream<ap_uint<8>>& from, hls::stream<ap_uint<8>>& to) {
  for (int i = 0; i < 4; ++i) to.write(from.read());
}
void top(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<8>>& out) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS INTERFACE ap_ctrl_none port = return
#pragma HLS DATAFLOW
  hls::stream<ap_uint<8>, 4> middle("middle");
  copy(in, middle);
  copy(middle, out);
}
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """small.json, inputs.npy (5 images), build (2 images) and top.cpp."""
    folder = tmp_path_factory.mktemp("cli")
    network = small_network()
    golden.save(network, folder / "small.json")
    np.save(folder / "inputs.npy", np.random.default_rng(1).integers(0, 256, (5, 2, 8, 7)).astype(np.uint8))
    build_of(network, folder / "build", images=2)
    (folder / "top.cpp").write_text(FIFO_CPP)
    return folder


class Program:
    """Runs a command in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        assert isinstance(ended.value.code, int)
        return ended.value.code, *self._capture.readouterr()


@pytest.fixture
def zeroskip(capsys: pytest.CaptureFixture[str]) -> Program:
    return Program(capsys)


def test_inspect_shows_every_layer(zeroskip: Program, files: Path) -> None:
    code, text, _ = zeroskip("inspect", files / "small.json")
    assert code == 0
    assert all(name in text for name in ("first", "pool", "second", "vector", "hidden", "scores", "conv-mask", "csc"))
    code, text, _ = zeroskip("inspect", files / "small.json", "--json")
    document = json.loads(text)
    network = golden.load(files / "small.json")
    assert code == 0
    assert document["nonzeros"] == sum(
        int((network.weights(n) != 0).sum()) for n in ("first", "second", "hidden", "scores")
    )
    assert document["bits"] == network.total_bits == sum(layer["bits"] for layer in document["layers"])


def test_run_writes_goldens_integers(zeroskip: Program, files: Path, tmp_path: Path) -> None:
    network, inputs = golden.load(files / "small.json"), np.load(files / "inputs.npy")
    expected = golden.run(network, inputs, keep="all")
    output = tmp_path / "y.npy"
    code, text, _ = zeroskip("run", files / "small.json", "--input", files / "inputs.npy", "-o", output, "--json")
    assert code == 0 and json.loads(text)["images"] == 5
    np.testing.assert_array_equal(np.load(output), expected["scores"])
    code, text, _ = zeroskip("run", files / "small.json", "--input", files / "inputs.npy", "-o", tmp_path / "all.npz")
    assert code == 0 and "5 images" in text
    with np.load(tmp_path / "all.npz") as every:
        assert set(every) == set(expected)
        for name in every:
            np.testing.assert_array_equal(every[name], expected[name])


def test_run_goes_through_large_batches_in_order(zeroskip: Program, files: Path, tmp_path: Path) -> None:
    inputs = np.random.default_rng(2).integers(0, 256, (150, 2, 8, 7)).astype(np.uint8)
    np.save(tmp_path / "x.npy", inputs)
    assert zeroskip("run", files / "small.json", "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npy")[0] == 0
    expected = golden.run(golden.load(files / "small.json"), inputs, keep="outputs")["scores"]
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected)


def test_generate_takes_images_and_sizes(zeroskip: Program, files: Path, tmp_path: Path) -> None:
    code, text, _ = zeroskip(
        *("generate", files / "small.json", "--board", "zcu104", "-o", tmp_path / "b", "--pes", 3, "--lanes", 8),
        *("--fc-pes", 4, "--images", files / "inputs.npy", "--json"),
    )
    assert code == 0 and json.loads(text)["layers"] == 4
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    assert manifest["architecture"]["pes"] == 3 and manifest["architecture"]["fc_pes"] == 4
    assert manifest["vectors"] == {"images": 5, "source": "inputs.npy"}


def test_generate_says_whether_the_loops_keep_up(zeroskip: Program, files: Path, tmp_path: Path) -> None:
    """At 200 MHz all do; a clock that none can meet is exit code 1 with every miss named, unless told otherwise."""
    call = ("generate", files / "small.json", "--board", "zcu104", "-o", tmp_path / "b", "--pes", 2, "--lanes", 8)
    code, text, _ = zeroskip(*call, "--fc-pes", 2)
    assert code == 0 and "every PIPELINE loop reaches its II at 200 MHz" in text
    stages = json.loads((tmp_path / "b" / "manifest.json").read_text())["stream_stages"]
    assert any(written or read for written, read in stages.values())
    code, text, errors = zeroskip(*call, "--fc-pes", 2, "--clock", 900, "--json")
    document = json.loads(text)
    assert code == 1 and document["timing"]["reached_mhz"] < 900
    assert all(miss in errors for miss in document["timing"]["misses"])
    assert zeroskip(*call, "--fc-pes", 2, "--clock", 900, "--relaxed")[0] == 0


def test_report_adds_up(zeroskip: Program, files: Path) -> None:
    code, text, _ = zeroskip("report", files / "build", "--json")
    document = json.loads(text)
    assert code == 0
    assert document["cycles"] == sum(layer["cycles"] for layer in document["layers"])
    assert document["cycles"] == sum(engine["cycles"] for engine in document["engines"])
    assert 0 < document["utilisation"] < 1
    assert document["frames_per_second"] == document["clock_mhz"] * 1e6 / document["cycles"]
    assert json.loads((files / "build" / "reports" / "report.json").read_text()) == document
    code, text, _ = zeroskip("report", files / "build")
    assert code == 0 and "assumed, not synthesised" in text


def test_verify_says_pass_or_fail_line_by_line(zeroskip: Program, files: Path) -> None:
    arguments = ("verify", files / "build", "--level", "csim", "--no-mutations")
    code, text, _ = zeroskip(*arguments)
    assert code == 0, text
    lines = text.splitlines()
    assert len(lines) == 6 and all(line.startswith("pass  ") for line in lines)
    manifest = files / "build" / "manifest.json"
    right = manifest.read_text()
    try:
        manifest.write_text(right.replace('"maps_0": 2', '"maps_0": 3'))
        code, text, _ = zeroskip(*arguments, "--json")
    finally:
        manifest.write_text(right)
    document = json.loads(text)
    assert code == 1 and document["passed"] is False
    assert json.loads((files / "build" / "reports" / "verify.json").read_text()) == document
    assert [rung["passed"] for rung in document["rungs"]] == [True] * 5 + [False]
    assert document["rungs"][-1]["detail"].endswith("stream maps_0 has depth 2, the manifest says 3")


def test_rtl_compiles_a_file(zeroskip: Program, files: Path, tmp_path: Path) -> None:
    code, text, _ = zeroskip("rtl", files / "top.cpp", "--top", "top", "-o", tmp_path / "rtl", "--json")
    assert code == 0
    document = json.loads(text)
    assert document["top"] == "top" and len(document["processes"]) == 2
    assert (tmp_path / "rtl" / "top.sv").is_file()


def test_rtl_reports_against_a_clock(zeroskip: Program, files: Path) -> None:
    call = ("rtl", files / "top.cpp", "--top", "top", "--report", "--json", "--clock", "200")
    code, text, _ = zeroskip(*call)
    assert code == 0
    document = json.loads(text)
    assert [(loop["process"], loop["trip_count"]) for loop in document["loops"]] == [("copy", 4)]
    assert document["slowest_process"] == "copy" and document["reached_mhz"] > 200


BAD_INPUT = {
    "no command": (["frobnicate"], "No such command 'frobnicate'."),
    "no argument": (["inspect"], "Missing argument 'DESC'."),
    "no file": (["inspect", "{f}/none.json"], "none.json"),
    "no description": (["inspect", "{f}/build/manifest.json"], "manifest.json"),
    "no array": (["run", "{f}/small.json", "--input", "{f}/small.json", "-o", "{t}/y.npy"], "is not a .npy file"),
    "wrong shape": (["run", "{f}/small.json", "--input", "{t}/shape.npy", "-o", "{t}/y.npy"], "takes (N, 2, 8, 7)"),
    "wrong values": (["run", "{f}/small.json", "--input", "{t}/values.npy", "-o", "{t}/y.npy"], "uint8 cannot hold"),
    "floats": (["run", "{f}/small.json", "--input", "{t}/float.npy", "-o", "{t}/y.npy"], "takes uint8 integers"),
    "no folder": (["run", "{f}/small.json", "--input", "{f}/inputs.npy", "-o", "{t}/no/y.npy"], "No such file"),
    "board": (["generate", "{f}/small.json", "--board", "nope", "-o", "{t}/b"], "unknown board 'nope'"),
    "sizes": (["generate", "{f}/small.json", "--board", "zcu104", "-o", "{t}/b", "--lanes", "7"], "lanes"),
    "output": (["generate", "{f}/small.json", "--board", "zcu104", "-o", "{f}"], "no build made"),
    "no build": (["verify", "{t}"], "is not a build"),
    "level": (["verify", "{f}/build", "--level", "gates"], "'gates' is not one of"),
    "images": (["verify", "{f}/build", "--images", "9"], "9 asked for"),
    "RTL images": (["verify", "{f}/build", "--images", "1", "--rtl-images", "2"], "--rtl-images: 2 asked for"),
    "no report": (["report", "{t}"], "is not a build"),
    "no top": (["rtl", "{f}/top.cpp", "--top", "bottom", "-o", "{t}/rtl"], "bottom"),
    "no clock": (["rtl", "{f}/top.cpp", "--top", "top", "--report"], "--report needs --clock MHZ"),
    "clock": (["rtl", "{f}/top.cpp", "--top", "top", "--report", "--clock", "0"], "0 MHz is no clock"),
    "C++": (["rtl", "{t}/bad.cpp", "--top", "top", "-o", "{t}/rtl"], "bad.cpp:"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_sentence_and_exit_code_2(zeroskip: Program, files: Path, tmp_path: Path, case: str) -> None:
    np.save(tmp_path / "shape.npy", np.zeros((2, 8, 7), np.uint8))
    np.save(tmp_path / "values.npy", np.full((1, 2, 8, 7), 256, np.int32))
    np.save(tmp_path / "float.npy", np.zeros((1, 2, 8, 7), np.float32))
    (tmp_path / "bad.cpp").write_text(FIFO_CPP.replace("to.write(", "to.wrote("))
    before = sorted(tmp_path.iterdir())
    arguments, reason = BAD_INPUT[case]
    code, text, errors = zeroskip(*(argument.format(f=files, t=tmp_path) for argument in arguments))
    assert (code, text) == (2, ""), errors
    assert errors.count("\n") == 1 and errors.startswith("zeroskip: ")
    assert reason in errors
    assert sorted(tmp_path.iterdir()) == before, "nothing is written"


def test_a_network_with_several_outputs_wants_an_archive(zeroskip: Program, files: Path, tmp_path: Path) -> None:
    network = small_network()
    both = network.description.model_copy(update={"outputs": ("hidden", "scores")})
    golden.save(golden.Network.assemble(both, network.tensors), tmp_path / "both.json")
    code, _, errors = zeroskip("run", tmp_path / "both.json", "--input", files / "inputs.npy", "-o", tmp_path / "y.npy")
    assert code == 2 and "2 outputs; give a .npz file" in errors


def test_the_program_runs_by_itself() -> None:
    run = subprocess.run([sys.executable, "-m", "zeroskip", "--version"], capture_output=True, text=True)
    assert run.returncode == 0 and run.stdout.strip()
    assert subprocess.run([sys.executable, "-m", "zeroskip", "inspect"], capture_output=True).returncode == 2
