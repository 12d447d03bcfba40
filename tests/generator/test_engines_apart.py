"""Accelerators of one engine each, and what waits in front of PEs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import generator
from generator import BuildOptions, EstimateOptions
from generator.layers import EngineError
from generator.schedule import Engine
from tests.generator.networks import alexnet_like_network, convolver_network

_SIZES = BuildOptions(pes=3, lanes=16, tile=13, map_lanes=4, fc_slots=8)
_ENGINES: tuple[Engine, ...] = ("convolver", "map", "fc")


def test_engines_apart_run_all_layers_and_agree_on_every_map(tmp_path: Path) -> None:
    """Each leaves out what the others have, takes its own layers' clocks, and reads maps as their makers leave them."""
    network = alexnet_like_network()
    whole = generator.generate(network, "zcu104", tmp_path / "whole", _SIZES)
    alone = {
        engine: generator.generate(
            network, "zcu104", tmp_path / engine, BuildOptions(**(_SIZES.__dict__ | {"engine": engine}))
        )
        for engine in _ENGINES
    }
    assert [layer.engine for layer in whole.layers] != sorted(layer.engine for layer in whole.layers), "they take turns"
    for engine, manifest in alone.items():
        assert manifest.layers == tuple(layer for layer in whole.layers if layer.engine == engine)
        a = manifest.architecture
        assert (a.pes > 0, a.map_columns > 0, a.fc_slots > 0) == tuple(engine == each for each in _ENGINES)
    text = (tmp_path / "fc" / "hls" / "top.cpp").read_text()
    assert "convolver_pe" not in text and "map_" not in text and "route" not in text


def test_an_estimate_of_one_engine_is_its_build_s(tmp_path: Path) -> None:
    network = alexnet_like_network()
    for engine in _ENGINES:
        options = EstimateOptions(pes=3, tile=13, map_lanes=4, fc_slots=8, engine=engine, clock_mhz=200.0)
        found = generator.estimate(network, "zcu104", options)
        sizes = BuildOptions(**(_SIZES.__dict__ | {"engine": engine, "clock_mhz": 200.0}))
        manifest = generator.generate(network, "zcu104", tmp_path / engine, sizes)
        assert sum(layer.cycles for layer in found.layers) == sum(manifest.predictions.layer_cycles[0])
        assert found.architecture == manifest.architecture


def test_an_engine_without_a_layer_is_refused(tmp_path: Path) -> None:
    options = BuildOptions(engine="map")
    with pytest.raises(EngineError, match="engine 'map': no layer of the network runs on it"):
        generator.generate(convolver_network(), "zcu104", tmp_path / "build", options)
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize("depth", [0, -3])
def test_no_words_in_front_of_a_pe_are_refused(depth: int, tmp_path: Path) -> None:
    with pytest.raises(generator.BuildError, match="field 'weight_depth': must be 1 or more"):
        generator.generate(convolver_network(), "zcu104", tmp_path / "build", BuildOptions(weight_depth=depth))
    with pytest.raises(generator.BuildError, match="field 'weight_depth': must be 1 or more"):
        generator.estimate(convolver_network(), "zcu104", EstimateOptions(weight_depth=depth))


def test_fewer_words_in_front_of_a_pe_take_fewer_luts_and_load_maps_first(tmp_path: Path) -> None:
    network = alexnet_like_network()
    deep, shallow = (
        generator.generate(
            network, "zcu104", tmp_path / str(depth), BuildOptions(**(_SIZES.__dict__ | {"weight_depth": depth}))
        )
        for depth in (None, 2)
    )
    assert shallow.architecture.weight_depth == 2 < deep.architecture.weight_depth
    assert sum(shallow.predictions.layer_cycles[0]) > sum(deep.predictions.layer_cycles[0])
    assert json.loads((tmp_path / "2" / "manifest.json").read_text())["architecture"]["weight_depth"] == 2
