"""`zeroskip compress-report`: what the plots hold, and the folder that a person opens."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import golden
from compression import plots
from compression.distribution import histogram_of
from compression.errors import CompressionError
from compression.history import (
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
)
from compression.report import check_folder, draw
from compression.summary import (
    Run,
    en_sparsity_rows,
    histogram_rows,
    layer_rows,
    load_run,
    loss_rows,
    patterns,
    step_rows,
    thresholds,
)
from zeroskip.commands import main

LAYERS = ("stem", "block.conv")
"""In the network's order, which is not the alphabet's."""

DENSE = {"stem": np.linspace(-1, 1, 36), "block.conv": np.linspace(-0.2, 0.3, 100)}


def network() -> golden.Network:
    """stem: 4 kernels, three of one pattern; block.conv is 1x1."""
    scale = golden.Scale(shift=8)
    builder = golden.DescriptionBuilder("net", input_shape=(1, 6, 6), input_dtype="uint8", input_scale=scale)
    stem = np.zeros((4, 1, 3, 3), np.int8)
    stem[:3, 0, 0] = [1, -2, 0]
    stem[3, 0, 2, 2] = 5
    middle = np.zeros((25, 4, 1, 1), np.int8)
    middle[:5] = 7
    builder.conv("stem", stem, np.zeros(4, np.int32), shift=2, padding=(1, 1, 1, 1))
    builder.conv("block.conv", middle, np.zeros(25, np.int32), shift=2)
    return builder.build()


def records() -> list[Record]:
    counts = {"stem": LayerCount(36, 36, 36), "block.conv": LayerCount(100, 100, 36)}
    first = {**counts, "block.conv": LayerCount(100, 20)}
    both = {"stem": LayerCount(36, 7), "block.conv": LayerCount(100, 20)}
    after = {"stem": np.where(np.abs(DENSE["stem"]) > 0.8, 4 * DENSE["stem"], 0), "block.conv": DENSE["block.conv"]}
    settings = {"methods": ["ikr", "reversed"], "peak_reading": "largest-layer"}
    return [
        Started(settings, 90, 85, 100, counts),
        Histograms(0, {name: histogram_of(each) for name, each in DENSE.items()}),
        EnSparsity(1, 0.6, {"stem": (0.25, 0.75, 0.5, 0.0)}),
        EpochDone(1, 1, 0.7),
        EpochDone(1, 2, 0.6),
        StepDone(1, "reversed", ("block.conv",), 1.5, True, 88, first),
        EpochDone(2, 1, 0.9),
        StepDone(2, "ikr", ("stem",), 2, False, 80, both),
        EpochDone(3, 1, float("nan")),
        StepDone(3, "ikr", ("stem",), 3, True, 86, both),
        Histograms(3, {name: histogram_of(each) for name, each in after.items()}),
        Stopped("bound", 86, both),
        TuningEpoch("qat", 1, 0.4),
        Tuned("qat", True, 86, 87, 100, False),
        Quantised("net.json", 85, 100, 86, 90, 4000, both),
    ]


def write(folder: Path, history: list[Record]) -> Path:
    golden.save(network(), folder / "net.json")
    (folder / "net.history.jsonl").write_text("".join(map(as_line, history)))
    return folder / "net.json"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return load_run(write(tmp_path_factory.mktemp("run"), records()))


def values(chart: plots.Chart) -> list[dict[str, Any]]:
    """All rows of data in a chart."""
    return [row for rows in chart.to_dict()["datasets"].values() for row in rows]


def test_bars_hold_each_layers_counts_in_the_networks_order(run: Run) -> None:
    rows = values(plots.weights_plot(layer_rows(run)))
    assert [(row["layer"], row["stage"], row["count"]) for row in rows] == [
        ("stem", "before", 36), ("stem", "after", 7), ("block.conv", "before", 100), ("block.conv", "after", 20),
    ]  # fmt: skip
    assert rows[1]["label"] == "7  (19.4 %)"
    macs = [row["count"] for row in values(plots.macs_plot(layer_rows(run)))]
    assert macs == [36 * 36, 7 * 36, 100 * 36, 20 * 36], "6x6 positions"
    assert run.factor == pytest.approx(136 / 27)


def test_an_empty_layer_is_drawn_at_the_end_of_the_logarithmic_scale(run: Run) -> None:
    row = values(plots.weights_plot([layer_rows(run)[0] | {"after": 0}]))[1]
    assert (row["count"], row["bar"], row["label"]) == (0, 1, "0  (0.0 %)")


def test_histograms_before_and_after_share_their_bins(run: Run) -> None:
    rows = [row for row in histogram_rows(run) if row["layer"] == "stem"]
    before, after = ([row for row in rows if row["stage"] == stage] for stage in ("before", "after"))
    assert [row["weight"] for row in before] == [row["weight"] for row in after]
    assert sum(row["count"] for row in before) == 36
    assert sum(row["count"] for row in after) == np.count_nonzero(np.abs(DENSE["stem"]) > 0.8)
    assert min(row["weight"] for row in rows) == -4 and before[0]["count"] == 0, "retraining widened the range"


def test_thresholds_are_those_of_the_steps_that_were_kept(run: Run) -> None:
    expected = 1.5 * float(np.std(DENSE["block.conv"]))
    assert thresholds(run) == {"block.conv": pytest.approx(expected)}, "ikr has none"
    rows = values(plots.histogram_plot(histogram_rows(run), thresholds(run)))
    marks = [row["weight"] for row in rows if "threshold" in row]
    assert marks == [pytest.approx(-expected), pytest.approx(expected)]


@pytest.mark.parametrize(("reading", "expected"), [("largest-layer", None), ("histogram", 0.3)])
def test_a_threshold_of_peak_pruning_follows_its_reading(run: Run, reading: str, expected: float | None) -> None:
    counts = run.of(StepDone)[-1].counts
    steps = [StepDone(number, "peak", ("stem",), setting, kept, 88, counts)
             for number, setting, kept in ((4, 0.3, True), (5, 0.5, False))]  # fmt: skip
    started = replace(run.started, settings={**run.started.settings, "peak_reading": reading})
    changed = replace(run, started=started, records=(*run.records, *steps))
    least = run.of(Histograms)[1].layers["stem"].least
    assert thresholds(changed)["stem"] == pytest.approx(expected or least)


def test_steps_stand_in_their_order_with_accuracy_and_sparsity(run: Run) -> None:
    rows = step_rows(run)
    assert [(row["layer"], row["verdict"], row["accuracy"], row["turn"]) for row in rows] == [
        ("dense", "kept", 90.0, 0), ("block.conv", "kept", 88.0, 1), ("stem", "taken back", 80.0, 2),
        ("stem", "kept", 86.0, 2),
    ]  # fmt: skip
    assert [row["factor"] for row in rows] == pytest.approx([1, 136 / 56, 136 / 27, 136 / 27])
    for chart in (plots.accuracy_plot(rows, run.bound, LAYERS), plots.steps_plot(rows, run.bound)):
        drawn = values(chart)
        assert all(row in drawn for row in rows) and {"bound": 85.0} in drawn
    document = plots.accuracy_plot(rows, run.bound, LAYERS).to_dict()
    assert "\"domain\": ['dense', 'stem', 'block.conv']".replace('"', "'") in str(document), "the network's order"


def test_losses_count_epochs_over_all_steps_and_leave_nan_out(run: Run) -> None:
    rows = values(plots.loss_plot(loss_rows(run)))
    assert [(row["total"], row["step"], row["loss"], row["verdict"]) for row in rows] == [
        (1, "1", 0.7, "kept"), (2, "1", 0.6, "kept"), (3, "2", 0.9, "taken back"), (5, "qat", 0.4, "kept"),
    ]  # fmt: skip


def test_patterns_are_those_of_the_stored_kernels_most_used_first(run: Run) -> None:
    (stem,) = patterns(run)
    assert (stem.layer, stem.kernels, stem.distinct, stem.counts) == ("stem", 4, 2, (3, 1))
    assert stem.masks[0].tolist() == [[True, True, False], [False] * 3, [False] * 3]
    (most,) = patterns(run, most=1)
    assert (most.distinct, most.counts) == (2, (3,))
    assert "2 different patterns, the 1 most used shown" in str(plots.pattern_plot([most]).to_dict())
    rows = values(plots.pattern_plot([stem]))
    assert sum(row.get("weight") == "kept" for row in rows) == 2 + 1
    assert [row["label"] for row in rows if "label" in row] == ["3", "1"]


def test_en_sparsity_is_sorted_and_names_channels(run: Run) -> None:
    rows = values(plots.en_sparsity_plot(en_sparsity_rows(run)))
    shares = [(row["channel"], row["share"], row["when"]) for row in rows if "share" in row]
    assert shares == [(1, 75, "step 1"), (2, 50, "step 1"), (0, 25, "step 1"), (3, 0, "step 1")]
    assert {"layer": "stem", "when": "step 1", "limit": 60} in rows


def test_relative_en_sparsity_is_called_so(run: Run) -> None:
    started = replace(run.started, settings={**run.started.settings, "en_sparsity": "relative"})
    plain, relative = (
        str(plots.en_sparsity_plot(en_sparsity_rows(each)).to_dict()["title"])
        for each in (run, replace(run, started=started))
    )
    assert "as if the layer's fullest channel had none; dashed: theta" in relative
    assert "values behind batch normalisation and ReLU; dashed: theta" in plain, "a run older than the setting"


def zeroskip(capsys: pytest.CaptureFixture[str], *command: object) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    with pytest.raises(SystemExit) as ended:
        main([str(each) for each in command])
    assert isinstance(ended.value.code, int)
    return ended.value.code, *capsys.readouterr()


def test_the_report_is_one_page_and_its_plots(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    description, folder = write(tmp_path, records()), tmp_path / "net.report"
    assert zeroskip(capsys, "compress-report", description) == (0, f"{folder}/index.html\n", "")
    names = ["weights", "multiplications", "accuracy", "steps", "loss", "histograms", "patterns", "en-sparsity"]
    expected = {"index.html", *(f"{name}.{ending}" for name in names for ending in ("svg", "png"))}
    assert {file.name for file in folder.iterdir()} == expected
    page = (folder / "index.html").read_text()
    assert re.findall(r'<figure id="([^"]+)">', page) == names
    assert not re.search(r"<script|(src|href)=\"(https?:|//)", page), "nothing comes from the network"
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids)) and set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)
    assert "5.04 times fewer" in page and "85.00 % (85 of 100 test images)" in page
    assert "86.00 % to 87.00 % of the judging images, kept" in page
    for name in names:
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert ElementTree.parse(folder / f"{name}.svg").getroot().tag.endswith("}svg")
    assert "block.conv" in (folder / "steps.svg").read_text()

    (folder / "loss.svg").unlink()
    assert zeroskip(capsys, "compress-report", description)[0] == 0
    assert {file.name for file in folder.iterdir()} == expected
    assert {file.name for file in tmp_path.iterdir()} == {
        "net.json", "net.safetensors", "net.history.jsonl", "net.report",
    }  # fmt: skip


def test_a_run_that_pruned_nothing_is_drawn(run: Run) -> None:
    names = {name: LayerCount(each.weights, each.weights) for name, each in run.started.layers.items()}
    nothing = replace(run, records=(run.started, Stopped("bound", 90, names), run.quantised))
    assert [plot.name for plot in draw(nothing)] == ["weights", "multiplications", "accuracy", "steps"]


def test_labels_of_the_accuracy_plot_do_not_lie_on_one_another(run: Run) -> None:
    rows = step_rows(run)
    crowded = [*rows, *({**rows[-1], "step": step, "turn": step} for step in range(4, 30))]
    assert labelled(plots.accuracy_plot(rows, run.bound, LAYERS)) == [0, 1, 3]
    assert labelled(plots.accuracy_plot(crowded, run.bound, LAYERS)) == [0, 1, 3]


def labelled(chart: plots.Chart) -> list[int]:
    """The steps with a label."""
    filters = [each for layer in chart.to_dict()["layer"] for each in layer.get("transform", ())]
    (steps,) = {tuple(each["filter"]["oneOf"]) for each in filters if isinstance(each["filter"], dict)}
    return list(steps)


def unfinished(folder: Path) -> None:
    write(folder, records()[:-1])


def foreign(folder: Path) -> None:
    write(folder, [*records()[:-1], replace(Run.of(load_run(write(folder, records())), Quantised)[0], counts={})])


def damaged(folder: Path) -> None:
    write(folder, records())
    (folder / "net.history.jsonl").write_text('{"event": \n' + "".join(map(as_line, records())))


def no_history(folder: Path) -> None:
    write(folder, records())
    (folder / "net.history.jsonl").unlink()


def no_description(folder: Path) -> None:
    write(folder, records())
    (folder / "net.json").unlink()


def occupied(folder: Path) -> None:
    write(folder, records())
    (folder / "net.report").mkdir()
    (folder / "net.report" / "index.html").write_text("mine")


@pytest.mark.parametrize(
    ("arrange", "reason"),
    [
        (unfinished, "net.history.jsonl: its run has not ended"),
        (foreign, "net.history.jsonl: belongs to another description than"),
        (damaged, "net.history.jsonl, line 1: is no record of a compression run."),
        (no_history, "net.history.jsonl: there is no history"),
        (no_description, "net.json: "),
        (occupied, "net.report: is no report, and is not replaced by one"),
    ],
)
def test_bad_input_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arrange: Any, reason: str
) -> None:
    arrange(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    code, text, errors = zeroskip(capsys, "compress-report", tmp_path / "net.json")
    assert (code, text) == (2, "") and errors.count("\n") == 1, errors
    assert errors.startswith("zeroskip: ") and reason in errors
    assert sorted(tmp_path.rglob("*")) == before, "nothing is written"


def test_only_reports_and_empty_folders_are_replaced(tmp_path: Path) -> None:
    check_folder(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    check_folder(tmp_path / "empty")
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    for name in ("file", "link"):
        with pytest.raises(CompressionError, match="is no report"):
            check_folder(tmp_path / name)


def test_without_altair_one_sentence_names_the_extra(tmp_path: Path) -> None:
    code = "import sys; sys.modules['altair'] = None; from zeroskip.commands import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "compress-report", str(write(tmp_path, records()))]
    done = subprocess.run(command, capture_output=True, text=True)
    expected = "zeroskip: plots need Altair and vl-convert; install them with: pip install 'zeroskip[report]'.\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


def test_plots_need_no_pytorch() -> None:
    code = "import sys; sys.modules['torch'] = None; import compression.report"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
