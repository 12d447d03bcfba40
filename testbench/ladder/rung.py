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
from testbench.rtl.executor import RtlDesign, RtlExecutor, compile_design

__all__ = ["Context", "Options", "Outcome", "Rung"]


@dataclass(frozen=True)
class Options:
    """What the user may choose.

    Attributes:
        level: how far up to climb: C-simulation only, or RTL too.
        images: how many of the build's images; None takes all of them.
        rtl_images: how many of those the RTL runs; None takes all when `images` says how many, else two.
        seed: of everything random.
        waves: record waves of the RTL's first run.
        rtl: folder of Verilog files exported by another tool, tested in place of our own RTL.
        mutations: whether to climb the last rung, which breaks the build on purpose.
    """

    level: Literal["csim", "rtl"] = "rtl"
    images: int | None = None
    rtl_images: int | None = None
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

    def __post_init__(self) -> None:
        """Checks the options against the build.

        Raises:
            BuildFileError: the build holds fewer images than were asked for, or the RTL folder holds no Verilog.
        """
        held = self.build.manifest.vectors.images
        for option, wanted in (("--images", self.options.images), ("--rtl-images", self.options.rtl_images)):
            if wanted is not None and not 1 <= wanted <= held:
                raise BuildFileError(f"{option}: {wanted} asked for, but there are {held} (build {self.build.folder}).")
            held = min(held, wanted or held)
        if self.options.rtl is not None and not self.rtl_files:
            raise BuildFileError(f"--rtl {self.options.rtl}: there is no .v or .sv file.")

    @cached_property
    def rtl_files(self) -> tuple[Path, ...]:
        """Verilog that the user names in place of ours."""
        return self._exported(".v", ".sv")

    def _exported(self, *suffixes: str) -> tuple[Path, ...]:
        folder = self.options.rtl
        return tuple(sorted(path for path in folder.rglob("*") if path.suffix in suffixes)) if folder else ()

    @cached_property
    def images(self) -> NDArray[np.generic]:
        """The build's images: uint8 or int8 (N, C, H, W); where they go in batches, `options.images` counts these."""
        images = load_file(self.build.folder / "vectors" / "images.safetensors")["images"]
        return images[: self.options.images and self.options.images * self.build.batch]

    @property
    def runs(self) -> int:
        """How often the accelerator runs: once for each of the images, or batch of them."""
        return len(self.images) // self.build.batch

    @cached_property
    def rtl_images(self) -> int:
        """How many images, or batches of them, the RTL runs."""
        default = min(2, self.runs) if self.options.images is None else self.runs
        return self.options.rtl_images or default

    @cached_property
    def tensors(self) -> Mapping[str, NDArray[Any]]:
        """Golden's integers for all images: the input and every layer's output."""
        return {INPUT: self.images, **golden.run(self.network, self.images, keep="all")}

    @cached_property
    def csim(self) -> CsimExecutor:
        """The C-simulations of the unchanged build."""
        return CsimExecutor(self.build, self.work / "csim")

    @cached_property
    def rtl_design(self) -> RtlDesign:
        """The RTL that is tested: our compiler's, or the Verilog that the user names.

        Raises:
            rtl.CompileError: the compiler refuses the C++.
        """
        if self.options.rtl is not None:
            return RtlDesign(self.rtl_files, tables=self._exported(".dat", ".mem"))
        return compile_design(self.build, self.work / "rtl")

    @cached_property
    def rtl(self) -> RtlExecutor:
        """The simulation of the RTL."""
        return RtlExecutor(self.build, self.rtl_design, self.work / "simulation", self.options.waves)
