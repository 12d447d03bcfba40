"""Makes the builds that a regression's suite gives as descriptions, as `zeroskip generate` would."""

from pathlib import Path

import generator
import golden
from testbench.regress import BuildEntry
from zeroskip.arrays import load_images
from zeroskip.errors import BAD_INPUT, sentence

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
        options = generator.BuildOptions(pes=entry.pes, lanes=entry.lanes, fc_pes=entry.fc_pes, clock_mhz=entry.clock)
        if entry.stimuli is not None:
            given = {"images": load_images(entry.stimuli, network), "image_source": entry.stimuli.name}
            options = generator.BuildOptions(**(vars(options) | given))
        generator.generate(network, entry.board, folder, options)
    except BAD_INPUT as error:
        return sentence(error)
    return ""
