"""What was not known at a moment changes nothing that was decided by then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tidemill import AUC, AtLeast, NoWorseThan, Outcome, Uniform
from tidemill.core.as_of import as_of
from tidemill.core.records import TABLES
from tidemill.core.rules import TestSet
from tidemill.loop.datasets import Manifest, rebuild
from tidemill.strategy.turn import plan

START = datetime(2024, 1, 1, tzinfo=UTC)
WEEKS = 6
CUT = START + timedelta(days=28)
"""Decisions up to here must not change, whatever becomes available later."""


def history(week):
    """Make six weeks with the arrival of every row, as a user would have them in a warehouse."""
    parts = [week(k, n=160) for k in range(WEEKS)]
    records, labels = (pa.concat_tables(t) for t in zip(*parts, strict=True))
    arrives = [a + timedelta(minutes=10) for a in records["at"].to_pylist()]
    return records.append_column("arrives", pa.array(arrives)), labels


def live(small, records, labels):
    """Give each week what arrived in it, and turn."""
    gates = [AtLeast(AUC(), 0.5), NoWorseThan("champion", AUC(), margin=0.3)]
    mill = small(curation=Uniform(120, per="7d"), offline=gates)
    for k in range(WEEKS):
        start, end = START + timedelta(days=7 * k), START + timedelta(days=7 * (k + 1))
        mill.clock.move_to(end)
        new = records.filter(within(records["arrives"], start, end))
        mill.records(new, available_at="arrives")
        new = labels.filter(within(labels["done"], start, end))
        mill.labels(new, happened_at="done", available_at="done")
        mill.run()
    return mill


def within(column, start, end):
    kind = column.type
    return pc.and_(pc.greater(column, pa.scalar(start, kind)),
                   pc.less_equal(column, pa.scalar(end, kind)))  # fmt: skip


def decisions(mill, until):
    """Return the journal and what its blobs held, durations apart."""
    out = []
    for row in mill.world.state.journal():
        if row.at > until:
            continue
        payload = {k: v for k, v in row.payload.items() if k not in ("seconds", "spot_check")}
        if "model" in payload:
            payload["model"] = payload["model"]["features"]
        out.append((row.at, row.kind, row.id, row.source, row.target, row.why, payload))
    fronts = [(f.at, f.version) for f in mill.world.state.fronts() if f.at <= until]
    return out, fronts


def changed(records, labels, how):
    rng = np.random.default_rng(5)
    kind = records["arrives"].type
    later = np.asarray(pc.greater(records["arrives"], pa.scalar(CUT, kind)))
    later_l = np.asarray(pc.greater(labels["done"], pa.scalar(CUT, kind)))
    if how == "other values":
        x = np.where(later, rng.normal(5, 9, len(later)), records["x"].to_numpy())
        y = np.where(later_l, 1 - labels["label"].to_numpy(), labels["label"].to_numpy())
        return (records.set_column(records.column_names.index("x"), "x", pa.array(x)),
                labels.set_column(1, "label", pa.array(y)))  # fmt: skip
    if how == "delayed":
        put = [a + timedelta(days=3) if d else a
               for a, d in zip(records["arrives"].to_pylist(), later, strict=True)]  # fmt: skip
        done = [a + timedelta(days=4) if d else a
                for a, d in zip(labels["done"].to_pylist(), later_l, strict=True)]  # fmt: skip
        return (records.set_column(records.column_names.index("arrives"), "arrives", pa.array(put)),
                labels.set_column(2, "done", pa.array(done)))  # fmt: skip
    if how == "dropped":
        keep = rng.random(len(later)) < 0.5
        return records.filter(pa.array(~later | keep)), labels.filter(pa.array(~later_l))
    if how == "added, about the past":
        # Records of the first weeks and changed labels, which arrive after the cut.
        old = records.filter(pa.array(~later)).slice(0, 200)
        ids = pa.array(["late-" + i for i in old["record_id"].to_pylist()])
        at = CUT + timedelta(hours=1)
        old_labels = labels.filter(pa.array(~later_l)).slice(0, 200)
        flipped = pa.array(1 - old_labels["label"].to_numpy())
        old_labels = old_labels.set_column(1, "label", flipped)
        return (pa.concat_tables([records, restamp(old.set_column(0, "record_id", ids),
                                                   "arrives", at)]),
                pa.concat_tables([labels, restamp(old_labels, "done", at)]))  # fmt: skip
    raise ValueError(how)


def restamp(table, column, at):
    values = pa.array([at] * len(table), table[column].type)
    return table.set_column(table.column_names.index(column), column, values)


@pytest.fixture(scope="module")
def undisturbed(request):
    return {}


@pytest.mark.parametrize("how", ["other values", "delayed", "dropped", "added, about the past"])
def test_what_becomes_available_later_changes_no_decision_up_to_then(small, week, undisturbed, how):
    records, labels = history(week)
    if not undisturbed:
        mill = live(small, records, labels)
        undisturbed["until"] = decisions(mill, CUT)
        undisturbed["all"] = decisions(mill, START + timedelta(days=999))
    other = live(small, *changed(records, labels, how))
    assert decisions(other, CUT) == undisturbed["until"]
    assert len(undisturbed["until"][0]) > 10
    assert undisturbed["until"][1], "nobody went live: the test would be empty"
    # The change does matter to what is decided later, so the test looks at something.
    assert decisions(other, START + timedelta(days=999)) != undisturbed["all"]


def test_the_whole_past_at_once_gives_the_same_view_of_each_moment_as_week_by_week(small, week):
    """One import of all history, with arrivals declared, can be read as of any moment."""
    records, labels = history(week)
    slow = live(small, records, labels)
    fast = small(start=START + timedelta(days=7 * WEEKS))
    fast.records(records, available_at="arrives")
    fast.labels(labels, happened_at="done", available_at="done")
    for day in (3, 10, 21, 30):
        at = START + timedelta(days=day)
        views = [as_of(m.world, at) for m in (slow, fast)]
        seen = [v.arrow(v.records().select("record_id").order_by("record_id")) for v in views]
        assert seen[0].equals(seen[1])
        said = [v.arrow(v.labels().select("record_id", "label").order_by("record_id"))
                for v in views]  # fmt: skip
        assert said[0].equals(said[1])
        assert 0 < seen[0].num_rows < len(records)


@pytest.mark.parametrize("hidden", [True, False])
def test_a_feature_that_is_the_future_label_is_invisible_when_its_known_time_is_declared(
    small, week, hidden
):
    mill = small(offline=[AtLeast(AUC(), 0.9)], labels=Outcome())
    rng = np.random.default_rng(2)
    for k in range(4):
        records, labels = week(k, n=200)
        label = rng.integers(0, 2, 200).astype(float)  # nothing predicts it
        labels = labels.set_column(1, "label", pa.array(label))
        records = records.select(["record_id", "at"]).append_column("leak", pa.array(label))
        records = records.append_column("noise", pa.array(rng.normal(size=200)))
        records = records.append_column("leaked_at", labels["done"])
        mill.clock.move_to(START + timedelta(days=7 * (k + 1)))
        known = {"leak": "leaked_at"} if hidden else {}
        features = None if hidden else ["leak", "noise"]
        mill.records(records, available_at="at", known=known, features=features)
        mill.labels(labels, happened_at="done", available_at="done")
        mill.run()
    view = as_of(mill.world, mill.clock.now())
    read = view.arrow(view.records())["f_leak"]
    release = mill.world.state.machine("release", "v1")
    data = Manifest.from_bytes(mill.world.blobs.get("datasets", release.payload["dataset"]["blob"]))
    _, train = rebuild(view, data, "train")
    if hidden:
        assert read.null_count == len(read) == 800
        assert train.features["leak"].null_count == train.features.num_rows > 0
        assert mill.world.state.front() is None
        card = release.payload["why"]
        assert 0.3 < float(card.split("0.9: ")[1].split(" ")[0]) < 0.7
    else:  # without the declaration it leaks, and that shows
        assert read.null_count == 0
        assert "1.0000 whichever day is left out" in release.payload["why"]


def test_a_known_feature_is_visible_where_it_was_known_in_time_and_hidden_where_nobody_said(small):
    mill = small(start=START + timedelta(days=1))
    table = {"record_id": ["a", "b", "c"], "at": [START] * 3, "x": [1.0, 2.0, 3.0],
             "since": [START - timedelta(hours=1), START + timedelta(hours=1), None]}  # fmt: skip
    mill.records(table, known={"x": "since"})
    view = as_of(mill.world, mill.clock.now())
    rows = view.arrow(view.records()).to_pylist()
    assert {r["record_id"]: r["f_x"] for r in rows} == {"a": 1.0, "b": None, "c": None}
    # A row without the column, later: known at the prediction.
    mill.records({"record_id": ["d"], "at": [START], "x": [4.0]})
    rows = view.arrow(as_of(mill.world, mill.clock.now()).records()).to_pylist()
    assert {r["record_id"]: r["f_x"] for r in rows}["d"] == 4.0


def snapshot_of(mill):
    state = mill.world.state
    facts = [state.fact(k) for k in ("last_turn", "last_write", "curated_until", "inbox", "kinds")]
    blobs = [mill.world.blobs.digests(k) for k in ("models", "datasets", "reports")]
    versions = {t: mill.world.events.version(t) for t in TABLES}
    return len(state.journal()), facts, blobs, versions, [f.seq for f in state.fronts()]


def test_a_turn_that_is_run_again_does_nothing(four_weeks):
    mill = four_weeks
    mill.labels({"record_id": ["nobody"], "label": [1.0]})
    mill.run()
    before = snapshot_of(mill)
    plans = mill.run()
    assert [p.steps for p in plans] == [()]
    assert snapshot_of(mill) == before
    assert plan(mill.world, mill.strategy).steps == ()
    assert snapshot_of(mill) == before


def test_a_plan_changes_nothing_and_says_what_the_turn_then_does(small, week):
    mill = small()
    records, labels = week(0)
    mill.clock.move_to(START + timedelta(days=8))
    mill.records(records, available_at="at")
    mill.labels(labels, happened_at="done", available_at="done")
    before = snapshot_of(mill)
    planned = plan(mill.world, mill.strategy)
    assert snapshot_of(mill) == before
    assert mill.run()[0].steps == planned.steps != ()


def test_rows_said_to_have_arrived_before_the_last_turn_arrive_now_and_that_is_told(small, week):
    mill = small()
    records, labels = week(0)
    mill.clock.move_to(START + timedelta(days=8))
    mill.records({"record_id": ["first"], "at": [START], "x": [1.0], "y": [1.0]})
    mill.run()
    mill.clock.move_to(START + timedelta(days=9))
    counts = mill.records(records, available_at="at")
    note = "300 rows count as arriving now: their stated arrival is before the last turn at 2024-01"
    assert counts.accepted == 300
    assert any(n.startswith(note) for n in counts.notes)
    arrived = mill.table("records")["available_at"].to_pylist()
    assert sorted(set(arrived)) == [START + timedelta(days=8), mill.clock.now()]
    counts = mill.labels(labels, happened_at="done", available_at="done")
    assert counts.notes[0].startswith(note)
    view = as_of(mill.world, START + timedelta(days=8))
    assert view.arrow(view.records()).num_rows == 1


def test_a_row_stored_at_the_very_moment_of_a_turn_is_seen_by_the_next_one_only(small):
    mill = small(start=START + timedelta(days=1))
    mill.records({"record_id": ["first"], "at": [START], "x": [1.0]})
    mill.run()
    mill.records({"record_id": ["a"], "at": [START], "x": [1.0]})
    (row,) = (r for r in mill.table("records").to_pylist() if r["record_id"] == "a")
    assert row["available_at"] > mill.clock.now()
    mill.run()
    view = as_of(mill.world, datetime.fromisoformat(mill.world.state.fact("last_turn")))
    assert view.arrow(view.records()).num_rows == 2


def test_chance_is_what_the_area_says_of_scores_that_know_nothing():
    """Guards the test of the leak: its measure would see a leak."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 5000).astype(float)
    assert abs(AUC()(label, rng.random(5000), np.ones(5000)) - 0.5) < 0.03
    assert TestSet.__test__ is False


def test_a_turn_of_an_empty_mill_has_looked_at_nothing_so_history_may_still_come(small, week):
    mill = small()
    mill.clock.move_to(START + timedelta(days=30))
    mill.run()
    assert mill.world.state.fact("last_turn") is None
    records, _ = week(0)
    said = mill.records(records, available_at="at")
    assert said.accepted == records.num_rows
    assert not said.notes
