"""Renders the HLS project: everything that varies, through the templates in hls_templates/emitted.

Templates hold loops and substitutions only; every number comes from here. The kernels themselves are copied unchanged.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as distribution_version
from importlib.util import find_spec
from pathlib import Path

import jinja2

from generator import layouts
from generator.architecture import Architecture, process_network
from generator.boards import Board

__all__ = ["TOP", "emit_project", "templates_folder", "version"]

TOP = "zeroskip_top"
"""Name of the top function, and so of the top module."""

_BENCHES = ["csim/vectors.h", "csim/test_bench.cpp", "csim/interleaved.cpp"]


@dataclass(frozen=True)
class _Size:
    name: str
    value: int
    meaning: str


def version() -> str:
    """Version of the installed distribution."""
    try:
        return distribution_version("zeroskip")
    except PackageNotFoundError:
        return "unknown"


def templates_folder() -> Path:
    """The folder hls_templates, in a checkout or installed."""
    spec = find_spec("hls_templates")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the folder hls_templates is not installed: install zeroskip again")
    return Path(next(iter(spec.submodule_search_locations)))


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_folder() / "emitted"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def _sizes(architecture: Architecture) -> list[_Size]:
    meanings = {name: field.description or "" for name, field in Architecture.model_fields.items()}
    names = ["lanes"]
    if architecture.pes:
        names += [
            "tile",
            "pes",
            "pe_outputs",
            "map_words",
            "max_entries",
            "mask_words",
            "max_columns",
            "sum_bits",
            "averages",
        ]
    if architecture.fc_slots:
        names += ["pointer_words", "fc_rows", "fc_slots", "fc_value_bits", "fc_gap_bits", "fc_rows_at_once", "fc_batch"]
    elif architecture.fc_pes:
        names += ["fc_pes", "pointer_words", "entry_words", "fc_rows"]
    if architecture.map_columns:
        strips = ["map_lanes", "map_strips", "map_reach", "map_stride", "map_averages"]
        names += strips if architecture.map_lanes > 1 else ["map_columns"]
        names += ["map_overlap", "normalised_positions", "normalised_channels", "table_words"]
    return [
        _Size("k" + name.title().replace("_", ""), int(getattr(architecture, name)), meanings[name].split(";")[0])
        for name in names
    ]


def _layouts(architecture: Architecture) -> tuple[layouts.Layout, ...]:
    """What the kernels need."""
    of_maps = [layouts.MAP_DESCRIPTOR] if architecture.map_columns else []
    of_weights = (each for each in layouts.STREAM_LAYOUTS if each is not layouts.MAP_DESCRIPTOR)
    return (*of_weights, *layouts.command_layouts(architecture.pair_bits, architecture.fc_base_bits), *of_maps)


def emit_project(folder: Path, architecture: Architecture, board: Board, clock_mhz: float) -> None:
    """Writes hls/, csim/ and tcl/ below `folder`: nothing in them knows a network. Equal arguments give equal bytes."""
    network = process_network(architecture)
    values: Mapping[str, object] = {
        "version": version(),
        "top": TOP,
        "board": board.name,
        "part": board.part,
        "period_ns": f"{1000 / clock_mhz:.3f}",
        "sizes": _sizes(architecture),
        "headers": network.headers,
        "streams": network.streams,
        "processes": network.processes,
        "streamed": architecture.fc_slots > 0,
        "layouts": _layouts(architecture),
        "weight_bits": layouts.WEIGHT_BITS,
        "weight_bytes": layouts.WEIGHT_BITS // 8,
        "descriptor_words": layouts.DESCRIPTOR_WORDS,
        "units_per_word": layouts.UNITS_PER_WORD,
        "units_log": (layouts.UNITS_PER_WORD - 1).bit_length(),
        "biases_per_word": layouts.BIASES_PER_WORD,
        "pointers_per_word": layouts.POINTERS_PER_WORD,
        "pointer_bits": layouts.POINTER_BITS,
        "base_bits": architecture.fc_base_bits,
    }
    environment = _environment()
    for target in (
        "hls/config.h",
        "hls/layouts.h",
        "hls/top.h",
        "hls/top.cpp",
        *_BENCHES,
        "tcl/run_hls.tcl",
        "tcl/hls_config.cfg",
    ):
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(environment.get_template(f"{path.name}.j2").render(values))
    for kernel in _kernels(network.headers):
        shutil.copyfile(templates_folder() / "zeroskip" / kernel, folder / "hls" / kernel)


def _kernels(headers: Sequence[str]) -> list[str]:
    """The kernel headers that `headers` need, themselves included."""
    found: dict[str, None] = {}
    waiting = list(headers)
    while waiting:
        header = waiting.pop()
        path = templates_folder() / "zeroskip" / header
        if header in found or not path.is_file():
            continue
        found[header] = None
        waiting += re.findall(r'^#include "([^"]+)"', path.read_text(), re.MULTILINE)
    return sorted(found)
