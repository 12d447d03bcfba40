"""Makes the builds that a regression's suite gives as descriptions, as `zeroskip generate --relaxed` would."""

from dataclasses import replace
from pathlib import Path

import generator
import golden
from testbench.regress import BuildEntry
from zeroskip.arrays import load_images
from zeroskip.errors import bad_input, sentence
from zeroskip.pipeliner import Pipeliner

__all__ = ["generate_entry"]


def generate_entry(entry: BuildEntry, folder: Path) -> str:
    """Generates a build; runs in a worker.

    Args:
        entry: a build with a description.
        folder: the build's.

    Returns:
        What is wrong with the entry, one sentence; empty when the build is there.
    """
    assert entry.description is not None and entry.board is not None
    try:
        network = golden.load(entry.description)
        options = generator.BuildOptions(
            pes=entry.pes,
            lanes=entry.lanes,
            tile=entry.tile,
            fc_pes=entry.fc_pes,
            fc_slots=entry.fc_slots,
            map_lanes=entry.map_lanes,
            pe_outputs=entry.pe_outputs,
            clock_mhz=entry.clock,
            pipeliner=Pipeliner(),
        )
        if entry.stimuli is not None:
            stimuli = load_images(entry.stimuli, network)
            options = replace(options, images=stimuli, image_source=entry.stimuli.name)
        generator.generate(network, entry.board, folder, options)
    except bad_input() as error:
        return sentence(error)
    return ""
