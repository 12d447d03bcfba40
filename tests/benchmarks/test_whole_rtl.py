"""Whole networks as RTL: what is kept agrees with the schedule's figures, and an interrupted run goes on."""

import json
from pathlib import Path

import pytest

import generator
from benchmarks import alexnet, alexnet_convolver, alexnet_zcu104, fc_batches, imagenet, networks, whole_rtl
from generator import BuildOptions
from golden import Network
from tests.generator.networks import map_network, pooled_fc_network

SMALL = whole_rtl.Case("small 1%", pooled_fc_network, BuildOptions(lanes=8, fc_slots=8, ddr_bytes=5.5))
SMALLEST = whole_rtl.Case("smallest", map_network, BuildOptions(lanes=8))


def _kept() -> dict[str, whole_rtl.Figures]:
    kept = [whole_rtl.Figures.model_validate(each) for each in json.loads(whole_rtl.EXPECTED.read_text())]
    return {each.network: each for each in kept}


def test_the_rtl_of_every_network_took_the_clocks_that_the_schedule_states() -> None:
    kept = _kept()
    assert list(kept) == [case.name for case in whole_rtl.CASES]
    [together] = json.loads(networks.EXPECTED.read_text())
    for each in together["networks"]:
        assert kept[f"zcu104 {each['network']}"].cycles == each["cycles"]
    [stated] = json.loads(alexnet.EXPECTED.read_text())
    assert kept["alexnet han"].cycles == stated["cycles"]
    assert kept["alexnet han"].behind_ddr_cycles == stated["cycles"] + stated["ddr_clocks"]
    [apart] = json.loads(alexnet_zcu104.EXPECTED.read_text())
    for share in apart["shares"]:
        found = kept[f"alexnet zcu104 {share['engine']}"]
        assert share["clocks"] == (found.behind_ddr_cycles or found.cycles)
    for each in json.loads(alexnet_convolver.EXPECTED.read_text()):
        assert kept[f"alexnet-convolutions {each['variant']}"].cycles == sum(each["cycles"].values())
    *_, batch = json.loads(fc_batches.EXPECTED.read_text())
    assert kept[f"alexnet fc batch {batch['batch']}"].behind_ddr_cycles == batch["share"]["clocks"]


def test_the_rtl_of_imagenet_s_networks_took_the_clocks_of_their_estimates() -> None:
    kept = _kept()
    for case, stated in zip(imagenet.CASES, json.loads(imagenet.EXPECTED.read_text()), strict=True):
        found = kept[f"{case.network} 224 {case.zeros_percent}%"]
        assert found.cycles == stated["cycles"]
        assert found.behind_ddr_cycles == stated["cycles"] + stated["ddr_clocks"]


def test_a_network_is_run_and_its_figures_are_those_of_the_rtl(tmp_path: Path) -> None:
    found = whole_rtl.run(SMALL, tmp_path / "run")
    predictions = json.loads((tmp_path / "run" / "build" / "manifest.json").read_text())["predictions"]
    assert found.cycles == sum(predictions["layer_cycles"][0])
    assert found.behind_ddr_cycles == sum(predictions["behind_ddr"]["layer_cycles"][0]) > found.cycles
    assert found.stalled_cycles > found.cycles and found.output_bytes > 0


def test_rtl_that_takes_other_clocks_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def generate(network: Network, board: str, folder: Path, options: BuildOptions) -> None:
        generator.generate(network, board, folder, options)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["predictions"]["layer_cycles"][0][0] += 1
        (folder / "manifest.json").write_text(json.dumps(manifest | {"files": {}}))

    monkeypatch.setattr(whole_rtl, "generate", generate)
    with pytest.raises(whole_rtl.RunError, match="smallest: image 0, layer .* cycles, the schedule says"):
        whole_rtl.run(SMALLEST, tmp_path / "run")


def test_what_was_run_is_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    figures = _kept()

    def run(case: whole_rtl.Case, *_: object) -> whole_rtl.Figures:
        asked.append(case.name)
        if len(asked) == 2:
            raise whole_rtl.RunError(f"{case.name}: wrong")
        (tmp_path / case.file).mkdir()
        return figures[case.name]

    monkeypatch.setattr(whole_rtl, "run", run)
    arguments = ["resnet56 1", "resnet56 2", "-o", str(tmp_path)]
    assert whole_rtl.main(arguments) == 1 and "zcu104 resnet56 2%: wrong" in capsys.readouterr().err
    assert whole_rtl.main(arguments) == 0
    assert asked == ["zcu104 resnet56 1%", "zcu104 resnet56 2%", "zcu104 resnet56 2%"]
    figures["zcu104 resnet56 1%"] = figures["zcu104 resnet56 1%"].model_copy(update={"cycles": 1})
    (tmp_path / "zcu104_resnet56_1.json").unlink()
    assert whole_rtl.main(arguments) == 1 and "figures differ" in capsys.readouterr().err


def test_bad_input_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in (
        (["resnet99"], "there are zcu104 vgg16bn 1%"),
        (["--workers", "0"], "--workers: 1 or more"),
    ):
        assert whole_rtl.main(arguments) == 2
        assert words in capsys.readouterr().err
