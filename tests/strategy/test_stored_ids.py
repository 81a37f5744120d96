"""Ids are looked for among those stored once an import, and each that is there is found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from tidemill.core.clock import ReplayedClock
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.project import create_project, open_project
from tidemill.strategy import importing, stored_ids
from tidemill.strategy.stored_ids import Known, keys_of

START = datetime(2024, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=40)
STRATEGY = "from tidemill import *\nstrategy = Strategy(training=lambda data, previous: None)\n"
N = 200


def records(ids, days, x=1.0):
    at = pa.array([START + timedelta(days=float(d)) for d in days], pa.timestamp("us", "UTC"))
    return pa.table({"record_id": ids, "at": at, "x": np.full(len(ids), x)})


@pytest.fixture
def mill(tmp_path, monkeypatch):
    """A project into which batches of 40 are imported; it knows which days were asked for."""
    monkeypatch.setattr(importing, "BATCH", 40)
    create_project(tmp_path / "p", strategy=STRATEGY, salt="s")
    with open_project(tmp_path / "p", clock=ReplayedClock(NOW)) as made:
        asked, events = [], made.world.events
        snapshot = events.snapshot

        def seen(table, **span):
            if table == "records":
                asked.append((span.get("since"), span.get("until")))
            return snapshot(table, **span)

        monkeypatch.setattr(events, "snapshot", seen)
        made.asked = asked
        yield made


def take(mill, table):
    mill.asked.clear()
    done = mill.import_records(table, Columns(time="at", available_at="at"), source="s")
    return done.accepted, done.already, done.quarantined


def test_many_batches_go_through_what_is_stored_a_few_times_and_find_every_id(mill):
    ids, days = [f"r{k}" for k in range(N)], np.arange(N) // 25
    assert take(mill, records(ids, days)) == (N, 0, 0)
    assert len(mill.asked) <= stored_ids.DIRECT + 2  # of five batches, and none of a known day
    assert take(mill, records(ids, days)) == (0, N, 0)
    bounded = [since for since, _ in mill.asked if since is not None]
    assert len(mill.asked) - len(bounded) <= stored_ids.DIRECT + 1
    # The same ids at other times or with other content are told from new ones, wherever they lie.
    mixed = ids[::2] + [f"n{k}" for k in range(N // 2)]
    assert take(mill, records(mixed, days + 0.5)) == (N // 2, 0, N // 2)
    assert mill.sql("select count(*) n, count(distinct record_id) d from records").to_pylist() == [
        {"n": N * 3 // 2, "d": N * 3 // 2}
    ]


def test_ids_that_repeat_between_the_batches_of_one_import_are_found(mill):
    ids = [f"r{k % 50}" for k in range(N)]
    assert take(mill, records(ids, np.zeros(N))) == (50, N - 50, 0)


def test_labels_find_their_records_on_the_days_of_these(mill):
    ids, days = [f"r{k}" for k in range(N)], np.arange(N) // 25
    take(mill, records(ids, days))
    mill.asked.clear()
    labels = pa.table(
        {"record_id": [*ids, *[f"w{k}" for k in range(80)]], "label": [1.0] * (N + 80)}
    )
    for seen in ((N, 0, 80), (0, N + 80, 0)):
        done = mill.import_labels(labels, FactColumns(), source="s")
        assert (done.accepted, done.already, done.waiting) == seen
    assert sum(since is None for since, _ in mill.asked) <= 2 * (stored_ids.DIRECT + 2)


def test_beyond_what_may_be_known_all_is_gone_through(mill, monkeypatch):
    monkeypatch.setattr(stored_ids, "MOST", 100)
    ids, days = [f"r{k}" for k in range(N)], np.arange(N) // 25
    assert take(mill, records(ids, days)) == (N, 0, 0)
    assert take(mill, records(ids, days)) == (0, N, 0)


def test_what_was_added_in_any_order_is_found_with_its_days():
    rng = np.random.default_rng(0)
    known, ids, days = Known(), [], []
    for size in (1, 7, 300, 2, 50, 50):
        some = [f"i{k}" for k in rng.integers(0, 10_000, size)]
        on = rng.integers(-5, 70_000, size)  # some lie on no day that a key can hold
        known.add(keys_of(some, on))
        ids, days = ids + some, [*days, *on]
    asked = [f"i{k}" for k in range(0, 10_000, 3)]
    there, found = known.look(keys_of(asked))
    assert there.tolist() == [a in set(ids) for a in asked]
    said = {
        d if 0 <= d < 0xFFFF else 0xFFFF for i, d in zip(ids, days, strict=True) if i in set(asked)
    }
    assert found.tolist() == sorted(said)
    assert max(map(len, known._parts)) <= 4
    assert known.size == 410
