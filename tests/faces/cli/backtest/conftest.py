"""A folder with a model and a strategy, and backtests run in it as a user would."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tidemill.faces.report.reference import problems

sys.path.insert(0, str(Path(__file__).parent))

from turning import FAST, SHAPES, STRATEGY, TRAIN


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch) -> Path:
    """A folder with a model and a strategy, as a user has it."""
    (tmp_path / "mine.py").write_text(TRAIN)
    (tmp_path / "shapes.py").write_text(SHAPES)
    (tmp_path / "fortnightly.py").write_text(STRATEGY)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("mine", "shapes"):  # another test has its own, in its own folder
        sys.modules.pop(name, None)


@pytest.fixture
def replay(tidemill):
    """Run a backtest, and return its document."""

    def run(*words: object):
        said = tidemill("backtest", *words, *FAST, "--json")
        assert (said.code, said.err) == (0, "")
        assert list(problems(said.json)) == []
        return said.json

    return run


@pytest.fixture
def refuse(tidemill):
    """Run a backtest that cannot be, and return its one line."""

    def run(*words: object, code: int = 1) -> str:
        said = tidemill("backtest", *words, *FAST)
        assert (said.code, said.out) == (code, ""), said.err
        lines = [line for line in said.err.splitlines() if line.startswith("tidemill: ")]
        assert len(lines) == 1, said.err
        assert " Fix: " in lines[0]
        assert "internal error" not in lines[0]
        return lines[0]

    return run
