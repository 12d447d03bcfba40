"""`zeroskip regress` on the smallest build: passing, failing, resumed, interrupted, refused."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import psutil
import pytest
from distributed import LocalCluster

import golden
from testbench.build import load_build
from testbench.regress.digests import file_digest
from testbench.regress.runs import Run
from testbench.regress.workers import Workers
from tests.testbench.tiny import SIZES, tiny_build, tiny_network
from zeroskip.commands import main

SUITE = """
output = "out"
seeds = [1, 2]
stalls = ["none", "slow"]
images = 2
time_limit_s = 600
[patterns.slow]
features_out = 0.7
[[builds]]
name = "tiny"
folder = "build"
"""
RUNS = [f"tiny/{stalls}/seed{seed}/image{image}" for stalls in ("none", "slow") for seed in (1, 2) for image in (0, 1)]


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Address of a cluster of two threads in this process, which starts at once."""
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


@dataclass
class Space:
    """A folder with suite.toml, build/ and, once it has run, out/."""

    folder: Path
    scheduler: str
    capture: pytest.CaptureFixture[str]

    @property
    def suite(self) -> Path:
        return self.folder / "suite.toml"

    def __call__(self, *options: str) -> tuple[int, str, str]:
        """Runs the command in this process: exit code, stdout, stderr."""
        with pytest.raises(SystemExit) as ended:
            main(["regress", str(self.suite), "--scheduler", self.scheduler, *options])
        assert isinstance(ended.value.code, int)
        return ended.value.code, *self.capture.readouterr()

    def document(self, *options: str) -> tuple[int, dict]:
        code, text, errors = self(*options, "--json")
        assert code in (0, 1), errors
        return code, json.loads(text)

    def outcomes(self) -> dict[str, int]:
        """When each run's outcome was written, in ns."""
        runs = self.folder / "out" / "runs"
        return {str(f.parent.relative_to(runs)): f.stat().st_mtime_ns for f in runs.rglob("outcome.json")}

    def page(self) -> str:
        return (self.folder / "out" / "summary.html").read_text()

    def junit(self) -> ElementTree.Element:
        return ElementTree.parse(self.folder / "out" / "junit.xml").getroot()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled simulations, which the tests hand on to each other."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def space(tmp_path: Path, models: Path, scheduler: str, capsys: pytest.CaptureFixture[str]) -> Iterator[Space]:
    tiny_build(tmp_path / "build")
    (tmp_path / "suite.toml").write_text(SUITE)
    out = tmp_path / "out"
    shutil.copytree(models, out / "models")
    (out / "regress.json").write_text("{}")
    yield Space(tmp_path, scheduler, capsys)
    shutil.copytree(out / "models", models, dirs_exist_ok=True)


def spoil(build: Path) -> str:
    """Makes the vectors expect another pixel of image 1, and the manifest agree; returns what the bench then says."""
    read = load_build(build)
    words = np.fromfile(read.images_file, np.uint8).reshape(-1, read.image_words, read.lanes)
    words[1, read.layers[0].input_words, 0] ^= 1
    words.tofile(read.images_file)
    manifest = json.loads((build / "manifest.json").read_text())
    manifest["files"]["vectors/images.bin"] = file_digest(read.images_file)
    (build / "manifest.json").write_text(json.dumps(manifest))
    return "layer scores, image 1, channel 0, row 0, column 0: expected"


def test_what_passed_is_not_run_again(space: Space) -> None:
    code, first = space.document("--coverage")
    assert code == 0 and first["passed"] and first["counts"]["passed"] == 8 and first["kept"] == 0
    assert [run["run"] for run in first["runs"]] == RUNS
    assert {run["cycles"] for run in first["runs"][:4]} == {
        load_build(space.folder / "build").manifest.predictions.layer_cycles[0][0]
    }
    assert 0 < first["busy_share"] <= 1
    written = space.outcomes()
    assert sorted(written) == sorted(RUNS)

    root = space.junit()
    assert root.attrib | {"time": ""} == {
        "name": "suite", "tests": "8", "failures": "0", "errors": "0", "skipped": "0", "time": ""
    }  # fmt: skip
    assert [case.get("name") for case in root.iter("testcase")] == RUNS
    page = space.page()
    assert all(f"<code>{run}</code>" in page for run in RUNS)
    assert "<script" not in page and "://" not in page and "src=" not in page

    files = {file["file"]: file for file in first["coverage"]["files"]}
    assert first["coverage"]["runs"] == 8 and json.loads((space.folder / "out" / "coverage.json").read_text())
    engine = files["fc_engine.h"]
    assert engine["builds"] == ["tiny"] and 0 < engine["hit"] <= engine["lines"]
    assert engine["lines"] - engine["hit"] == len(engine["missed"])
    text = (space.folder / "build" / "hls" / "fc_engine.h").read_text().splitlines()
    assert all(line["text"] == text[line["line"] - 1].strip() for line in engine["missed"] + engine["partly"])
    assert "convolver_pe.h" not in files

    code, text, _ = space()
    assert code == 0 and "8 of 8 runs passed, 0 did not; 8 were kept." in text
    assert space.outcomes() == written
    code, again = space.document("--only", "tiny/slow/*/image0")
    assert code == 0 and [run["run"] for run in again["runs"]] == [RUNS[4], RUNS[6]] and again["kept"] == 0
    assert {run for run, when in space.outcomes().items() if when != written[run]} == {RUNS[4], RUNS[6]}


