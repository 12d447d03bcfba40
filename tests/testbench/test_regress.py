"""The parts of a regression that need no simulation: suites, digests, coverage brought back to the C++."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from testbench.build import Build, load_build
from testbench.regress.coverage import LineCount, count_lines, cpp_places
from testbench.regress.coverage_points import CoverageError, merge_counts, pack_coverage, read_points, write_coverage
from testbench.regress.runs import plan_runs, select_runs
from testbench.regress.suite import Suite, SuiteError, load_suite
from testbench.rtl.stalls import PATTERNS
from tests.testbench.tiny import tiny_build

HEAD = 'output = "out"\n'
BUILD = '[[builds]]\nname = "tiny"\nfolder = "build"\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of four images."""
    return tiny_build(tmp_path_factory.mktemp("regress") / "build")


def suite_of(folder: Path, text: str) -> Suite:
    file = folder / "suite.toml"
    file.write_text(text)
    return load_suite(file)


def names(suite: Suite, build: Build) -> list[str]:
    return [run.name for run in plan_runs(suite, {"tiny": build})]


def test_a_suite_is_the_product_of_its_lists(folder: Path, tmp_path: Path) -> None:
    text = HEAD + 'seeds = [3, 5]\nimages = [2, 0]\nstalls = ["none", "slow"]\n[patterns.slow]\nfeatures_out = 0.7\n'
    suite = suite_of(tmp_path, text + BUILD)
    assert suite.output == tmp_path / "out"
    runs = plan_runs(suite, {"tiny": load_build(folder)})
    parts = [("none", 3, (0,)), ("none", 3, (2,)), ("none", 5, (0,)), ("none", 5, (2,))]
    parts += [("slow", seed, images) for _, seed, images in parts]
    assert [(run.pattern, run.seed, run.images) for run in runs] == parts
    assert runs[-1].name == "tiny/slow/seed5/image2" and runs[-1].shares == {"features_out": 0.7}
    assert not runs[0].stalled and runs[-1].stalled
    assert len({run.name for run in runs}) == len({run.digest for run in runs}) == suite.size() == 8
    only = select_runs(runs, ["tiny/slow/*/image0", "tiny/none/seed3/image0"])
    assert [run.name for run in only] == [run.name for run in (runs[0], runs[4], runs[6])]
    with pytest.raises(SuiteError, match=r"--only big/\*: the suite has no such run; the first of its 8 is tiny/none/"):
        select_runs(runs, ["big/*"])


def test_a_build_has_fields_of_its_own_and_images_share_a_run(folder: Path, tmp_path: Path) -> None:
    build = load_build(folder)
    suite = suite_of(
        tmp_path, HEAD + BUILD + 'seeds = {first = 7, count = 1}\nstalls = ["heavy"]\nimages_per_run = 2\n'
    )
    assert names(suite, build) == ["tiny/heavy/seed7/images0-1"]
    suite = suite_of(tmp_path, HEAD + 'stalls = ["none"]\n' + BUILD + "images = [0, 2, 3]\nimages_per_run = 2\n")
    assert names(suite, build) == ["tiny/none/seed1/images0-2x2", "tiny/none/seed1/image3"]


def test_random_stalls_follow_the_seed() -> None:
    assert PATTERNS["random"](4) == PATTERNS["random"](4)
    assert len({tuple(PATTERNS["random"](seed).values()) for seed in range(20)}) > 5


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["predictions"]["layer_cycles"][0].__setitem__(0, 1),
        lambda manifest: manifest["files"].update({"vectors/images.bin": "0"}),
        lambda manifest: manifest["files"].update({"hls/top.cpp": "0"}),
    ],
)
def test_what_a_run_depends_on_changes_its_digest(
    folder: Path, tmp_path: Path, change: Callable[[dict], object]
) -> None:
    suite = suite_of(tmp_path, HEAD + BUILD)
    build = load_build(folder)
    raw = json.loads((folder / "manifest.json").read_text())
    change(raw)
    changed = Build(folder, type(build.manifest).model_validate_json(json.dumps(raw)))
    before = {run.name: run.digest for run in plan_runs(suite, {"tiny": build})}
    after = {run.name: run.digest for run in plan_runs(suite, {"tiny": changed})}
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())
    assert before == {run.name: run.digest for run in plan_runs(suite, {"tiny": build})}


