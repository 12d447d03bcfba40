"""`zeroskip compress`, from checkpoint and data files to a description."""

import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import golden
from compression.accuracy import count_correct_integers
from compression.data import DataSet
from compression.networks import lenet5
from compression.train import Schedule, train
from golden.description import CscStorage
from tests.compression.synthetic import bright_quarters, write_arrays
from zeroskip.commands import main

OPTIONS = ("--epochs", 2, "--batch", 20, "--learning-rate", 0.002, "--q-step", 1, "--max-loss", 10)
REVERSED = ("--method", "reversed", "--factor", 3)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """lenet5.pt, and fashion_mnist/ with 80 training and 50 test images of four classes."""
    folder = tmp_path_factory.mktemp("compress")
    data = DataSet(bright_quarters(80, 1, size=28, contrast=120), bright_quarters(50, 2, size=28, contrast=120))
    write_arrays(folder / "fashion_mnist", data)
    torch.manual_seed(1)
    model = lenet5()
    train(model, data.training, Schedule(epochs=15, learning_rate=0.05, batch=20))
    torch.save(model.state_dict(), folder / "lenet5.pt")
    return folder


def arguments(files: Path, output: Path, *more: object) -> list[str]:
    """A command line that is right; options in ``more`` come on top."""
    given = ("compress", files / "lenet5.pt", "--network", "lenet5", "--data", "fashion-mnist")
    return [str(each) for each in (*given, "--data-folder", files, "-o", output, *OPTIONS, *more)]


