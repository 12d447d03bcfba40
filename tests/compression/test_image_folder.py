"""A folder of images as data: classes by name, grey or colour as the network wants it, everything else refused."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from compression.data import load_data
from compression.errors import CompressionError

ROWS, COLUMNS = 3, 5


def image(seed: int, channels: int = 3) -> Image.Image:
    size = (ROWS, COLUMNS) if channels == 1 else (ROWS, COLUMNS, channels)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes: three training images and one test image of each."""
    for number, name in enumerate(("cat", "apple")):
        for split, count in (("train", 3), ("test", 1)):
            (tmp_path / split / name).mkdir(parents=True)
            for each in range(count):
                image(10 * number + each + len(split)).save(tmp_path / split / name / f"{each}.png")
    return tmp_path


def test_pixels_labels_and_order_are_those_of_the_files(folder: Path) -> None:
    (folder / "train" / ".hidden").mkdir()
    (folder / "train" / "cat" / ".DS_Store").write_bytes(b"x")
    data = load_data(str(folder), folder, (3, ROWS, COLUMNS), 2)
    assert data.training.labels.tolist() == [0, 0, 0, 1, 1, 1] and data.test.labels.tolist() == [0, 1]
    files = [folder / "train" / name / f"{each}.png" for name in ("apple", "cat") for each in range(3)]
    expected = np.stack([np.asarray(Image.open(file)).transpose(2, 0, 1) for file in files])
    assert data.training.pixels.dtype == torch.uint8 and np.array_equal(data.training.pixels.numpy(), expected)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "CMYK"])
def test_images_become_grey_or_coloured_as_the_network_takes_them(folder: Path, mode: str) -> None:
    file = folder / "test" / "cat" / ("0.jpg" if mode == "CMYK" else "0.png")
    (folder / "test" / "cat" / "0.png").unlink()
    image(1).convert(mode).save(file)
    for channels, own in ((1, "L"), (3, "RGB")):
        data = load_data(str(folder), folder, (channels, ROWS, COLUMNS), 2)
        assert data.test.pixels.shape == (2, channels, ROWS, COLUMNS)
        wanted = np.asarray(Image.open(file).convert(own)).reshape(ROWS, COLUMNS, channels).transpose(2, 0, 1)
        assert np.array_equal(data.test.pixels[1].numpy(), wanted)


def spoil(case: str, folder: Path) -> None:
    target = folder / "test" / "cat" / "0.png"
    match case:
        case "no test":
            (folder / "test").rename(folder / "validation")
        case "no train":
            (folder / "train").rename(folder / "training")
        case "neither":
            (folder / "train").rename(folder / "training")
            (folder / "test").rename(folder / "validation")
        case "empty class":
            target.unlink()
        case "class of train":
            (folder / "train" / "dog").mkdir()
        case "class of test":
            (folder / "test" / "dog").mkdir()
        case "classes":
            for split in ("train", "test"):
                (folder / split / "dog").mkdir()
                image(1).save(folder / split / "dog" / "0.png")
        case "text":
            target.write_text("no image")
        case "cut off":
            target.write_bytes(target.read_bytes()[:-30])
        case "empty":
            target.write_bytes(b"")
        case "gif":
            image(1).save(target, format="GIF")
        case "suffix":
            target.rename(target.with_name("0.bmp"))
        case "loose":
            target.rename(folder / "test" / "0.png")
        case "size":
            image(1).transpose(Image.Transpose.ROTATE_90).save(target)
        case "16 bits":
            Image.fromarray(np.zeros((ROWS, COLUMNS), np.uint16)).save(target)


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("no test", "test: there is no such folder; it needs one folder of images for each class."),
        ("no train", "train: there is no such folder"),
        ("neither", "has neither train_pixels.npy nor a folder 'train' of images."),
        ("empty class", "test/cat: is empty; each class needs at least one image."),
        ("class of train", ": train has a class 'dog', test has not"),
        ("class of test", ": test has a class 'dog', train has not"),
        ("classes", ": has 3 classes, the network tells 2 apart."),
        ("text", "test/cat/0.png: is no readable PNG or JPEG image."),
        ("cut off", "test/cat/0.png: is no readable PNG or JPEG image."),
        ("empty", "test/cat/0.png: is no readable PNG or JPEG image."),
        ("gif", "test/cat/0.png: is no readable PNG or JPEG image."),
        ("suffix", "test/cat/0.bmp: is no .png, .jpg, .jpeg file; take it away."),
        ("loose", "test/0.png: stands beside the classes"),
        ("size", "test/cat/0.png: is 5 rows x 3 columns, the network takes 3 x 5; nothing is resized."),
        ("16 bits", "test/cat/0.png: has pixels of the kind I;16; store 8 bits for each colour."),
    ],
)
def test_a_folder_with_a_fault_is_refused_by_name(folder: Path, case: str, sentence: str) -> None:
    spoil(case, folder)
    with pytest.raises(CompressionError) as refusal:
        load_data(str(folder), folder, (3, ROWS, COLUMNS), 2)
    assert str(refusal.value).startswith(str(folder)) and sentence in str(refusal.value)
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)


def test_a_network_that_takes_no_images_is_told_so(folder: Path) -> None:
    with pytest.raises(CompressionError, match="images have one or three channels, the network takes 4."):
        load_data(str(folder), folder, (4, ROWS, COLUMNS), 2)


def test_without_pillow_one_sentence_names_the_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(CompressionError, match=r"needs Pillow; install it with: pip install 'zeroskip\[compression\]'"):
        load_data(str(folder), folder, (3, ROWS, COLUMNS), 2)
