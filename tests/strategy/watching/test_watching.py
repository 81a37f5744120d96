"""What a look measures, judges and opens, on a history whose faults are known."""

from __future__ import annotations

import json
from datetime import timedelta

import pyarrow.compute as pc
import pytest

from tidemill.core.as_of import AsOf
from tidemill.core.errors import BadInput, NotFound
from tidemill.measures.profile import Profile, merge, of_table
from tidemill.monitoring.quality import NullRate
from tidemill.monitoring.quality.ranking import ranked
from tidemill.strategy.check import problems
from tidemill.strategy.turn import run_once
from tidemill.strategy.watching import proving, telling
from tidemill.strategy.watching.past import Past

from .conftest import day

NULLS = 'NullRate("x", at_most=0.05), InRange("nowhere", low=0, high=1)'


def looked(mill) -> int:
    return (mill.world.state.fact("watched") or {"sequence": 0})["sequence"]


def test_a_burst_of_nulls_is_an_incident_with_its_rows_until_it_is_over(live, points) -> None:
    life = live(NULLS)
    for k in range(26):
        life.serve(missing=0.3 if k in (20, 21) else 0.0)
    assert [s.target for s in life.steps()] == ["watched"]
    (found,) = telling.incidents(life.mill.world, all_=True)
    assert (found["kind"], found["metric"], found["column"]) == ("quality", "null_rate", "x")
    assert (found["onset"][:10], found["last"][:10], found["state"]) == (
        "2024-01-21",
        "2024-01-22",
        "closed",
    )
    rows = life.mill.sql("select record_id, x from records where x is null")
    assert found["rows"]
    assert set(found["rows"]) <= set(rows["record_id"].to_pylist())
    assert any(s["kind"] == "drift" and s["column"] == "x" for s in found["signals"])
    # The column that is not there broke alone, and says so.
    broken = points(life.mill, "out_of_range", cohort="")
    assert {(p["verdict"], p["said"]) for p in broken.values()} == {
        ("NO_VERDICT", "the records have no column 'nowhere'.")
    }
    assert points(life.mill, "null_rate", cohort="")["01-05"]["verdict"] in ("OK", "NO_VERDICT")
    assert problems(life.mill.world) == []


def test_a_look_that_is_repeated_changes_nothing(live) -> None:
    life = live(NULLS)
    for _ in range(8):
        life.serve()
    life.steps()
    before = life.mill.signals().to_pylist()
    assert looked(life.mill) == 1
    assert run_once(life.mill.world, life.mill.strategy).steps == ()
    assert life.steps() == []
    assert (life.mill.signals().to_pylist(), looked(life.mill)) == (before, 1)


def test_late_labels_open_exactly_their_windows_again(live, points) -> None:
    life = live()
    tables = [life.serve(labels=k != 4) for k in range(9)]
    life.steps()
    assert points(life.mill, "accuracy", cohort="")["01-05"]["n"] == 0
    life.clock.move_to(life.clock.now() + timedelta(minutes=1))
    life.label(tables[4])
    life.steps()
    seen = AsOf(life.mill.world.events, life.mill.world.engine, life.clock.now())
    rows = seen.table("signals").filter(lambda r: r.metric == "accuracy")
    last = seen.arrow(rows.filter(rows.available_at == rows.available_at.max()))
    assert {f"{t:%m-%d}" for t in last["predicted_at"].to_pylist()} == {"01-05"}
    found = points(life.mill, "accuracy", cohort="")["01-05"]
    table = tables[4]
    assert found["n"] == 120
    assert found["value"] == pytest.approx(
        pc.mean(pc.equal(table["label"], table["output"]).cast("float64")).as_py()
    )
    assert found["low"] < found["value"] < found["high"]


def test_parts_of_a_profile_are_the_profile_of_all_its_rows(live) -> None:
    life = live()
    first = life.serve()
    life.steps()
    late = life.serve()
    life.steps()
    # What arrives late for the first day is a part more of its profile.
    more = late.slice(0, 40)
    ids = [f"late-{k}" for k in range(40)]
    more = more.set_column(0, "record_id", [ids]).set_column(
        1, "at", [first["at"].to_pylist()[:40]]
    )
    from tidemill.loop.log.columns import Columns

    columns = Columns(time="at", output="output")
    life.clock.move_to(life.clock.now() + timedelta(minutes=1))
    life.mill.import_records(more.drop_columns(["label", "came"]), columns, source="late")
    life.steps()
    view = AsOf(life.mill.world.events, life.mill.world.engine, life.clock.now())
    parts = view.arrow(
        view.table("profiles", until=first["at"][-1].as_py()).order_by("available_at")
    )
    assert parts.num_rows == 2
    whole = merge(*(Profile.from_bytes(p) for p in parts["profile"].to_pylist()))
    rows = life.mill.sql("select x from records where predicted_at < '2024-01-02'")
    assert whole.rows == rows.num_rows == 160
    grids = {"x": whole.grids["f_x"]}
    assert whole.columns["f_x"] == of_table(rows, grids=grids).columns["x"]


def test_a_model_that_turns_wrong_is_found_and_what_was_bad_does_not_hide_the_next(live) -> None:
    life = live()
    for k in range(32):
        life.serve(wrong=k in (24, 26))
    life.steps()
    found = telling.incidents(life.mill.world, all_=True)
    bad = {s["start"][:10] for i in found for s in i["signals"] if s["metric"] == "accuracy"}
    assert bad == {"2024-01-25"}
    points = life.mill.signals("accuracy", cohort="").to_pylist()
    alerts = {f"{p['start']:%m-%d}" for p in points if p["verdict"] == "ALERT"}
    assert alerts == {"01-25", "01-27"}
    # A better model wakes nobody: the days after were far above what the bad ones had shown.
    assert all(i["state"] == "closed" for i in found)


