"""In CI a skipped test is a failure, unless its reason is expected here."""

from __future__ import annotations

import os
import re

import pytest

# A reason that matches one of these may skip in CI too; each says why.
EXPECTED_SKIPS = (
    r"^no \.\./shared/data",  # sample data lies beside the repository, not in it
)

_unexpected: dict[str, str] = {}


def _note(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not os.environ.get("CI") or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if not any(re.search(expected, reason) for expected in EXPECTED_SKIPS):
        _unexpected[report.nodeid] = reason


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _note(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    _note(report)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if _unexpected and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _unexpected:
        terminalreporter.section("skipped, which in CI is a failure", red=True, bold=True)
        for node, reason in sorted(_unexpected.items()):
            terminalreporter.line(f"{node}: {reason}")