def zeroskip(capsys: pytest.CaptureFixture[str], *command: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    with pytest.raises(SystemExit) as ended:
        main(list(command))
    assert isinstance(ended.value.code, int)
    return ended.value.code, *capsys.readouterr()


@dataclass(frozen=True)
class Whole:
    """A run that nobody disturbed: the description's folder, and what was printed."""

    folder: Path
    code: int
    document: dict[str, Any]
    errors: str


@pytest.fixture(scope="module")
def whole(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("whole")
    text, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(text), redirect_stderr(errors), pytest.raises(SystemExit) as ended:
        main(arguments(files, folder / "small.json", *REVERSED, "--json"))
    assert isinstance(ended.value.code, int)
    return Whole(folder, ended.value.code, json.loads(text.getvalue()), errors.getvalue())


def test_compress_writes_what_it_reports(whole: Whole, files: Path) -> None:
    document, network = whole.document, golden.load(whole.folder / "small.json")
    pixels, labels = (np.load(files / "fashion_mnist" / f"test_{what}.npy") for what in ("pixels", "labels"))
    assert whole.code == 0 and document["complaints"] == []
    assert document["correct"] == count_correct_integers(network, pixels, labels) > 40
    assert document["factor"] == network.weight_count / network.nonzero_count >= 3
    assert document["bits"] == network.total_bits
    assert "step 1: reversed fc3 at 1: " in whole.errors and "epoch" not in whole.errors, "no bar where nobody looks"
    expected = {"small.json", "small.safetensors", "small.history.jsonl"}
    assert {file.name for file in whole.folder.iterdir()} == expected


def test_compress_says_what_was_out_of_reach(capsys: pytest.CaptureFixture[str], files: Path, tmp_path: Path) -> None:
    more = ("--method", "ikr", "--method", "magnitude", "--kernel-values", 6, "--share", 0.5, "--factor", 5000)
    code, text, errors = zeroskip(capsys, *arguments(files, tmp_path / "small.json", *more))
    network = golden.load(tmp_path / "small.json")
    factor = f"{network.weight_count / network.nonzero_count:.2f} times fewer"
    assert code == 1 and factor in text
    sentence = next(line for line in errors.splitlines() if line.startswith("zeroskip: "))
    assert sentence.startswith("zeroskip: 5000 times fewer weights cannot be had within 10 points; the best")
    assert factor in sentence
    pixels, labels = (np.load(files / "fashion_mnist" / f"test_{what}.npy") for what in ("pixels", "labels"))
    assert f"description, golden  {count_correct_integers(network, pixels, labels)} of 50 test images right" in text


def kill_when(history: Path, told: Callable[[bytes], bool], command: list[str]) -> None:
    """Start a command in a process of its own, and end it with SIGKILL when its history says so."""
    code = "import sys, torch; torch.set_num_threads(1); from zeroskip.commands import main; main(sys.argv[1:])"
    process = subprocess.Popen([sys.executable, "-c", code, *command], stderr=subprocess.DEVNULL)
    while process.poll() is None and not (history.exists() and told(history.read_bytes())):
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_fine_tuning_ends_in_codebooks_and_the_same_files_after_a_kill(
    capsys: pytest.CaptureFixture[str], files: Path, tmp_path: Path
) -> None:
    tuning = ("--codebook", 16, "--codebook-epochs", 1, "--qat-epochs", 2, "--bias-correction", "--factor", 1.2)
    commands = {}
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        commands[name] = arguments(files, tmp_path / name / "small.json", "--method", "magnitude", *tuning, "--json")
    code, text, errors = zeroskip(capsys, *commands["whole"])
    document, network = json.loads(text), golden.load(tmp_path / "whole" / "small.json")
    assert code == 0 and "codebook: " in errors and "qat: " in errors
    pixels, labels = (np.load(files / "fashion_mnist" / f"test_{what}.npy") for what in ("pixels", "labels"))
    assert document["correct"] == count_correct_integers(network, pixels, labels)
    storage = {layer.name: layer.weights for layer in network.weighted_layers}
    assert isinstance(storage["fc1"], CscStorage) and storage["fc1"].value_bits == 4
    kill_when(
        tmp_path / "killed" / "small.history.jsonl", lambda told: b'"qat", "epoch": 1' in told, commands["killed"]
    )
    assert (tmp_path / "killed" / "small.state.pt").exists()
    assert zeroskip(capsys, *commands["killed"])[0] == 0
    for file in (tmp_path / "whole").iterdir():
        assert (tmp_path / "killed" / file.name).read_bytes() == file.read_bytes(), file.name


def test_a_run_killed_by_the_system_ends_in_the_same_files(
    capsys: pytest.CaptureFixture[str], whole: Whole, files: Path, tmp_path: Path
) -> None:
    command = arguments(files, tmp_path / "small.json", *REVERSED)
    kill_when(tmp_path / "small.history.jsonl", lambda history: history.count(b"\n") >= 5, command)
    assert not (tmp_path / "small.json").exists()
    assert zeroskip(capsys, *command)[0] == 0
    for file in whole.folder.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name


BAD_INPUT = {
    "method": (
        ["--method", "best"],
        "there is no method 'best'; choose from magnitude, reversed, peak, ikr, feature-map, layerwise.",
    ),
    "no method": ([], "Missing option '--method'"),
    "network": (["--method", "peak", "--network", "vgg"], "there is no network 'vgg'"),
    "data": (["--method", "peak", "--data", "{t}/none"], "there is no such data set"),
    "setting": (["--method", "peak", "--max-loss", "-1"], "max-loss is -1.0"),
    "suffix": (["--method", "peak", "-o", "{t}/small.txt"], "must end in .json"),
    "name": (["--method", "peak", "-o", "{t}/-.json"], "is not a legal name"),
    "folder": (["--method", "peak", "-o", "{t}/no/small.json"], "No such file or directory"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_sentence_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], files: Path, tmp_path: Path, case: str
) -> None:
    options, reason = BAD_INPUT[case]
    more = (option.format(t=tmp_path) for option in options)
    code, text, errors = zeroskip(capsys, *arguments(files, tmp_path / "small.json", *more))
    assert (code, text) == (2, ""), errors
    assert errors.count("\n") == 1 and errors.startswith("zeroskip: ") and reason in errors
    assert not list(tmp_path.iterdir()), "nothing is written"


def test_the_wrong_checkpoint_is_one_sentence(capsys: pytest.CaptureFixture[str], files: Path, tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "other.pt")
    command = arguments(files, tmp_path / "small.json", "--method", "peak")
    command[1] = str(tmp_path / "other.pt")
    code, _, errors = zeroskip(capsys, *command)
    assert code == 2 and errors.endswith("other.pt: is a checkpoint of another network: it has no conv1.weight.\n")
    command[1] = str(tmp_path / "none.pt")
    assert zeroskip(capsys, *command)[0] == 2


def test_without_pytorch_one_sentence_names_the_extra(files: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from zeroskip.commands import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, *arguments(files, tmp_path / "small.json", "--method", "peak")]
    done = subprocess.run(command, capture_output=True, text=True)
    expected = "zeroskip: compress needs PyTorch; install it with: pip install 'zeroskip[compression]'.\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)