def test_a_shift_is_found_on_its_days_and_nothing_else_is(live, points) -> None:
    life = live(rows=400)
    for k in range(28):
        life.serve(move=1.5 if k in (22, 23) else 0.0)
    life.steps()
    drift = points(life.mill, "drift", column="x")
    assert {d for d, p in drift.items() if p["verdict"] == "ALERT"} == {"01-23", "01-24"}
    assert drift["01-23"]["value"] == pytest.approx(1.5, abs=0.3)
    assert drift["01-03"]["said"].startswith("2 usual windows to compare with, 5 needed")
    assert not [
        p for p in points(life.mill, "drift", column="c").values() if p["verdict"] == "ALERT"
    ]


def test_a_calm_history_pages_nobody(live) -> None:
    """One false page a month is the budget; this history has two months and its own seed."""
    life = live(NULLS, rows=60)
    for _ in range(60):
        life.serve()
    life.steps()
    assert len(telling.incidents(life.mill.world, all_=True)) <= 2


def test_broken_data_is_not_learnt_from_and_a_bad_model_is_replaced(live) -> None:
    life = live('NullRate("x", at_most=0.05)', trigger='Unless(Every("7d"))', more="quiet=1")
    for k in range(16):
        life.serve(missing=0.3 if k >= 13 else 0.0)
    plan = life.mill.run()[-1]
    assert any("held up: null_rate of x is bad since 2024-01-14" in note for note in plan.notes)
    for _ in range(3):
        life.serve()
    plans = life.mill.run()
    assert "trigger" in {s.stage for p in plans for s in p.steps}


def test_what_is_bad_is_told_once_and_can_be_silenced_and_closed(live) -> None:
    life = live('NullRate("x", at_most=0.05)')
    for k in range(12):
        life.serve(missing=0.4 if k >= 10 else 0.0)
    life.steps()
    life.mill.run()
    told = [json.loads(t) for t in (life.folder / "told.jsonl").read_text().splitlines()]
    assert [t["key"] for t in told if t["incident"]] == ["i1:0:opened"]
    assert "null_rate" in told[0]["title"]
    week = next(t for t in told if t["key"].startswith("weekly:"))
    assert week["title"].startswith("Retrain or not: unknown; expected worth unknown; next look")
    assert "was never measured here; tidemill backtest --keep" in week["body"]
    world = life.mill.world
    until = life.clock.now() + timedelta(days=3)
    telling.silence(world, "i1", until=until, who="ada")
    assert telling.close(world, "i1", who="ada", why="the feed is mended")["state"] == "closed"
    with pytest.raises(NotFound, match="Known: i1"):
        telling.found_incident(world.state, "i2")
    assert problems(world) == []


def test_a_rule_is_tried_on_days_that_were_bad_for_users(live, monkeypatch) -> None:
    life = live('NullRate("x", at_most=0.05)')
    for k in range(9):
        life.serve(missing=0.4 if k >= 7 else 0.0)
    life.steps()
    world = life.mill.world
    past = Past.of(world, life.mill.strategy)
    rules = [NullRate("x", at_most=0.05), NullRate("c", at_most=0.05)]
    learnt = (day(2), day(4))
    quiet = proving.uses(world, past, rules, learnt=learnt, alpha=0.01)
    assert [(u.caught, u.trouble, u.elsewhere, u.others) for u in quiet] == [
        (0, 0, 2, 7),
        (0, 0, 0, 7),
    ]
    monkeypatch.setattr(proving, "FELT", ("quality",))  # as if users had felt it
    found = proving.uses(world, past, rules, learnt=learnt, alpha=0.01)
    assert [(u.caught, u.trouble, u.elsewhere, u.others) for u in found] == [
        (2, 2, 0, 5),
        (0, 2, 0, 5),
    ]
    assert ranked(rules[::-1], found[::-1]) == [1, 0]
    assert 0.05 < found[0].smallest < 0.2


def test_a_question_in_sql_reads_and_does_nothing_else(live) -> None:
    life = live()
    life.serve()
    life.steps()
    found = life.mill.sql("select count(*) as n, avg(label) as late from records").to_pylist()
    assert found[0]["n"] == 120
    assert 0.3 < found[0]["late"] < 0.7
    for query in ("drop view records", "select 1; select 2", "copy records to 'x.csv'", "selec"):
        with pytest.raises(BadInput):
            life.mill.sql(query)
    assert not (life.folder / "x.csv").exists()


def test_a_day_on_which_nothing_came_is_bad_and_a_service_better_than_usual_is_not(
    live, points
) -> None:
    life = live('RowCount(at_least=50), Proxy("x", lambda r: r.f_x, higher_is="better")')
    for k in range(24):
        life.serve(move=3.0 if k == 20 else 0.0)
        if k == 15:
            life.day += 1
    life.steps()
    counted = points(life.mill, "row_count", cohort="")
    assert {d for d, p in counted.items() if p["verdict"] == "ALERT"} == {"01-17"}
    assert (counted["01-17"]["n"], counted["01-17"]["value"]) == (0, None)
    better = points(life.mill, "x", kind="proxy", cohort="")["01-22"]
    assert better["value"] == pytest.approx(3.0, abs=0.3)
    assert (better["verdict"], better["said"][:17]) == ("OK", "better than usual")
