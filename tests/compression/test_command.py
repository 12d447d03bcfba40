"""`zeroskip compress`, from checkpoint and data files to a description."""

import errno
import io
import json
import os
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
from PIL import Image
from torch import nn

import golden
from compression import loop
from compression.accuracy import count_correct_integers
from compression.data import DataSet
from compression.networks import find_network, lenet5
from compression.train import LabelledImages, Schedule, train
from golden.description import CscStorage
from tests.compression.synthetic import bright_quarters, write_arrays
from zeroskip.commands import main

OPTIONS = ("--epochs", 2, "--batch", 20, "--learning-rate", 0.002, "--q-step", 1, "--max-loss", 10, "--no-report")
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
    expected = {"small.json", "small.safetensors", "small.history.jsonl", "small.pruned.pt"}
    assert {file.name for file in whole.folder.iterdir()} == expected


@pytest.mark.parametrize(
    ("method", "choice"),
    [
        ("feature-map", ("--en-sparsity", "relative")),
        ("feature-map", ("--en-sparsity", "absolute")),
        ("layerwise", ("--allocation", "layerwise")),
        ("layerwise", ("--allocation", "measured")),
    ],
)
def test_filter_pruning_reports_the_multiplications(
    capsys: pytest.CaptureFixture[str], files: Path, tmp_path: Path, method: str, choice: tuple[str, str]
) -> None:
    more = (*choice, "--method", method, "--method", "magnitude", "--epochs", 1, "--flops-cut", 30, "--theta-low", 0.1)
    limits = ("--theta-step", 0.3, "--calibration", 20, "--share", 0.5, "--factor", 2)
    code, text, errors = zeroskip(capsys, *arguments(files, tmp_path / "small.json", *more, *limits))
    network = golden.load(tmp_path / "small.json")
    sizes = {layer.name: network.weights(layer.name).size for layer in network.weighted_layers}
    macs = sum(size * {"conv1": 28 * 28, "conv2": 10 * 10}.get(name, 1) for name, size in sizes.items())
    dense = 150 * 28 * 28 + 2400 * 10 * 10 + 400 * 120 + 120 * 84 + 84 * 10
    assert code == 0, errors
    assert f"{macs:,} multiplications an image, {100 * (1 - macs / dense):.2f} % fewer than dense" in text
    assert sizes["conv2"] < 2400 and macs < (0.7 if method == "layerwise" else 1) * dense
    first = next(line for line in errors.splitlines() if line.startswith(f"step 1: {method} conv"))
    assert first.endswith(" % fewer multiplications")
    with (tmp_path / "small.history.jsonl").open() as history:
        assert json.loads(next(history))["settings"][choice[0].strip("-").replace("-", "_")] == choice[1]


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


def test_the_run_is_plotted_unless_there_is_no_place(
    capsys: pytest.CaptureFixture[str], files: Path, tmp_path: Path
) -> None:
    command = arguments(files, tmp_path / "small.json", *REVERSED, "--epochs", 1, "--max-loss", 100, "--report")
    occupied = tmp_path / "small.report"
    occupied.write_text("mine")
    code, _, errors = zeroskip(capsys, *command)
    assert code == 2 and f"{occupied}: is no report" in errors and list(tmp_path.iterdir()) == [occupied]
    occupied.unlink()
    code, _, errors = zeroskip(capsys, *command)
    assert code == 0 and errors.endswith(f"zeroskip: {occupied}/index.html shows the run.\n")
    assert "reversed" in (occupied / "index.html").read_text()


def test_without_a_method_the_network_is_quantised_as_it_is(
    capsys: pytest.CaptureFixture[str], files: Path, tmp_path: Path
) -> None:
    code, text, errors = zeroskip(capsys, *arguments(files, tmp_path / "small.json", "--json"))
    document = json.loads(text)
    assert code == 0 and document["complaints"] == [], errors
    assert document["outcome"]["accepted"] == 0 and document["factor"] < 1.5


