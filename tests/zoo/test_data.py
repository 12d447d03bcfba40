"""Data: the committed sample, the full sets, damaged downloads."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from zoo import data
from zoo.data import DataError, Images, Source, fashion_mnist_sample, fetch


def test_the_sample_is_the_start_of_the_test_set() -> None:
    sample, full = fashion_mnist_sample(), data.fashion_mnist("test")
    assert (sample.pixels.shape, sample.pixels.dtype, len(sample.labels)) == ((200, 1, 28, 28), np.uint8, 200)
    assert np.array_equal(sample.pixels, full.pixels[:200]) and np.array_equal(sample.labels, full.labels[:200])


@pytest.mark.parametrize(
    ("load", "split", "shape"),
    [
        (data.fashion_mnist, "train", (60000, 1, 28, 28)),
        (data.fashion_mnist, "test", (10000, 1, 28, 28)),
        (data.cifar10, "train", (50000, 3, 32, 32)),
        (data.cifar10, "test", (10000, 3, 32, 32)),
    ],
)
def test_the_full_sets_are_complete_and_balanced(
    load: Callable[[str], Images], split: str, shape: tuple[int, ...]
) -> None:
    images = load(split)
    assert images.pixels.shape == shape
    assert np.array_equal(np.bincount(images.labels), np.full(10, shape[0] // 10))


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(DataError, match='no split "validation"; choose "train" or "test"'):
        data.fashion_mnist("validation")


def test_images_and_labels_must_agree() -> None:
    with pytest.raises(DataError, match="2 images and labels of shape"):
        Images(np.zeros((2, 1, 4, 4), np.uint8), np.zeros(3, np.uint8))


def write_source(command: str, sha256: str | None = None) -> Source:
    """A source whose download is a Python command that may write the file ``package``."""

    def prepare(package: Path, folder: Path) -> None:
        (folder / "content").write_bytes(package.read_bytes().upper())

    return Source("trial", "the trial package", (sys.executable, "-c", command), "package", sha256, prepare)


WRITE = "open('package', 'w').write('abc')"
SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_download_is_checked_prepared_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(data.SOURCES, "trial", write_source(WRITE, SHA256_OF_ABC))
    assert (fetch("trial", tmp_path) / "content").read_text() == "ABC"
    monkeypatch.setitem(data.SOURCES, "trial", write_source("raise SystemExit('must not run again')"))
    assert (fetch("trial", tmp_path) / "content").read_text() == "ABC"


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (write_source(WRITE, "0" * 64), f"package has SHA-256 {SHA256_OF_ABC}, not 0000"),
        (write_source("raise SystemExit('no route to host')"), "the trial package cannot be fetched.*no route to host"),
        (write_source("pass"), "the trial package cannot be fetched"),
        (
            Source("trial", "the trial package", ("no-such-client",), "*", None, lambda package, folder: None),
            "the trial package cannot be fetched because the command no-such-client is missing; install it.",
        ),
    ],
)
def test_a_bad_download_says_why_and_leaves_nothing(
    source: Source, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(data.SOURCES, "trial", source)
    with pytest.raises(DataError, match=sentence):
        fetch("trial", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".trial.lock"]


def test_the_command_reports_a_failure_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(name: str) -> Path:
        raise DataError("nothing works.")

    monkeypatch.setattr(data, "fetch", refuse)
    assert data.main() == 2
    assert capsys.readouterr().err == "nothing works.\n"
