"""What `regress` shows while it runs."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from testbench.regress import Outcome, Run

__all__ = ["RegressProgress"]


class RegressProgress:
    """A bar with what is being done and how many runs failed; each failure is named above the bar.

    Args:
        console: where it is shown; on one that is no terminal, only the failures are.
    """

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[failed]} not passed"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._console = console
        self._task: TaskID = self._bar.add_task("starting ..", total=None, failed=0)
        self._failed = 0

    def __enter__(self) -> "RegressProgress":
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def stage(self, text: str) -> None:
        """Shows what is being done now."""
        self._bar.update(self._task, description=text)

    def planned(self, runs: int, kept: int) -> None:
        """Sets the bar's length; kept outcomes count as done."""
        self._bar.update(self._task, total=runs, completed=kept)

    def ended(self, run: Run, outcome: Outcome) -> None:
        """Moves the bar on; names a run that did not pass as soon as that is known."""
        if outcome.status != "passed":
            self._failed += 1
            line = f"{outcome.status}: {run.name}: {outcome.detail}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._bar.update(self._task, advance=1, failed=self._failed)
