"""`zeroskip regress`: a suite of simulations, in parallel and resumable."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from testbench.regress import Options, Report, html_page, json_document, junit_xml, load_suite, run_suite, write_file
from zeroskip.console import JsonOption, print_json, progress_console
from zeroskip.regress_progress import RegressProgress
from zeroskip.suite_builds import generate_entry

__all__ = ["regress"]

INTERRUPTED_EXIT_CODE = 130


def regress(
    file: Annotated[Path, typer.Argument(metavar="SUITE", help="Suite (TOML).")],
    only: Annotated[list[str] | None, typer.Option(metavar="RUN", help="This run alone, or those like 'a/*'.")] = None,
    waves: Annotated[bool, typer.Option("--waves", help="Record waves; goes with --only.")] = False,
    coverage: Annotated[bool, typer.Option("--coverage", help="Count line and toggle coverage.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run everything anew.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; one a core by default.")] = None,
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help="A Dask cluster's scheduler.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate builds under seeds, stall patterns and images; what is done and unchanged is not run again."""
    if waves and not only:
        raise typer.BadParameter("--waves needs --only RUN: waves of every run would fill the disk.")
    suite = load_suite(file)
    options = Options(workers, scheduler, tuple(only or ()), waves, coverage, fresh)
    with _terminated_as_interrupted(), RegressProgress(progress_console()) as progress:
        report = run_suite(suite, options, generate_entry, progress)
    if not only:
        _write_reports(report)
    if as_json:
        print_json(json_document(report))
    else:
        _print(report, options)
    if report.interrupted:
        raise typer.Exit(INTERRUPTED_EXIT_CODE)
    if not report.passed:
        raise typer.Exit(1)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """A CI server cancels a job by SIGTERM; it too shall get the reports on what was done."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _write_reports(report: Report) -> None:
    write_file(report.folder / "junit.xml", junit_xml(report))
    write_file(report.folder / "summary.html", html_page(report))
    write_file(report.folder / "summary.json", json.dumps(json_document(report), indent=1) + "\n")
    if report.coverage is not None:
        write_file(report.folder / "coverage.json", report.coverage.model_dump_json(indent=1) + "\n")


def _print(report: Report, options: Options) -> None:
    for each in report.failures:
        assert each.outcome is not None
        typer.echo(f"{each.outcome.status:<10}  {each.run.name}: {each.outcome.detail}")
        typer.echo(f"            {each.run.reproduce(report.suite.file)}")
    passed, kept = len(report.with_status("passed")), sum(each.kept for each in report.runs)
    typer.echo(f"{passed} of {len(report.runs)} runs passed, {len(report.failures)} did not; {kept} were kept.")
    if report.busy_seconds:
        typer.echo(
            f"{report.seconds:.1f} s on {report.workers} workers, busy {report.busy_share:.1%} of their time "
            f"({report.cpu_share:.1%} with a processor)."
        )
    if report.coverage is not None:
        typer.echo(f"{report.coverage.hit} of {report.coverage.lines} lines of C++ were hit.")
    if options.waves:
        for each in report.runs:
            typer.echo(f"waves: {report.folder / 'runs' / each.run.name / 'waves.fst'}")
    if not options.only:
        typer.echo(f"{report.folder / 'summary.html'}")
    if report.interrupted:
        typer.echo(f"interrupted; the same command makes the {len(report.missing)} runs that are missing.")
