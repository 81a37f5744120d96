"""One small project lived twice, once with each engine, and asked what people ask."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tidemill.core.clock import ReplayedClock
from tidemill.core.errors import BadInput
from tidemill.faces.cli.app import main
from tidemill.project import CONFIG, create_project
from tidemill.strategy.backtest.given import of_project
from tidemill.strategy.check import problems
from tidemill.strategy.decided import decided

ENGINES = {"duckdb": "", "spark": '\n[engine]\nkind = "spark"\n'}
PLOT = "labeller"
"""Records that come late, labels from a function, incidents, a message, profiles of the edge."""
_STAMPED = {"records": ["available_at"], "labels": ["available_at", "paid_at"]}
_ORDER = [("predicted_at", "ascending"), ("record_id", "ascending")]
QUERIES = (
    "select record_id, x, score, label, weight, feedback from records order by record_id limit 40",
    "select state, count(*) as n, max(last) as last from incidents group by state order by state",
    'select metric, "column", starts_at, value, verdict from signals order by 3, 1, 2 nulls last, 4 nulls last limit 60',
    "select count(*) as n from labels l join feedback f on l.record_id = f.record_id",
)


def _stories() -> Any:
    if "crash_story" not in sys.modules:
        path = Path(__file__).parents[1] / "scenarios/crash_story.py"
        spec = importlib.util.spec_from_file_location("crash_story", path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["crash_story"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["crash_story"]


def live(root: Path, engine: str) -> Any:
    """Let a project live through its story, and return it open."""
    stories = _stories()
    tale = stories.Tale(root=root, plot=PLOT, clock=ReplayedClock(stories.START))
    create_project(tale.project, strategy=stories._strategy(tale), salt="crash")
    with (tale.project / CONFIG).open("a") as config:
        config.write('\n[channels]\ntold = "file:told.jsonl"\n' + ENGINES[engine])
    return stories.tell(root, PLOT)


def both_live_alike(folder: Path, capsys: Any) -> None:
    """Hold every answer of one project to those of the other."""
    (one, other) = (live(folder / engine, engine) for engine in ENGINES)
    assert type(other.mill.world.engine).__name__ == "SparkEngine"
    known, found = (decided(tale.mill.world) for tale in (one, other))
    assert known["journal"].keys() == found["journal"].keys()
    assert known == found
    assert known["tables"]["signals"][0] > 10
    assert [problems(t.mill.world) for t in (one, other)] == [[], []]
    told = [_told(tale) for tale in (one, other)]
    assert told[0] == told[1]
    histories = [of_project(tale.mill.world, title="it").history for tale in (one, other)]
    # What comes right after a turn is stamped a microsecond after it, however many turns there were.
    for name in ("records", "labels"):
        rows = [h.tables[name].drop_columns([*_STAMPED[name]]).sort_by(_ORDER) for h in histories]
        assert rows[0].equals(rows[1])
        assert rows[0].num_rows > 40
    for query in QUERIES:
        rows = [tale.mill.sql(query).to_pylist() for tale in (one, other)]
        assert rows[0] == rows[1]
        assert rows[0]
    for query in (
        "drop view records",
        "select 1; select 2",
        "select reflect('a', 'b')",
        "select no",
    ):
        with pytest.raises(BadInput):
            other.mill.sql(query)
    for words in (["status"], ["metrics"], ["rows", "--incident", "i1"]):
        said = [_said(capsys, tale, *words) for tale in (one, other)]
        assert said[0] == said[1]
    for tale in (one, other):
        tale.close()


def _told(tale: Any) -> Any:
    """Return what is due an hour and a week later."""
    found = []
    for later in (timedelta(hours=1), timedelta(days=7)):
        tale.clock.move_to(tale.clock.now() + later)
        plan = tale.mill.plan()
        # Not its number: how many looks there were depends on how long fits took.
        found.append([(s.stage, s.target, s.why) for s in plan.steps])
    assert found[1]
    return found


def _said(capsys: Any, tale: Any, *words: str) -> Any:
    """Return what a command answers."""
    capsys.readouterr()
    code = main([*words, "--project", str(tale.project), "--json"])
    out, err = capsys.readouterr()
    assert code in (0, 4), err
    return json.loads(re.sub(r'seconds": [^,}]+', 'seconds": 0', out.replace(str(tale.root), "")))