BAD_SUITES = {
    "no TOML": ("output = [", "suite.toml: is not TOML: Invalid value"),
    "no output": (BUILD, "suite.toml: output: is missing"),
    "no builds": (HEAD, "suite.toml: builds: is missing"),
    "unknown field": (HEAD + "speed = 3\n" + BUILD, "suite.toml: speed: there is no such field."),
    "unknown field of a build": (HEAD + BUILD + "colour = 3\n", "builds[0].colour: there is no such field."),
    "seed": (HEAD + "seeds = [1, 0]\n" + BUILD, "seeds[1]: input should be greater than or equal to 1, not 0."),
    "seed twice": (HEAD + "seeds = [1, 1]\n" + BUILD, "seeds: 1 stands there twice."),
    "range": (HEAD + "seeds = {first = 1}\n" + BUILD, "seeds: a range of seeds is written {first = 1, count = 8}."),
    "text": (HEAD + 'seeds = "all"\n' + BUILD, "seeds: must be a list, not 'all'."),
    "images": (HEAD + "images = 0\n" + BUILD, "images: a number of images must be 1 to 100000."),
    "stalls": (
        HEAD + BUILD + 'stalls = ["often"]\n',
        "builds[0].stalls: there is no stall pattern 'often'; known: back-",
    ),
    "share": (HEAD + "[patterns.p]\nfeatures_in = 1\n" + BUILD, "patterns.p.features_in: input should be less than 1"),
    "port": (HEAD + "[patterns.p]\nbias_in = 0.1\n" + BUILD, "patterns.p.bias_in: there is no such field."),
    "pattern": (HEAD + "[patterns.none]\n" + BUILD, "patterns.none: the bench has a pattern of that name"),
    "time": (HEAD + "time_limit_s = -1\n" + BUILD, "time_limit_s: input should be greater than 0, not -1"),
    "name": (HEAD + '[[builds]]\nname = "../x"\nfolder = "b"\n', "builds[0].name: a name is 1 to 64 letters"),
    "name twice": (HEAD + BUILD + BUILD, "builds: the name 'tiny' stands there twice."),
    "origins": (HEAD + BUILD + 'description = "d.json"\n', "builds[0]: a build has either a folder or a description."),
    "no board": (HEAD + '[[builds]]\nname = "a"\ndescription = "d.json"\n', "builds[0]: a description needs a board."),
    "options": (HEAD + BUILD + "lanes = 8\n", "builds[0]: lanes goes with a description"),
    "size": (HEAD + "images = 90000\nseeds = [1, 2]\n" + BUILD, "the suite has 360,000 runs; at most 100,000"),
}


@pytest.mark.parametrize("case", BAD_SUITES)
def test_a_wrong_suite_is_refused_by_field(tmp_path: Path, case: str) -> None:
    text, reason = BAD_SUITES[case]
    with pytest.raises(SuiteError) as caught:
        suite_of(tmp_path, text)
    assert reason in str(caught.value) and str(tmp_path / "suite.toml") in str(caught.value)


def test_images_that_a_build_does_not_hold_are_refused(folder: Path, tmp_path: Path) -> None:
    build = load_build(folder)
    with pytest.raises(SuiteError, match=r"images: asks for image 4, but the build 'tiny' holds 4 \(0 to 3\)"):
        names(suite_of(tmp_path, HEAD + "images = 5\n" + BUILD), build)
    with pytest.raises(SuiteError, match=r"builds\[0\]\.images: asks for image 9"):
        names(suite_of(tmp_path, HEAD + BUILD + "images = [9]\n"), build)


SV = """// work<8>, engine.h:10
module work_8 (
    input  wire ap_clk
);
  localparam logic [1:0] ENTRY = 2'd0;  // engine.h:11
  localparam logic [1:0] LINE_14 = 2'd1;  // engine.h:14
  logic [7:0] count;  // engine.h:14
  wire [7:0] sum = count + 8'd1;  // engine.h:15
  wire [7:0] t = ok ? sum : 8'd0;  // engine.h:16
  wire plain = 1'b1;
  wire fire_entry = ap_rst_n & (state == ENTRY);
  wire fire_line_14_1 = go_1 & (state_1 == LINE_14);
  always_ff @(posedge ap_clk) begin
    if (fire_entry) begin
      if (full) words[count] <= sum;  // engine.h:17
    end
  end
endmodule
"""


