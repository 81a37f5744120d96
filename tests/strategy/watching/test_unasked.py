"""A cohort or a projection that these records cannot be asked: what else is asked is answered, and it is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tidemill.faces.cli import main
from tidemill.project import open_project

PROJECTIONS = (
    'projections=[Projection("gone", lambda r: r.f_no), Projection("x2", lambda r: r.f_x)],'
)


@pytest.fixture
def life(live: Any) -> Any:
    made = live(rows=60)
    made.mill.close()
    path = made.folder / "strategy.py"
    text = path.read_text().replace("r.f_x < 0", "r.f_no < 0")
    path.write_text(text.replace("trigger=", PROJECTIONS + " trigger="))
    made.mill = open_project(made.folder, clock=made.clock)
    for _ in range(2):
        made.serve()
        made.steps()
    return made


def test_what_cannot_be_asked_says_so_in_its_points_and_beside_an_answer(
    life: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    points = life.mill.signals("accuracy").to_pylist()
    low = {p["why"] for p in points if p["cohort"] == "low"}
    assert len(low) == 1
    assert "cohort 'low' cannot be asked" in low.pop()
    assert all(p["verdict"] == "NO_VERDICT" for p in points if p["cohort"] == "low")
    assert any(p["value"] is not None for p in points if p["cohort"] == "")
    at = str(life.folder)
    life.mill.close()
    question = "select count(x2) as n from records"
    assert main(["sql", question, "--project", at, "--json"]) == 0
    told = capsys.readouterr()
    said = json.loads(told.out)
    assert said["rows"] == [{"n": 120}]
    assert list(said["left_out"]) == ["gone"]
    assert "projection 'gone' is not in records: " in told.err
