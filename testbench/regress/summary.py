"""A regression as one JSON document and as one HTML page, which needs neither scripts nor a network."""

from collections import Counter
from pathlib import Path

import jinja2

from testbench.regress.regression import Report, RunReport

__all__ = ["html_page", "json_document"]


def json_document(report: Report) -> dict[str, object]:
    """The report for programs: verdict, times, and every run."""
    return {
        "suite": str(report.suite.file),
        "passed": report.passed,
        "interrupted": report.interrupted,
        "counts": _counts(report),
        "kept": sum(each.kept for each in report.runs),
        "seconds": round(report.seconds, 3),
        "workers": report.workers,
        "busy_share": round(report.busy_share, 4),
        "cpu_share": round(report.cpu_share, 4),
        "runs": [_run(each, report) for each in report.runs],
        "coverage": report.coverage.model_dump() if report.coverage else None,
    }


def html_page(report: Report) -> str:
    """The report for people. Anchors filter its table: CSS shows what the address' fragment names."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = {name: f"build{number}" for number, name in enumerate(report.builds)}
    rows = [(each, _status(each), names[each.run.build_name], _reproduce(each, report)) for each in report.runs]
    tallies = {name: Counter(status for each, status, _, _ in rows if each.run.build_name == name) for name in names}
    page: str = environment.get_template("summary.html.j2").render(
        report=report, title=report.suite.file.stem, counts=_counts(report), names=names, rows=rows, tallies=tallies
    )
    return page


def _counts(report: Report) -> dict[str, int]:
    found = Counter(_status(each) for each in report.runs)
    return {status: found[status] for status in ("passed", "failed", "time limit", "broken", "not run")}


def _status(each: RunReport) -> str:
    return each.outcome.status if each.outcome else "not run"


def _reproduce(each: RunReport, report: Report) -> str:
    return each.run.reproduce(report.suite.file) if each.outcome and each.outcome.status != "passed" else ""


def _run(each: RunReport, report: Report) -> dict[str, object]:
    run, outcome = each.run, each.outcome
    return {
        "run": run.name,
        "digest": run.digest,
        "status": _status(each),
        "kept": each.kept,
        "detail": outcome.detail if outcome else "",
        "cycles": outcome.cycles if outcome else None,
        "seconds": round(outcome.work.seconds, 3) if outcome else None,
        "shares": dict(run.shares),
        "reproduce": _reproduce(each, report),
    }
