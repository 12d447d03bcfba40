"""What a rung of the ladder is, and what all rungs of one climb share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

import golden
from testbench.build import INPUT, Build, BuildFileError
from testbench.csim.executor import CsimExecutor

__all__ = ["Context", "Options", "Outcome", "Rung"]


@dataclass(frozen=True)
class Options:
    """What the user may choose.

    Attributes:
        level: how far up to climb: C-simulation only, or RTL too.
        images: how many of the build's images; None takes all of them for C-simulation and two for RTL.
        seed: of everything random.
        waves: record waves of the RTL's first run.
        rtl: folder of Verilog files exported by another tool, tested in place of our own RTL.
        mutations: whether to climb the last rung, which breaks the build on purpose.
    """

    level: Literal["csim", "rtl"] = "rtl"
    images: int | None = None
    seed: int = 1
    waves: bool = False
    rtl: Path | None = None
    mutations: bool = True


@dataclass(frozen=True)
class Outcome:
    """What a rung found.

    Attributes:
        passed: whether the check holds.
        detail: one line: what was compared, or why it failed.
        figures: measured numbers, for --json.
    """

    passed: bool
    detail: str
    figures: Mapping[str, object] = field(default_factory=dict)


class Rung(Protocol):
    """One check of the ladder."""

    @property
    def name(self) -> str:
        """Short name, as it is printed."""

    def check(self, context: "Context") -> Outcome:
        """Makes the check; raises only where a tool is missing or breaks."""


@dataclass
class Context:
    """One climb: a build, the options, and what rungs share.

    Attributes:
        build: the build.
        options: the user's choice.
        work: folder for everything that the climb makes.
    """

    build: Build
    options: Options
    work: Path

    @cached_property
    def network(self) -> golden.Network:
        """The network of the build's description."""
        return self.build.network()

    @cached_property
    def images(self) -> NDArray[np.generic]:
        """The build's images: uint8 or int8 (N, C, H, W).

        Raises:
            BuildFileError: the build holds fewer images than were asked for.
        """
        images = load_file(self.build.folder / "vectors" / "images.safetensors")["images"]
        wanted = self.options.images
        if wanted is not None and not 1 <= wanted <= len(images):
            raise BuildFileError(
                f"--images: {wanted} asked for, the build {self.build.folder} holds {len(images)}; generate more."
            )
        return images[: len(images) if wanted is None else wanted]

    @cached_property
    def rtl_images(self) -> int:
        """How many images the RTL runs."""
        return len(self.images) if self.options.images is not None else min(2, len(self.images))

    @cached_property
    def tensors(self) -> Mapping[str, NDArray[Any]]:
        """Golden's integers for all images: the input and every layer's output."""
        return {INPUT: self.images, **golden.run(self.network, self.images, keep="all")}

    @cached_property
    def csim(self) -> CsimExecutor:
        """The C-simulations of the unchanged build."""
        return CsimExecutor(self.build, self.work / "csim")
