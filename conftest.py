"""For the tests and for the examples in docstrings: a small open project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tidemill.core.clock import ReplayedClock, instant
from tidemill.project import Mill, create_project, open_project

STRATEGY = """
from tidemill import Strategy
from tidemill.loop.training.function import always_the_mean
strategy = Strategy(training=always_the_mean)
"""


@pytest.fixture
def mill(tmp_path: Path) -> Iterator[Mill]:
    """Open a project with nothing in it, under a clock that stands still."""
    folder = create_project(tmp_path / "mill", strategy=STRATEGY, salt="test")
    with open_project(folder, clock=ReplayedClock(instant("2024-01-01"))) as opened:
        yield opened
