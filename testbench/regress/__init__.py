"""Regressions: builds x seeds x stall patterns x images under the RTL bench, in parallel and resumable."""

from testbench.regress.junit import junit_xml
from testbench.regress.regression import Options, Report, RunReport, Watcher, run_suite
from testbench.regress.runs import Run
from testbench.regress.simulate import Outcome
from testbench.regress.suite import BuildEntry, Suite, SuiteError, load_suite
from testbench.regress.summary import html_page, json_document
from testbench.regress.workspace import write_file

__all__ = [
    "BuildEntry",
    "Options",
    "Outcome",
    "Report",
    "Run",
    "RunReport",
    "Suite",
    "SuiteError",
    "Watcher",
    "html_page",
    "json_document",
    "junit_xml",
    "load_suite",
    "run_suite",
    "write_file",
]
