"""Every command and every line of Python in docs/backtest.md runs, and says what it says."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
from pathlib import Path

import pytest

from tidemill.faces.cli import main

GUIDE = (Path(__file__).parents[2] / "docs" / "backtest.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(python|console)\n(.*?)```", GUIDE, flags=re.DOTALL)


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A reader's folder, in which nothing is."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("model", None)


def run(command: str) -> str:
    words = shlex.split(command.removeprefix("$ "))
    assert words[0] == "tidemill"
    more = ["--workers", "1"] if words[1] == "backtest" else []
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*words[1:], *more])
    assert code == 0, f"{command}\n{out.getvalue()}\n{err.getvalue()}"
    return out.getvalue()


def test_the_guide_runs_from_top_to_bottom(reader, capsys):
    said, made = [], set()
    for language, text in BLOCKS:
        if text.startswith("# "):  # a file that the reader writes
            (reader / text.splitlines()[0].removeprefix("# ")).write_text(text)
        elif language == "python":
            exec(compile(text, "backtest.md", "exec"), {})
        else:
            said += [run(line) for line in text.splitlines() if line.startswith("$ ")]
        made |= {p.name for p in reader.iterdir()}
    assert len(said) == 4
    assert "Nothing hinders a backtest" in said[0]
    promised = re.search(r"```text\n(.*?) by \.\.\.", GUIDE, flags=re.DOTALL)
    assert promised is not None
    assert promised[1] in " ".join(said[1].split())
    assert '"schema": "tidemill.backtest/1"' in said[3]
    assert promised[1] in capsys.readouterr().out  # in Python, too
    assert made - {"__pycache__"} == {"orders.parquet", "report.html", "model.py"}