def test_a_failure_is_reported_with_the_command_that_reproduces_it(space: Space) -> None:
    expected = spoil(space.folder / "build")
    code, text, errors = space()
    assert code == 1
    wrong = [run for run in RUNS if run.endswith("image1")]
    commands = [f"zeroskip regress {space.suite} --only {run} --waves" for run in wrong]
    assert "4 of 8 runs passed, 4 did not; 0 were kept." in text
    assert all(f"failed      {run}: {expected}" in text and run in errors for run in wrong)
    assert [line.strip() for line in text.splitlines() if line.startswith("   ")] == commands
    root = space.junit()
    assert (root.get("failures"), root.get("errors")) == ("4", "0")
    failures = [(case.get("name"), case[0]) for case in root.iter("testcase") if len(case)]
    assert [name for name, _ in failures] == wrong
    assert all(expected in (failure.get("message") or "") for _, failure in failures)
    assert [(failure.text or "").splitlines()[-1] for _, failure in failures] == commands
    assert all(command in space.page() for command in commands)
    assert 'class="run build0 failed"' in space.page()

    written = space.outcomes()
    code, text, _ = space()
    assert code == 1 and "8 were kept" in text and space.outcomes() == written
    _, *options = shlex.split(commands[0])[1:]
    code, text, _ = space(*options[1:])
    waves = space.folder / "out" / "runs" / wrong[0] / "waves.fst"
    assert code == 1 and f"waves: {waves}" in text and waves.stat().st_size > 500
    # A right build again: everything that the vectors are part of is run again, and passes.
    shutil.rmtree(space.folder / "build")
    tiny_build(space.folder / "build")
    code, document = space.document()
    assert code == 0 and document["kept"] == 0 and document["counts"]["passed"] == 8


def test_a_simulation_is_killed_at_its_time_limit_and_tried_again(space: Space) -> None:
    right = space.suite.read_text().replace("seeds = [1, 2]", "seeds = [1]").replace("images = 2", "images = 1")
    space.suite.write_text(right.replace("time_limit_s = 600", "time_limit_s = 0.01"))
    code, document = space.document()
    assert code == 1 and document["counts"]["time limit"] == 2
    assert "was killed after 0.01 s" in document["runs"][0]["detail"]
    assert (space.junit().get("failures"), space.junit().get("errors")) == ("0", "2")
    space.suite.write_text(right)
    code, document = space.document()
    assert code == 0 and document["kept"] == 0 and document["counts"]["passed"] == 2


def test_a_description_is_generated_once(space: Space) -> None:
    golden.save(tiny_network(), space.folder / "tiny.json")
    np.save(space.folder / "stimuli.npy", np.random.default_rng(0).integers(0, 256, (4, 1, 2, 3)).astype(np.uint8))
    sizes = "\n".join(f"{name} = {value}" for name, value in SIZES.items())
    lines = ['description = "tiny.json"', 'board = "zcu104"', 'stimuli = "stimuli.npy"', 'stalls = ["none"]', sizes]
    suite = SUITE.replace('folder = "build"', "\n".join(lines))
    space.suite.write_text(suite.replace("seeds = [1, 2]", "seeds = [1]"))
    code, document = space.document()
    assert code == 0 and document["counts"]["passed"] == 2
    manifest = space.folder / "out" / "builds" / "tiny" / "manifest.json"
    made = manifest.stat().st_mtime_ns
    code, document = space.document()
    assert code == 0 and document["kept"] == 2 and manifest.stat().st_mtime_ns == made
    np.save(space.folder / "stimuli.npy", np.zeros((4, 1, 2, 3), np.uint8))
    code, document = space.document()
    assert code == 0 and document["kept"] == 0 and manifest.stat().st_mtime_ns != made

    space.suite.write_text(suite.replace("lanes = 8", "lanes = 7"))
    code, text, errors = space()
    assert (code, text) == (2, "") and errors.count("\n") == 1
    assert "builds[0] ('tiny'): architecture: field 'lanes': Input should be greater than or equal to 8" in errors


