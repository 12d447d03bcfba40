"""Boards: what an FPGA board offers, read from a board file."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

__all__ = ["DDR_SHARE", "Board", "BoardError", "board_names", "load_board"]

DDR_SHARE = 0.8
"""Of the DDR's bandwidth that is taken to be there."""


class BoardError(ValueError):
    """An unknown board or a wrong board file; one sentence."""


class Board(BaseModel):
    """A board's programmable logic and memory.

    Units: counts of primitives; BRAM in blocks of 36 Kbit, URAM in blocks of 288 Kbit; DDR in GB/s (10^9).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="board name, as given to --board")
    part: str = Field(description="device, as Vivado names it")
    source: str = Field(description="where the figures come from")
    luts: int = Field(gt=0)
    flip_flops: int = Field(gt=0)
    dsps: int = Field(gt=0)
    bram36: int = Field(gt=0)
    uram: int = Field(ge=0)
    ddr_gb_per_s: float = Field(gt=0)
    clock_mhz: float = Field(gt=0, description="clock that the figures assume when none is given")

    def ddr_bytes_per_clock(self, clock_mhz: float) -> float:
        """What the DDR is taken to deliver in a clock, to a thousandth of a byte."""
        return round(DDR_SHARE * self.ddr_gb_per_s * 1e3 / clock_mhz, 3)


def _folder() -> Path:
    return Path(str(files("generator"))) / "board_files"


def board_names() -> list[str]:
    """Names of the boards that come with the generator."""
    return sorted(path.stem for path in _folder().glob("*.json"))


def load_board(name: str) -> Board:
    """The board `name`, or the one described in the JSON file of that path.

    Raises:
        BoardError: no such board, or a file with a missing, unknown or wrong field (named).
    """
    path = Path(name) if name.endswith(".json") else _folder() / f"{name}.json"
    if not name.endswith(".json") and name not in board_names():
        raise BoardError(f"unknown board '{name}': give one of {', '.join(board_names())}, or a board file (.json)")
    try:
        return Board.model_validate_json(path.read_text())
    except OSError as error:
        raise BoardError(f"board file {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "content"
        raise BoardError(f"board file {path}: field '{field}': {first['msg']}") from error
