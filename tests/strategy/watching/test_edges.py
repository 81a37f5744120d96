"""What services counted at the edge is watched like records, once, and never beside them."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from tidemill.core.errors import NotFound
from tidemill.measures.edge import EdgeProfile
from tidemill.measures.grid import Grid
from tidemill.strategy.check import problems
from tidemill.strategy.decided import digest
from tidemill.strategy.importing_profiles import profiles as take_in
from tidemill.strategy.turn import Turn
from tidemill.strategy.watching.edges import counted

from .conftest import DAY, START


def edge_of(life, **how):
    return EdgeProfile(life.mill.profile(), **how)


def day(life, folder, *, rows=400, move=0.0, missing=0.0, writer="api", sequence=1, parts=1):
    """Serve a day that only the edge counts; returns its files, and lets the day pass."""
    edge, start = edge_of(life, writer=writer, sequence=sequence), START + life.day * DAY
    made = []
    for part in range(parts):
        x = life.rng.normal(size=rows // parts) + move
        gone = life.rng.random(x.size) < missing
        values = [None if g else float(v) for g, v in zip(gone, x, strict=True)]
        edge.add_batch({"x": values, "c": ["ab"[k % 2] for k in range(x.size)]})
        at = start + DAY * part / parts
        made.append(edge.save(folder, start=at, end=at + DAY / parts))
    life.day += 1
    life.clock.move_to(START + life.day * DAY + timedelta(hours=1))
    return made


def windows(life):
    mill = life.mill
    now = life.clock.now()
    turn = Turn(world=mill.world, strategy=mill.strategy, now=now, marks=mill.strategy.marks)
    return {f"{s:%m-%d}": one for s, one in counted(turn, START, now).items()}


def test_days_that_only_the_edge_counted_drift_and_lack_values(live, points, tmp_path) -> None:
    life = live('NullRate("x", at_most=0.05), RowCount(at_least=100), Duplicates()')
    for _ in range(14):
        life.serve()
    life.steps()
    for k in range(2):
        move, missing = (2.0, 0.3) if k == 1 else (0.0, 0.0)
        files = day(life, tmp_path, move=move, missing=missing, sequence=1 + 2 * k, parts=2)
        assert life.mill.import_profiles(files).accepted == 2
        life.steps()
    drift = points(life.mill, "drift", column="x")
    assert [drift[d]["verdict"] for d in ("01-15", "01-16")] == ["OK", "ALERT"]
    assert drift["01-16"]["n"] == 400
    nulls, rows = points(life.mill, "null_rate", cohort=""), points(life.mill, "row_count")
    assert nulls["01-15"]["value"] == 0
    assert (nulls["01-16"]["verdict"], round(nulls["01-16"]["value"], 1)) == ("ALERT", 0.3)
    assert [rows[d]["value"] for d in ("01-14", "01-16")] == [120, 400]
    lone = points(life.mill, "duplicates", cohort="")[
        "01-16"
    ]  # no record: it cannot be told, and says so
    assert (lone["verdict"], "counted at the edge" in lone["why"]) == ("NO_VERDICT", True)
    assert problems(life.mill.world) == []


def test_a_file_counts_once_and_never_beside_the_records_of_its_window(live, tmp_path) -> None:
    life = live()
    for _ in range(8):
        life.serve()
    life.steps()
    small = day(life, tmp_path, rows=60, writer="small")
    life.day -= 1
    life.serve()  # the same day, logged: 120 records
    large = day(life, tmp_path, rows=400, writer="large", parts=4)
    life.mill.import_profiles([*small, *large[:2]])
    before = digest(life.mill.world)
    again = life.mill.import_profiles([*large[:2], *small])
    assert (again.accepted, again.already, digest(life.mill.world)) == (0, 3, before)
    again = life.mill.import_profiles(large[1:])  # the series overlaps
    assert (again.accepted, again.already) == (2, 1)
    life.steps()
    found = windows(life)
    assert [(w.logged, w.at_edge, w.edge, w.whole.rows) for w in (found["01-09"], found["01-10"])] == [
        (120, 60, False, 120),
        (0, 400, True, 400),
    ]  # fmt: skip
    assert problems(life.mill.world) == []


def test_what_cannot_be_counted_for_sure_is_refused_with_why(live, tmp_path) -> None:
    life = live()
    with pytest.raises(NotFound, match="nothing was profiled"):
        life.mill.profile()
    for _ in range(3):
        life.serve()
    life.steps()
    midnight = START + 2 * DAY

    def told(edge, start=midnight, end=midnight + DAY):
        edge.add({"x": 1.0, "c": "a"})
        content = edge.to_profile(start=start, end=end).to_bytes()
        counts = take_in(life.mill.world, life.mill.strategy, {"f": content})
        assert (counts.accepted, counts.quarantined) == (0, 1)
        return next(iter(counts.reasons))

    assert "which time it is of" in told(edge_of(life), None, None)
    assert "begin at 2024-01-03" in told(edge_of(life), midnight, midnight + 1.2 * DAY)
    assert "a time to come" in told(edge_of(life), midnight + 9 * DAY, midnight + 9.5 * DAY)
    assert "another grid" in told(EdgeProfile({"x": Grid(5.0, 1.0)}))
    assert "'x' is a category, and a number" in told(EdgeProfile({}, categories=["x"]))
    counts = take_in(life.mill.world, life.mill.strategy, {"f": b"tidemill profile 1\nxx"})
    assert "damaged" in next(iter(counts.reasons))


def test_a_project_may_have_nothing_but_the_edge(live, tmp_path) -> None:
    life = live("RowCount(at_least=1)", rows=10)
    grid = Grid.around(np.random.default_rng(1).normal(size=500))
    for k in range(6):
        edge = EdgeProfile({"x": grid}, categories=["c"], writer="api", sequence=k + 1)
        edge.add_batch({"x": life.rng.normal(size=300), "c": ["a"] * 300})
        start = START + k * DAY
        life.clock.move_to(start + DAY + timedelta(hours=1))
        life.mill.import_profiles([edge.save(tmp_path, start=start, end=start + DAY)])
        life.steps()
    found = life.mill.signals("drift", column="x").to_pylist()
    assert [(r["n"], r["value"] is None) for r in found] == [(300, True)] * 5 + [(300, False)]
    assert life.mill.signals("row_count")["value"].to_pylist() == [300.0] * 6
    assert problems(life.mill.world) == []
