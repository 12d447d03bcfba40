"""The published CIFAR-10 network: read as published, folded without changing it."""

from pathlib import Path

import pytest
import torch

from compression.checkpoint import load_checkpoint
from compression.networks import find_network
from compression.prune import count_weights, silence
from compression.train import count_correct
from zoo.cifar10_cnn import LEAST_FIRING_SHARE, PublishedNetwork, fold, read_keras, write_checkpoint
from zoo.data import cifar10, cifar10_cnn_file
from zoo.pipeline import as_tensors


@pytest.fixture(scope="module")
def published() -> PublishedNetwork:
    return read_keras(cifar10_cnn_file())


def test_the_published_network_has_its_published_weights(published: PublishedNetwork) -> None:
    assert count_weights(published.module).total == 965312


def test_folding_changes_no_decision_and_no_score_beyond_float_rounding(published: PublishedNetwork) -> None:
    images = as_tensors(cifar10("test").first(200))
    folded = fold(published)
    with torch.no_grad():
        before, after = published.module(images.pixels.float()), folded(images.pixels.float())
    assert float((before - after).abs().max()) < 1e-4 < float(before.abs().max())
    assert count_correct(folded, images) == count_correct(published.module, images) == 173


def test_a_negative_factor_is_refused(published: PublishedNetwork) -> None:
    changed = read_keras(cifar10_cnn_file())
    with torch.no_grad():
        changed.normalisations[1].weight[0] *= -1
    with pytest.raises(ValueError, match="cannot be folded past max pooling"):
        fold(changed)


def test_units_that_hardly_fire_can_go(published: PublishedNetwork) -> None:
    images = as_tensors(cifar10("train").first(300))
    folded = fold(published)
    widest = float(folded.conv1.weight.detach().abs().max())
    assert silence(folded, images.pixels, LEAST_FIRING_SHARE) > 100
    assert float(folded.conv1.weight.detach().abs().max()) < widest / 10


def test_its_checkpoint_is_one_that_compress_reads(published: PublishedNetwork, tmp_path: Path) -> None:
    images = as_tensors(cifar10("test").first(200))
    assert write_checkpoint(tmp_path / "new" / "cnn.pt", images.pixels) > 100
    model, folded = find_network("cifar10-cnn").build(), fold(published)
    load_checkpoint(model, tmp_path / "new" / "cnn.pt")
    silence(folded, images.pixels, LEAST_FIRING_SHARE)
    assert all(torch.equal(model.state_dict()[name], each) for name, each in folded.state_dict().items())
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["cnn.pt"]


def test_a_file_that_is_not_the_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.h5").write_bytes(b"not HDF5")
    with pytest.raises(OSError, match="file signature not found"):
        read_keras(tmp_path / "other.h5")
