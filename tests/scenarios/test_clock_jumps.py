"""A clock that jumps: nothing is back-dated, no window is lost or chosen twice, status says so."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tidemill import Manual
from tidemill.strategy.status import status
from tidemill.strategy.turn import went_back

WEEK = timedelta(days=7)


def hand_over(mill, week, k, *, off=timedelta()):
    """Log a week from a service on the same machine, whose clock is off by as much."""
    records, labels = week(k)
    records = records.set_column(1, "at", pc.add(records["at"], pa.scalar(off)))
    labels = labels.set_column(2, "done", pc.add(labels["done"], pa.scalar(off)))
    mill.records(records)
    mill.labels(labels, happened_at="done")


def arrivals(mill) -> dict[str, datetime]:
    table = mill.table("records")
    names = table["record_id"].to_pylist()
    return dict(zip(names, table["available_at"].to_pylist(), strict=True))


@pytest.mark.parametrize("jump", [{"hours": -1}, {"days": 365}, {"days": -365}], ids=str)
def test_no_record_is_back_dated_and_none_is_chosen_twice(small, week, jump) -> None:
    mill, before = small(trigger=Manual()), {}
    start = mill.clock.now()
    for k in range(6):
        # It jumps before the fourth week, and back to where it was before the last one.
        off = timedelta(**jump) if k in (3, 4) else timedelta()
        mill.clock.at = start + (k + 1) * WEEK + off
        seen = mill.world.state.fact("last_turn")
        hand_over(mill, week, k, off=off)
        came = {name: at for name, at in arrivals(mill).items() if name not in before}
        assert len(came) == 300, "every record is there, whatever the clock says"
        assert seen is None or min(came.values()) > datetime.fromisoformat(seen)
        assert not before or min(came.values()) >= max(before.values())
        before |= came
        mill.run()
        told = status(mill.world)["clock"]
        behind = mill.clock.now() < datetime.fromisoformat(mill.world.state.fact("last_turn"))
        assert (told is not None) == behind
    # Time goes on, and all windows close.
    mill.clock.at = start + timedelta(days=500)
    mill.run()
    assert mill.problems() == []
    assert status(mill.world)["clock"] is None
    windows = [m.payload for m in mill.world.state.machines("curation")]
    assert all(one["end"] <= other["start"] for one, other in pairwise(windows))
    assert sum(w["arrivals"] for w in windows) == 1800, "no record fell between two windows"
    chosen = mill.table("chosen")["record_id"].to_pylist()
    assert len(chosen) == len(set(chosen)) > 1000


def test_records_of_a_service_whose_clock_is_right_wait_in_the_quarantine(small, week) -> None:
    mill = small()
    mill.clock.at += WEEK
    hand_over(mill, week, 0)
    mill.run()
    mill.clock.at -= timedelta(days=30)
    records, _ = week(1)
    counts = mill.records(records)
    assert counts.quarantined >= 299, "all that lie minutes ahead, or more"
    assert set(counts.reasons) == {"at: predicted in the future"}
    mill.clock.at += timedelta(days=37)
    again = mill.records(records)
    assert again.accepted + again.already == 300, "the same file, once the clock is right"


def test_every_step_of_the_journal_is_at_or_after_the_one_before(small, week) -> None:
    mill = small()
    start = mill.clock.now()
    for k, off in enumerate((0, 0, 0, 9, -9, 0.04, -0.04, 0)):
        mill.clock.at = start + (k + 1) * WEEK + timedelta(days=off)
        hand_over(mill, week, k)
        mill.run()
    moments = [row.at for row in mill.world.state.journal()]
    assert moments == sorted(moments)
    assert len(moments) > 5


def test_what_is_said_names_both_times_and_how_to_mend_it(small, week) -> None:
    mill = small()
    mill.clock.at += 2 * WEEK
    hand_over(mill, week, 0)
    mill.run()
    assert went_back(mill.world) is None
    mill.clock.at -= timedelta(hours=3)
    said = went_back(mill.world)
    assert said is not None
    assert "it says 2024-01-14 21:00 UTC, but the last turn was at 2024-01-15 00:00 UTC" in said
    assert "Fix: set the clock right" in said
    assert mill.run()[-1].notes[-1] == said
    mill.clock.at += timedelta(hours=2, minutes=59, seconds=30)
    assert went_back(mill.world) is None, "machines may differ by seconds"
