"""The processes that do a regression's jobs: Dask's, on this machine or on a cluster.

Dask is imported only here and only when there is work, as it is an extra.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from testbench.regress.digests import code_digest
from testbench.regress.suite import SuiteError
from testbench.regress.workspace import Workspace

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster
    from distributed.client import as_completed

__all__ = ["Workers", "check_dask"]

_PATIENCE = 120  # seconds; a machine that is busy with other things starts its workers late


def check_dask(command: str = "zeroskip regress") -> None:
    """Refuses to begin without Dask; `command` is what needs it.

    Raises:
        SuiteError: it is not installed.
    """
    if find_spec("distributed") is None:
        raise SuiteError(f"{command} needs Dask, which is not installed: pip install 'zeroskip[regress]'.")


class Workers:
    """Worker processes, started when they are asked for and stopped at the end.

    Args:
        count: processes on this machine, of one thread each; None: as many as this process may use cores.
        scheduler: address of the scheduler of a cluster, whose workers are used instead.
        space: where they work; every worker must see its folder at the same path.
    """

    def __init__(self, count: int | None, scheduler: str | None, space: Workspace) -> None:
        self._count = count or len(os.sched_getaffinity(0))
        self._scheduler = scheduler
        self._space = space
        self._cluster: LocalCluster | None = None
        self._client: Client | None = None
        self._starting: futures.Future[Client] | None = None
        self._running: dict[Future[Any], object] = {}
        self._completed: as_completed | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._starting is not None:
            futures.wait([self._starting])
        if self._client is None:
            return
        if kind is not None:
            self.abandon()
        with suppress(TimeoutError):  # workers that were killed, or a machine that is busy; all results are there
            self._client.close(timeout=5)
        if self._cluster is not None:
            with suppress(TimeoutError):
                self._cluster.close(timeout=5)

    @property
    def count(self) -> int:
        """Jobs that can run at a time."""
        if self._client is not None and self._cluster is None:
            threads: dict[str, int] = self._client.nthreads()
            return max(1, sum(threads.values()))
        return self._count

    @property
    def waiting(self) -> int:
        """Jobs that were given and have not ended."""
        return len(self._running)

    def prepare(self) -> None:
        """Begins to start the workers, which takes seconds, and does not wait for them."""
        if self._starting is None:
            starter = futures.ThreadPoolExecutor(1)
            self._starting = starter.submit(self._start)
            starter.shutdown(wait=False)

    def submit(self, label: object, job: Callable[..., object], *arguments: object) -> None:
        """Gives a job to the workers.

        Args:
            label: comes back from :meth:`results` with what the job returns.
            job: a function of an importable module.
            arguments: its arguments.
        """
        self.prepare()
        assert self._starting is not None
        client = self._starting.result()
        future = client.submit(job, *arguments, pure=False)
        self._running[future] = label
        assert self._completed is not None
        self._completed.add(future)

    def results(self) -> Iterator[tuple[object, Any, Exception | None]]:
        """Label, result and exception of every job as it ends, until none is left; more may be given meanwhile."""
        while self._running:
            assert self._completed is not None
            future = next(self._completed)
            label = self._running.pop(future)
            error = future.exception()
            if error is not None and not isinstance(error, Exception):
                raise error
            yield label, None if error else future.result(), error

    def abandon(self) -> None:
        """Ends this machine's workers at once and with them their simulations; a cluster's end theirs by themselves."""
        self._running.clear()
        if self._cluster is not None:
            _kill([nanny.process.pid for nanny in self._cluster.workers.values() if getattr(nanny, "process", None)])

    def _start(self) -> Client:
        import dask
        from distributed import Client
        from distributed.client import as_completed

        dask.config.set({"distributed.comm.timeouts.connect": f"{_PATIENCE}s"})
        if self._scheduler is None:
            self._client = Client(self._local_cluster(), timeout=_PATIENCE)
        else:
            self._client = self._connected(self._scheduler)
        self._completed = as_completed(loop=self._client.loop)
        return self._client

    def _local_cluster(self) -> LocalCluster:
        from distributed import LocalCluster

        self._cluster = LocalCluster(
            n_workers=self._count,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            memory_limit=0,  # the memory is the simulators', which Dask neither sees nor could free
            local_directory=str(self._space.scratch),
            silence_logs=50,
        )
        return self._cluster

    def _connected(self, scheduler: str) -> Client:
        from distributed import Client

        try:
            client = Client(scheduler, timeout=10)
            client.wait_for_workers(1, timeout=_PATIENCE)
        except (OSError, TimeoutError, ValueError) as error:
            raise SuiteError(f"--scheduler {scheduler}: there is no Dask scheduler with workers ({error}).") from None
        ours = code_digest("testbench", "rtl", "golden")
        for worker, (digest, seen) in client.run(_look_around, self._space.folder).items():
            if digest != ours:
                raise SuiteError(f"--scheduler {scheduler}: {worker} runs another zeroskip; install this one there.")
            if not seen:
                raise SuiteError(
                    f"--scheduler {scheduler}: {worker} does not see {self._space.folder}; share that folder."
                )
        return client


def _kill(pids: Iterable[int | None]) -> None:
    """Returns when these processes are gone, so that nothing is written after."""
    import psutil  # type: ignore[import-untyped]

    processes = [psutil.Process(pid) for pid in pids if pid and psutil.pid_exists(pid)]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=_PATIENCE)


def _look_around(folder: Path) -> tuple[str, bool]:
    return code_digest("testbench", "rtl", "golden"), folder.is_dir()
