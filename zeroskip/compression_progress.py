"""What a person sees while a network is compressed: one line a step, and a bar for the epochs of the step under way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from compression.history import Diverged, EpochDone, LayerCount, Record, Started, StepDone, Tuned, TuningEpoch
from zeroskip.console import progress_console

__all__ = ["Display", "showing_progress"]


class Display:
    """Turns records into lines and a bar.

    Args:
        console: where to write.
        progress: the live part.
        epochs: of each step.
        images: that judge.
    """

    def __init__(self, console: Console, progress: Progress, epochs: int, images: int) -> None:
        self._console, self._progress = console, progress
        self._bar = progress.add_task("measuring", total=epochs)
        self._images = images
        self._settings: dict[str, Any] = {}
        self._dense_macs = 0

    def __call__(self, record: Record) -> None:
        """Show one record."""
        match record:
            case Started():
                self._settings = record.settings
                self._dense_macs = _macs(record.layers)
                self._line(f"dense: {self._share(record.correct)}, at least {self._share(record.required)} is kept")
                if record.teacher_correct is not None:
                    self._line(f"teacher: {self._share(record.teacher_correct)}")
            case EpochDone():
                text = f"step {record.step}, epoch {record.epoch}: loss {record.loss:.4f}"
                self._progress.update(self._bar, description=text, completed=record.epoch)
            case StepDone():
                verdict = "kept" if record.accepted else "taken back"
                self._line(
                    f"step {record.step}: {record.method} {', '.join(record.layers)} at {record.setting:g}: "
                    f"{self._share(record.correct)}, {verdict}; density % {_densities(record.counts)}"
                    f"{self._fewer(_macs(record.counts))}"
                )
            case TuningEpoch():
                text = f"{record.stage}, epoch {record.epoch}: loss {record.loss:.4f}"
                total = self._settings[f"{record.stage}_epochs"]
                self._progress.update(self._bar, description=text, completed=record.epoch, total=total)
            case Tuned():
                verdict = "kept" if record.accepted else "diverged, taken back" if record.diverged else "taken back"
                self._line(f"{record.stage}: {self._share(record.before)} to {self._share(record.correct)}, {verdict}")
            case Diverged():
                self._line(f"step {record.step}: {record.message}; going back to the last step that was kept")
            case _:
                pass  # the result is printed when all is done

    def _line(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _fewer(self, macs: int) -> str:
        """What removing channels has brought; nothing where none was removed."""
        gone = 100 * (1 - macs / max(self._dense_macs, 1))
        return f"; {gone:.1f} % fewer multiplications" if macs < self._dense_macs else ""

    def _share(self, correct: int) -> str:
        return f"{100 * correct / self._images:.2f} %"


def _macs(counts: dict[str, LayerCount]) -> int:
    return sum(each.macs for each in counts.values())


def _densities(counts: dict[str, LayerCount]) -> str:
    return " ".join(f"{name} {100 * each.nonzero / each.weights:.1f}" for name, each in counts.items())


@contextmanager
def showing_progress(epochs: int, images: int) -> Iterator[Callable[[Record], None]]:
    """Yields what a run of so many epochs a step and so many judging images reports to; everything goes to
    stderr, the bar only where that is a terminal."""
    console = progress_console()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Display(console, progress, epochs, images)