def test_systemverilog_lines_know_their_place_in_the_cpp() -> None:
    lines = {5: 11, 6: 14, 7: 14, 8: 15, 9: 16, 11: 11, 12: 14, 15: 17}
    assert cpp_places(SV) == {line: ("engine.h", cpp) for line, cpp in lines.items()}


def point(line: int, page: str, comment: str, count: int, folder: str = "/elsewhere") -> str:
    fields = {"f": f"{folder}/work_8.sv", "l": line, "n": 3, "t": page, "page": f"v_{page}/work_8", "o": comment}
    return "C '" + "".join(f"\x01{name}\x02{value}" for name, value in fields.items()) + f"\x01h\x02top.u' {count}\n"


def coverage_file(counts: list[int]) -> str:
    points = [
        (8, "toggle", "sum[0]:0->1"),
        (8, "toggle", "sum[0]:1->0"),
        (9, "toggle", "t[0]:0->1"),
        (9, "branch", "cond_then"),
        (9, "branch", "cond_else"),
        (11, "toggle", "fire_entry:0->1"),
        (15, "branch", "if"),
        (15, "branch", "else"),
        (10, "toggle", "plain:0->1"),
    ]
    return "# SystemC::Coverage-3\n" + "".join(point(*place, n) for place, n in zip(points, counts, strict=True))


def test_coverage_of_runs_adds_up_to_lines_of_cpp(tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "sv").mkdir(parents=True)
    (model / "sv" / "work_8.sv").write_text(SV)
    runs = [tmp_path / "a", tmp_path / "b"]
    for run, counts in zip(runs, ([0, 0, 0, 5, 0, 1, 0, 9, 0], [0, 2, 0, 5, 0, 1, 0, 9, 0]), strict=True):
        run.mkdir()
        (run / "coverage.dat").write_text(coverage_file(counts))
        pack_coverage(run, model)
        assert not (run / "coverage.dat").exists()
    keys, total = merge_counts(runs, model)
    assert total.tolist() == [0, 2, 0, 10, 0, 2, 0, 18, 0]
    lines = count_lines(read_points(keys), total, model / "sv")
    assert lines == {
        ("engine.h", 15): LineCount(points=2, hits=2),
        ("engine.h", 16): LineCount(points=1, hits=0, arms=2, arms_taken=1),
        ("engine.h", 11): LineCount(points=1, hits=2),
        ("engine.h", 17): LineCount(points=1, hits=0),  # its memory write never happened, whatever the else says
    }
    write_coverage(tmp_path / "merged.dat", keys, total, model / "sv")
    header, first = (tmp_path / "merged.dat").read_text().splitlines()[:2]
    assert header == "# SystemC::Coverage-3" and f"\x01f\x02{model / 'sv'}/work_8.sv\x01" in first


def test_damaged_coverage_is_refused(tmp_path: Path) -> None:
    run, model = tmp_path / "run", tmp_path / "model"
    run.mkdir()
    model.mkdir()
    with pytest.raises(CoverageError, match=r"the simulation left no coverage\.dat"):
        pack_coverage(run, model)
    (run / "coverage.dat").write_text("hello\n")
    with pytest.raises(CoverageError, match="is not Verilator's"):
        pack_coverage(run, model)
    (run / "coverage.dat").write_text(coverage_file([1] * 9))
    pack_coverage(run, model)
    shutil.copy(run / "coverage.npz", run / "right.npz")
    np.savez(run / "coverage.npz", counts=np.zeros(3, np.uint64), points=np.zeros(32, np.uint8))
    with pytest.raises(CoverageError, match="counts other points than its model has"):
        merge_counts([run], model)
    (run / "coverage.npz").write_bytes((run / "right.npz").read_bytes()[:100])
    with pytest.raises(CoverageError, match=r"coverage\.npz cannot be read"):
        merge_counts([run], model)
