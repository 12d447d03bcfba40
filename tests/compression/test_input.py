"""Checkpoints and data from files: what is right loads, everything else is refused in one sentence."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from compression.checkpoint import load_checkpoint
from compression.data import load_data
from compression.errors import CompressionError
from compression.networks import find_network
from tests.compression.synthetic import data_set, small_network, write_arrays


class Dangerous:
    """Unpickling it would run code."""

    def __reduce__(self) -> tuple[object, ...]:
        return (pytest.fail, ("the checkpoint was unpickled",))


def test_a_checkpoint_loads_bare_or_under_its_key(tmp_path: Path) -> None:
    trained = {name: torch.randn_like(each) for name, each in small_network().state_dict().items()}
    torch.save(trained, tmp_path / "bare.pt")
    torch.save({"state_dict": trained, "epoch": 3}, tmp_path / "keyed.pt")
    save_file(trained, tmp_path / "safe.safetensors")
    for file in ("bare.pt", "keyed.pt", "safe.safetensors"):
        model = small_network()
        load_checkpoint(model, tmp_path / file)
        assert all(torch.equal(model.state_dict()[name], each) for name, each in trained.items())


def broken(case: str, file: Path) -> None:
    state = dict(small_network().state_dict())
    match case:
        case "code":
            torch.save({"0.weight": Dangerous()}, file)
        case "pickle":
            file.write_bytes(pickle.dumps(Dangerous(), protocol=2))
        case "garbage":
            file.write_bytes(b"\x00garbage")
        case "empty":
            file.write_bytes(b"")
        case "list":
            torch.save([torch.zeros(3)], file)
        case "missing":
            torch.save({name: each for name, each in state.items() if name != "7.bias"}, file)
        case "extra":
            torch.save({**state, "99.bias": torch.zeros(1)}, file)
        case "shape":
            torch.save({**state, "9.weight": torch.zeros(10, 12)}, file)
        case "nan":
            torch.save({**state, "9.bias": torch.full((4,), float("nan"))}, file)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("code", "is no checkpoint that loads without executing code"),
        ("pickle", "is no checkpoint that loads without executing code"),
        ("garbage", "is no checkpoint"),
        ("empty", "is no checkpoint"),
        ("list", "holds no dictionary of tensors"),
        ("missing", "is a checkpoint of another network: it has no 7.bias."),
        ("extra", "is a checkpoint of another network: it also has 99.bias."),
        ("shape", r"is a checkpoint of another network: 9.weight is \(10, 12\), not \(4, 12\)."),
        ("nan", "9.bias holds numbers that are not finite."),
    ],
)
def test_other_checkpoints_are_refused(tmp_path: Path, case: str, reason: str) -> None:
    model = small_network()
    before = {name: each.clone() for name, each in model.state_dict().items()}
    broken(case, tmp_path / "model.pt")
    with pytest.raises(CompressionError, match=rf"model\.pt: {reason}"):
        load_checkpoint(model, tmp_path / "model.pt")
    assert all(torch.equal(model.state_dict()[name], each) for name, each in before.items())


def test_a_damaged_safetensors_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cut.safetensors").write_bytes(b"cut")
    with pytest.raises(CompressionError, match="is no checkpoint that loads without executing code"):
        load_checkpoint(small_network(), tmp_path / "cut.safetensors")


def test_a_checkpoint_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_checkpoint(small_network(), tmp_path / "none.pt")


def test_data_load_from_a_folder_or_by_name(tmp_path: Path) -> None:
    data = data_set()
    write_arrays(tmp_path / "fashion_mnist", data)
    for source in (str(tmp_path / "fashion_mnist"), "fashion-mnist"):
        loaded = load_data(source, tmp_path, (1, 8, 8), 4)
        for found, wanted in ((loaded.training, data.training), (loaded.test, data.test)):
            assert torch.equal(found.pixels, wanted.pixels) and torch.equal(found.labels, wanted.labels)


WRONG_ARRAYS = {
    "floats": ("train_pixels", np.zeros((150, 1, 8, 8), np.float32), "holds float32"),
    "flat": ("test_pixels", np.zeros((100, 64), np.uint8), "not uint8 images"),
    "size": ("test_pixels", np.zeros((100, 3, 8, 8), np.uint8), "holds images of 3x8x8, the network takes 1x8x8"),
    "none": ("train_pixels", np.zeros((0, 1, 8, 8), np.uint8), "not uint8 images"),
    "few labels": ("train_labels", np.zeros(149, np.uint8), "not one integer for each of 150 images"),
    "real labels": ("train_labels", np.zeros(150), "not one integer for each"),
    "high label": ("test_labels", np.full(100, 4), "holds classes 4 to 4, the network knows 0 to 3"),
    "low label": ("test_labels", np.full(100, -1), "holds classes -1 to -1"),
    "objects": ("test_labels", np.array([None] * 100), "is not a .npy file of plain numbers"),
}


@pytest.mark.parametrize("case", WRONG_ARRAYS)
def test_data_of_another_kind_shape_or_range_are_refused(tmp_path: Path, case: str) -> None:
    name, array, reason = WRONG_ARRAYS[case]
    write_arrays(tmp_path, data_set())
    np.save(tmp_path / f"{name}.npy", array, allow_pickle=True)
    with pytest.raises(CompressionError, match=rf"{name}\.npy: .*{reason}"):
        load_data(str(tmp_path), tmp_path, (1, 8, 8), 4)


def test_data_and_networks_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CompressionError, match="there is no such data set; fetch it with `make data`"):
        load_data("cifar-10", tmp_path, (3, 32, 32), 10)
    with pytest.raises(CompressionError, match="there is no such data set; name fashion-mnist or cifar-10"):
        load_data(str(tmp_path / "x"), tmp_path, (3, 32, 32), 10)
    with pytest.raises(CompressionError, match="there is no network 'vgg'; choose from cifar10-cnn"):
        find_network("vgg")
