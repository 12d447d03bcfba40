"""Runs an exploration: estimates of many configurations on Dask's workers, each kept as soon as it is there."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

import generator
import golden
from generator.boards import Board
from generator.exploration import Outcome, Point
from testbench.regress.digests import code_digest, file_digest
from testbench.regress.workers import Workers, check_dask
from testbench.regress.workspace import Workspace, write_file
from zeroskip.errors import InputError, bad_input, sentence
from zeroskip.pipeliner import KeptStages

__all__ = ["Job", "evaluate", "open_folder", "run_points"]

_MARKER = "explore.json"
_FORMAT = {"format": "zeroskip-explore", "version": 1}


@dataclass(frozen=True)
class Job:
    """What all points of an exploration share.

    Attributes:
        description: the network's; every worker must see it at the same path, and `folder` too.
        board: a name, or the path of a board file.
        folder: where outcomes are kept, by a hash of all that they depend on.
        digest: the hash, but for the point.
    """

    description: Path
    board: str
    folder: Path
    digest: str

    @staticmethod
    def of(description: Path, board_name: str, board: Board, folder: Path) -> "Job":
        """The job, hashed."""
        files = [path for path in (description, description.with_suffix(".safetensors")) if path.is_file()]
        code = code_digest("generator", "hls_templates", "golden", "rtl")
        parts = [code, board.model_dump_json(), *map(file_digest, files)]
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        return Job(description.resolve(), board_name, folder.resolve(), digest)

    def file(self, point: Point) -> Path:
        """Where a point's outcome is kept."""
        key = hashlib.sha256(f"{self.digest}\0{point.model_dump_json()}".encode()).hexdigest()[:32]
        return self.folder / "points" / f"{key}.json"

    def kept(self, point: Point) -> Outcome | None:
        """The point's outcome, if it is there."""
        try:
            return Outcome.model_validate_json(self.file(point).read_bytes())
        except (OSError, ValidationError):
            return None


def open_folder(folder: Path) -> None:
    """Makes an exploration's folder, or opens an earlier one's.

    Raises:
        InputError: it holds something else.
        OSError: it cannot be made.
    """
    marker = folder / _MARKER
    if folder.exists() and not marker.is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: holds other files; name a folder of the exploration's own.")
    (folder / "points").mkdir(parents=True, exist_ok=True)
    if not marker.is_file():
        write_file(marker, json.dumps(_FORMAT) + "\n")


@lru_cache(maxsize=1)
def _network(description: Path, digest: str) -> golden.Network:
    del digest  # another description at the same path is another network
    return golden.load(description)


def evaluate(job: Job, point: Point) -> Outcome:
    """The outcome of a point, which is also kept; runs in a worker."""
    options = generator.EstimateOptions(**vars(point.sizes), clock_mhz=point.clock_mhz, pipeliner=KeptStages())
    try:
        found = generator.estimate(_network(job.description, job.digest), job.board, options)
        outcome = Outcome.of(point, found)
    except generator.NoFitError as error:
        outcome = Outcome(point=point, status="does not fit", reason=sentence(error))
    except bad_input() as error:
        outcome = Outcome(point=point, status="cannot run", reason=sentence(error))
    write_file(job.file(point), outcome.model_dump_json() + "\n")
    return outcome


def run_points(
    job: Job,
    points: Sequence[Point],
    workers: int | None,
    scheduler: str | None,
    ended: Callable[[Outcome], None],
) -> None:
    """Evaluates points; `ended` is told of each as it ends.

    Args:
        workers: processes on this machine; None: one a core.
        scheduler: address of a Dask cluster's, whose workers are used instead.

    Raises:
        SuiteError: no Dask, or no such cluster.
        RuntimeError: a worker broke; points that are done are kept.
    """
    if not points:
        return
    check_dask("zeroskip explore")
    with Workers(workers, scheduler, Workspace(job.folder)) as pool:
        for point in points:
            pool.submit(point, evaluate, job, point)
        for label, outcome, error in pool.results():
            if error is not None:
                assert isinstance(label, Point)
                raise RuntimeError(f"{label.name}: {error}") from error
            ended(outcome)
