"""The demo is nothing but turns: stopped and called again it comes to the same end."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("altair", reason="the demo extra is not installed")
pytest.importorskip("sklearn", reason="the demo extra is not installed")

from tidemill.faces.demo import run
from tidemill.project import open_project
from tidemill.strategy.check import problems
from tidemill.strategy.decided import digest


@pytest.fixture
def weeks(monkeypatch):
    def of(n: int) -> None:
        monkeypatch.setattr(run, "QUICK", n)

    return of


def test_a_demo_that_was_stopped_goes_on_and_ends_as_one_that_was_not(tmp_path, weeks, capsys):
    weeks(3)
    assert run.run_demo(tmp_path / "whole", quick=True, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["retrains"] == 2
    assert told["turns"]["n"] == 3
    weeks(2)
    run.run_demo(tmp_path / "parts", quick=True)
    weeks(3)
    run.run_demo(tmp_path / "parts", quick=True)
    lines = capsys.readouterr().out
    assert "2013-01-08" in lines
    assert "it cannot be said" in lines
    with open_project(tmp_path / "whole") as whole, open_project(tmp_path / "parts") as parts:
        assert problems(whole.world) == problems(parts.world) == []
        assert digest(whole.world) == digest(parts.world)
    assert (tmp_path / "whole" / "report" / "weeks.png").exists()


def test_the_demo_strategy_is_a_file_anyone_can_read():
    from importlib import resources

    text = resources.files("tidemill.faces.demo").joinpath("strategy.py").read_text("utf-8")
    assert len(text.splitlines()) < 80
    assert "strategy = Strategy(" in text