def refused(space: Space, *options: str) -> str:
    code, text, errors = space(*options)
    assert (code, text) == (2, ""), errors
    assert errors.startswith("zeroskip: ") and errors.count("\n") == 1
    return errors


def test_bad_input_is_one_sentence_and_nothing_is_written(
    space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    assert "--waves needs --only RUN" in refused(space, "--waves")
    space.suite.write_text(SUITE + "speed = 3\n")
    assert "builds[0].speed: there is no such field." in refused(space)
    space.suite.write_text(SUITE.replace('folder = "build"', 'folder = "nowhere"'))
    assert "nowhere is no build; make one with zeroskip generate." in refused(space)
    space.suite.write_text(SUITE.replace('folder = "build"', 'description = "d.json"\nboard = "zcu104"'))
    assert "builds[0].description: there is no file" in refused(space)
    space.suite.write_text(SUITE.replace('"out"', '"full"'))
    assert "full holds other files; name a folder of its own." in refused(space)
    space.suite.unlink()
    assert "suite.toml: No such file or directory" in refused(space)
    space.suite.write_text(SUITE)
    with monkeypatch.context() as patch:
        patch.setattr("testbench.regress.workers.find_spec", lambda name: None)
        assert "needs Dask, which is not installed: pip install 'zeroskip[regress]'." in refused(space)
    assert sorted(tmp_path.rglob("*")) == before
    (tmp_path / "out" / "models").mkdir(parents=True)  # the fixture looks for it


def started(space: Space, *options: str) -> subprocess.Popen[str]:
    """The command as a process of its own, with workers of its own."""
    command = [sys.executable, "-m", "zeroskip", "regress", str(space.suite), *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        command, cwd=Path(__file__).parents[2], start_new_session=True, preexec_fn=_heed_interruptions, **pipes
    )


def _heed_interruptions() -> None:
    """A shell starts what it runs in the background with Ctrl-C ignored, and programs hand that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for_outcomes(space: Space, more_than: int, process: subprocess.Popen[str]) -> None:
    while len(space.outcomes()) <= more_than:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_a_run_that_ended_just_before_the_interruption_counts(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Workers.results

    def results(workers: Workers) -> Iterator[tuple[object, object, Exception | None]]:
        """The interruption comes between the outcome on the disk and the news of it."""
        for each in told(workers):
            if isinstance(each[0], Run):
                raise KeyboardInterrupt
            yield each

    with monkeypatch.context() as patch:
        patch.setattr(Workers, "results", results)
        code, text, _ = space()
    assert code == 130 and "interrupted" in text
    assert space.outcomes() and int(space.junit().get("skipped") or 0) < len(RUNS)


def test_it_goes_on_after_an_interruption_and_after_a_kill(space: Space) -> None:
    space.suite.write_text(SUITE.replace("seeds = [1, 2]", "seeds = {first = 1, count = 10}"))
    first = started(space, "--workers", "2")
    wait_for_outcomes(space, 0, first)
    os.killpg(first.pid, signal.SIGINT)  # as a terminal does for Ctrl-C: to the workers and simulations too
    text, errors = first.communicate(timeout=300)
    after_first = space.outcomes()
    assert first.returncode == 130, errors
    assert "interrupted; the same command makes the" in text and 0 < len(after_first) < 40
    assert int(space.junit().get("skipped") or 0) == 40 - len(after_first)

    second = started(space, "--workers", "1")
    wait_for_outcomes(space, len(after_first), second)
    family = psutil.Process(second.pid).children(recursive=True)
    os.kill(second.pid, signal.SIGKILL)
    second.communicate()
    _, alive = psutil.wait_procs(family, timeout=120)
    assert not alive, "workers and simulations end with the command"
    after_second = space.outcomes()
    assert after_first.items() <= after_second.items() and len(after_second) < 40

    code, document = space.document()
    assert code == 0 and document["counts"]["passed"] == 40 and document["kept"] == len(after_second)
    assert after_second.items() <= space.outcomes().items()