BAD_INPUT = {
    "method": (
        ["--method", "best"],
        "there is no method 'best'; choose from magnitude, reversed, peak, ikr, feature-map, layerwise.",
    ),
    "network": (["--method", "peak", "--network", "vgg"], "there is no network 'vgg'"),
    "data": (["--method", "peak", "--data", "{t}/none"], "there is no such data set"),
    "setting": (["--method", "peak", "--max-loss", "-1"], "max-loss is -1.0"),
    "suffix": (["--method", "peak", "-o", "{t}/small.txt"], "must end in .json"),
    "name": (["--method", "peak", "-o", "{t}/-.json"], "is not a legal name"),
    "folder": (["--method", "peak", "-o", "{t}/no/small.json"], "No such file or directory"),
    "idle teacher": (["--teacher", "{t}/none.pt"], "a teacher is of use with --distillation alone"),
    "no teacher": (["--distillation", "0.5", "--teacher-network", "lenet5"], "there is no --teacher"),
    "lost teacher": (["--distillation", "0.5", "--teacher", "{t}/none.pt"], "No such file or directory"),
    "teacher's images": (
        ["--distillation", "0.5", "--teacher", "{t}/none.pt", "--teacher-network", "resnet20"],
        "resnet20 takes images of 3x32x32, the data have 1x28x28.",
    ),
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


def test_a_description_is_retrained_with_another_teacher(
    capsys: pytest.CaptureFixture[str], whole: Whole, files: Path, tmp_path: Path
) -> None:
    options = ("--distillation", 0.5, "--teacher", files / "lenet5.pt", "--final-epochs", 1, "--json")
    command = arguments(files, tmp_path / "more.json", *options)
    command[1] = str(whole.folder / "small.json")
    code, text, errors = zeroskip(capsys, *command)
    document, network = json.loads(text), golden.load(tmp_path / "more.json")
    assert code == 0 and "teacher: " in errors
    assert abs(document["dense_correct"] - whole.document["correct"]) <= 2, "it starts as the description was"
    assert network.nonzero_count <= golden.load(whole.folder / "small.json").nonzero_count


def test_the_wrong_checkpoint_is_one_sentence(capsys: pytest.CaptureFixture[str], files: Path, tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "other.pt")
    command = arguments(files, tmp_path / "small.json", "--method", "peak")
    command[1] = str(tmp_path / "other.pt")
    code, _, errors = zeroskip(capsys, *command)
    assert code == 2 and errors.endswith("other.pt: is a checkpoint of another network: it has no conv1.weight.\n")
    command[1] = str(tmp_path / "none.pt")
    assert zeroskip(capsys, *command)[0] == 2


def test_data_that_do_not_fit_the_network_are_one_sentence(
    capsys: pytest.CaptureFixture[str], files: Path, tmp_path: Path
) -> None:
    size = files / "fashion_mnist" / "train_pixels.npy"
    (tmp_path / "range").mkdir()
    for file in (files / "fashion_mnist").iterdir():
        (tmp_path / "range" / file.name).write_bytes(file.read_bytes())
    np.save(tmp_path / "range" / "test_labels.npy", np.full(50, 10))
    for network, data, sentence in (
        ("lenet5", tmp_path / "range", "test_labels.npy: holds classes 10 to 10, the network knows 0 to 9.\n"),
        ("vgg-small", files / "fashion_mnist", f"{size}: holds images of 1x28x28, the network takes 3x32x32.\n"),
    ):
        torch.save(find_network(network).build().state_dict(), tmp_path / "model.pt")
        command = arguments(files, tmp_path / "small.json", "--method", "peak", "--network", network, "--data", data)
        command[1] = str(tmp_path / "model.pt")
        code, text, errors = zeroskip(capsys, *command)
        assert (code, text) == (2, "") and errors.startswith("zeroskip: ") and errors.endswith(sentence)
    assert not (tmp_path / "small.json").exists()


def test_an_unsupported_operator_is_named_with_its_path(
    capsys: pytest.CaptureFixture[str], files: Path, tmp_path: Path
) -> None:
    network = "pytorchcv:seresnet20_cifar10"
    torch.save(find_network(network).build().state_dict(), tmp_path / "model.pt")
    write_arrays(tmp_path / "data", DataSet(*(random_images(4, seed) for seed in (1, 2))))
    command = arguments(
        files, tmp_path / "s.json", "--method", "peak", "--network", network, "--data", tmp_path / "data"
    )
    command[1] = str(tmp_path / "model.pt")
    code, text, errors = zeroskip(capsys, *command)
    expected = "zeroskip: features.stage1.unit1.se.sigmoid: layers of the kind Sigmoid cannot be quantised here.\n"
    assert (code, text, errors) == (2, "", expected)
    assert {each.name for each in tmp_path.iterdir()} == {"model.pt", "data"}


def test_training_that_leaves_the_finite_numbers_is_exit_code_1(
    capsys: pytest.CaptureFixture[str], files: Path, tmp_path: Path
) -> None:
    command = arguments(files, tmp_path / "small.json", "--method", "magnitude", "--learning-rate", 1e30, "--json")
    code, text, errors = zeroskip(capsys, *command)
    sentence = "zeroskip: training left the finite numbers; the description holds the last step before that.\n"
    assert code == 1 and sentence in errors
    document = json.loads(text)
    assert document["outcome"]["reason"] == "diverged"
    # Nothing was kept, so it is the dense network in 8 bits.
    assert document["float_correct"] == document["dense_correct"] and document["factor"] < 1.1
    assert golden.load(tmp_path / "small.json").weight_count == 61470


def test_a_disk_that_is_full_at_the_end_costs_no_training(
    capsys: pytest.CaptureFixture[str], whole: Whole, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(network: golden.Network, path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    command = arguments(files, tmp_path / "small.json", *REVERSED)
    with monkeypatch.context() as patched:
        patched.setattr(golden, "save", full)
        code, text, errors = zeroskip(capsys, *command)
    expected = f"zeroskip: {tmp_path / 'small.json'}: No space left on device"
    assert (code, text) == (2, "") and errors.splitlines()[-1].startswith(expected)
    state = tmp_path / "small.state.pt"
    assert {each.name for each in tmp_path.iterdir()} == {state.name, "small.history.jsonl", "small.pruned.pt"}
    monkeypatch.setattr(loop, "train", lambda *args, **kwargs: pytest.fail("trains again"))
    assert zeroskip(capsys, *command)[0] == 0
    for file in whole.folder.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name


def write_images(folder: Path, images: LabelledImages) -> None:
    """One folder for each class."""
    for number, (pixels, label) in enumerate(zip(images.pixels.numpy(), images.labels.tolist(), strict=True)):
        (folder / f"class{label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.transpose(1, 2, 0)).save(folder / f"class{label}" / f"{number}.png")


def random_images(count: int, seed: int) -> LabelledImages:
    """Coloured images of ten classes in turn."""
    pixels = torch.randint(0, 256, (count, 3, 32, 32), generator=torch.Generator().manual_seed(seed))
    return LabelledImages(pixels.to(torch.uint8), torch.arange(count) % 10)


def test_a_pre_activation_network_of_pytorchcv_on_a_folder_of_images(
    capsys: pytest.CaptureFixture[str], files: Path, tmp_path: Path
) -> None:
    network = "pytorchcv:preresnet20_cifar10"
    torch.manual_seed(1)
    torch.save(find_network(network).build().state_dict(), tmp_path / "model.pt")
    write_images(tmp_path / "data" / "train", random_images(20, 1))
    write_images(tmp_path / "data" / "test", random_images(10, 2))
    more = ("--method", "magnitude", "--share", 0.5, "--factor", 1.5, "--epochs", 1, "--max-loss", 100, "--json")
    command = arguments(files, tmp_path / "s.json", *more, "--network", network, "--data", tmp_path / "data")
    command[1] = str(tmp_path / "model.pt")
    code, text, errors = zeroskip(capsys, *command)
    document = json.loads(text)
    assert code == 0, errors
    own = "features.stage1.unit1.body.conv1.bn"
    assert (
        document["notes"][0]
        == f"{own}: BatchNorm2d cannot be folded exactly, so it is a depthwise convolution of its own"
    )
    assert len(document["notes"]) == 10 and f"zeroskip: note: {document['notes'][0]}.\n" in errors
    saved = golden.load(tmp_path / "s.json")
    images = random_images(10, 2)
    assert document["correct"] == count_correct_integers(saved, images.pixels.numpy(), images.labels.numpy())
    assert saved.weights(own).shape == (16, 1, 1, 1)


def test_without_pytorch_one_sentence_names_the_extra(files: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from zeroskip.commands import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, *arguments(files, tmp_path / "small.json", "--method", "peak")]
    done = subprocess.run(command, capture_output=True, text=True)
    expected = "zeroskip: compress needs PyTorch; install it with: pip install 'zeroskip[compression]'.\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)
