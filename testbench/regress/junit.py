"""A regression as JUnit XML, which CI servers show: a test suite for each build, a test case for each run."""

from itertools import groupby
from xml.etree import ElementTree

from testbench.regress.regression import Report, RunReport

__all__ = ["junit_xml"]


def junit_xml(report: Report) -> str:
    """The report as an XML document.

    A run that failed is a failure; one without a verdict (killed at its time limit, broken) an error; one that was not
    made, because the regression was interrupted, is skipped.
    """
    root = ElementTree.Element("testsuites", name=report.suite.file.stem, time=f"{report.seconds:.3f}")
    _count(root, report.runs)
    for name, group in groupby(report.runs, key=lambda each: each.run.build_name):
        runs = list(group)
        suite = ElementTree.SubElement(root, "testsuite", name=name)
        _count(suite, runs)
        suite.set("time", f"{sum(each.outcome.work.seconds for each in runs if each.outcome):.3f}")
        for each in runs:
            _add_case(suite, each, report)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _count(element: ElementTree.Element, runs: list[RunReport]) -> None:
    statuses = [each.outcome.status if each.outcome else "skipped" for each in runs]
    element.set("tests", str(len(runs)))
    element.set("failures", str(statuses.count("failed")))
    element.set("errors", str(statuses.count("time limit") + statuses.count("broken")))
    element.set("skipped", str(statuses.count("skipped")))


def _add_case(suite: ElementTree.Element, each: RunReport, report: Report) -> None:
    run, outcome = each.run, each.outcome
    case = ElementTree.SubElement(suite, "testcase", classname=run.build_name, name=run.name)
    if outcome is None:
        ElementTree.SubElement(case, "skipped", message="the regression was interrupted before this run")
        return
    case.set("time", f"{outcome.work.seconds:.3f}")
    if outcome.status == "passed":
        return
    kind = "failure" if outcome.status == "failed" else "error"
    element = ElementTree.SubElement(case, kind, type=outcome.status, message=_plain(outcome.detail))
    element.text = f"{_plain(outcome.detail)}\n{run.reproduce(report.suite.file)}"


def _plain(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(character if character.isprintable() else " " for character in text)
