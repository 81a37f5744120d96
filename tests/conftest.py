"""In CI a skipped test is a failure, unless its reason is expected here."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


# ------------------------------------------------------- servers, started when first asked for


def _servers() -> Any:
    if "servers" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "servers", Path(__file__).parent / "servers.py"
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules["servers"] = module
        spec.loader.exec_module(module)
    return sys.modules["servers"]


@pytest.fixture(scope="session")
def servers() -> Any:
    return _servers()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A real PostgreSQL server, one for each process of the test run."""
    server = _servers().Postgres()
    yield server
    server.close()


@pytest.fixture(scope="session")
def object_store() -> Iterator[Any]:
    """A server that speaks S3."""
    server = _servers().ObjectStore()
    yield server
    server.close()
