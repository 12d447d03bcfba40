"""A run's history: what is written is what is read, and damage is named."""

from pathlib import Path

import numpy as np
import pytest

from compression.distribution import histogram_of
from compression.errors import CompressionError
from compression.history import (
    BINS,
    Diverged,
    EnSparsity,
    EpochDone,
    Histograms,
    LayerCount,
    Quantised,
    Record,
    Started,
    StepDone,
    Stopped,
    Tuned,
    TuningEpoch,
    as_line,
    read_history,
)

COUNTS = {"conv.1": LayerCount(18, 7), "fc": LayerCount(40, 0)}
WEIGHTS = np.array([[0.0, 0.25, -0.5], [0.75, 0.0, 0.26]], np.float32)
RECORDS: list[Record] = [
    Started({"methods": ["peak"], "factor": None}, 90, 85, 100, COUNTS),
    Histograms(0, {"fc": histogram_of(WEIGHTS)}),
    EpochDone(1, 1, 0.5),
    EnSparsity(1, 0.01, {"conv.1": (0.5, 1.0)}),
    StepDone(1, "peak", ("conv.1",), 0.5, True, 88, COUNTS),
    Diverged(2, "the loss is nan"),
    Stopped("diverged", 88, COUNTS),
    TuningEpoch("qat", 1, 0.25),
    Tuned("qat", True, 86, 87, 100, False),
    Quantised("net.json", 87, 100, 88, 90, 1234, COUNTS),
]


def written(folder: Path, text: str) -> Path:
    file = folder / "net.history.jsonl"
    file.write_text(text)
    return file


def test_every_kind_of_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_history(written(tmp_path, "".join(map(as_line, RECORDS)))) == RECORDS


@pytest.mark.parametrize("half", ['{"event": "epo', '{"event": "epoch", "step": 1}', "{"])
def test_a_last_line_half_written_is_passed_over(tmp_path: Path, half: str) -> None:
    assert read_history(written(tmp_path, as_line(RECORDS[0]) + half)) == RECORDS[:1]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"event": "epo', "line 2: is no record of a compression run."),
        ("[1]", "line 2: is no record of a compression run."),
        ("\x00", "line 2: is no record of a compression run."),
        ('{"step": 1}', "line 2: is no record of a compression run."),
        ('{"event": "party"}', "line 2: there is no event 'party'; is the history of a newer zeroskip?"),
        ('{"event": "epoch", "step": 1, "epoch": 1}', "line 2: epoch: loss: Field required."),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    file = written(tmp_path, as_line(RECORDS[0]) + line + "\n" + as_line(RECORDS[2]))
    with pytest.raises(CompressionError) as raised:
        read_history(file)
    assert str(raised.value) == f"{file}, {reason}"


def test_a_histogram_counts_what_is_not_zero() -> None:
    histogram = histogram_of(WEIGHTS)
    width = 2 * histogram.limit / BINS
    found = {index * width - histogram.limit: count for index, count in enumerate(histogram.counts) if count}
    assert (histogram.limit, found) == (1.0, {-0.5: 1, 0.25: 2, 0.75: 1}), "0.26 lies in 0.25's bin"
    assert histogram.least == 0.25 and histogram.deviation == pytest.approx(np.std(WEIGHTS))


def test_a_histogram_of_zeros_is_empty() -> None:
    histogram = histogram_of(np.zeros((2, 2), np.float32))
    assert sum(histogram.counts) == histogram.least == histogram.deviation == 0
