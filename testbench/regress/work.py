"""Time that a job takes on a worker."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel, ConfigDict

__all__ = ["Work", "measured"]


class Work(BaseModel):
    """What a job cost.

    Attributes:
        seconds: from its start to its end.
        cpu_seconds: user and system time of the job and of the programs that it ran, which may run on several cores.
    """

    model_config = ConfigDict(extra="forbid")

    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def busy_seconds(self) -> float:
        """Core time that the job kept busy: a compilation by several compilers counts each of them."""
        return max(self.seconds, self.cpu_seconds)


@contextmanager
def measured() -> Iterator[Work]:
    """Measures what runs inside; the numbers are there afterwards. Right for a worker of one thread."""
    work = Work()
    start, cpu = time.perf_counter(), _cpu_seconds()
    try:
        yield work
    finally:
        work.seconds, work.cpu_seconds = time.perf_counter() - start, _cpu_seconds() - cpu


def _cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.thread_time() + children.ru_utime + children.ru_stime
