"""AlexNet's bytes are the kept ones, the choice of formats is the best there is, and the bar is met."""

import json

from benchmarks.alexnet_storage import CASES, EXPECTED, FLOAT32_BYTES, Storage, measure
from zoo.synthetic.catalogue import ALEXNET_PAPER_NONZEROS


def _expected() -> list[Storage]:
    return [Storage(**entry) for entry in json.loads(EXPECTED.read_text())]


def test_the_first_case_is_as_expected() -> None:
    assert measure(*CASES[0]) == _expected()[0]


def test_every_case_is_kept_and_its_choice_is_the_smallest() -> None:
    assert len(_expected()) == len(CASES)
    for storage in _expected():
        for layer in storage.layers:
            biases_and_scales = 4 * {"fc6": 4096, "fc7": 4096, "fc8": 1000}.get(layer.name, 0)
            if biases_and_scales:
                assert layer.total == min(layer.formats.values()) + biases_and_scales + 5
            assert layer.total > min(layer.formats.values())
        assert storage.bytes == sum(layer.total for layer in storage.layers)


def test_the_paper_s_own_14_times_fit_5_6_megabytes() -> None:
    """The bar of 5.6 MB (43 times), at the paper's number of non-zeros, for both splits of it over the layers."""
    for storage in _expected()[:2]:
        assert sum(layer.nonzeros for layer in storage.layers) == ALEXNET_PAPER_NONZEROS
        assert storage.linear_value_bits == 4 and storage.bytes <= 5.6e6
        assert FLOAT32_BYTES / storage.bytes >= 43
