"""A user's own table is only read: what is derived from it goes, and the rows in it are told."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from tidemill.core.clock import ReplayedClock, instant
from tidemill.loop.log.columns import FactColumns
from tidemill.project import create_project, open_project
from tidemill.project.sources import Table
from tidemill.strategy.erasing import Whose, erase

STRATEGY = '''
"""Never trains."""
from tidemill import Manual, Outcome, Strategy, Uniform

def train(dataset, previous):
    return None

strategy = Strategy(
    training=train, curation=Uniform(9, per="7d"), labels=Outcome(final_after="1d"),
    trigger=Manual(), offline=[],
)
'''
START = instant("2024-01-01")


def test_rows_in_a_table_of_the_user_stay_and_are_told(tmp_path):
    at = [START + timedelta(hours=k) for k in range(4)]
    who = ["ada", "bob", "ada", "bob"]
    rows = {"id": [f"r{k}" for k in range(4)], "at": at, "who": who, "x": [1.0] * 4}
    where = tmp_path / "predictions.parquet"
    pq.write_table(pa.table(rows), where)
    table = Table(str(where), id="id", time="at", unit="who", features=("x",))
    create_project(tmp_path / "mill", strategy=STRATEGY, records=table)
    clock = ReplayedClock(START + timedelta(days=1))
    with open_project(tmp_path / "mill", clock=clock) as mill:
        labels = pa.table({"record_id": rows["id"], "label": [1.0] * 4})
        mill.import_labels(labels, FactColumns(), source="truth")
        said = erase(mill.world, Whose(unit="ada"), who="me")
        assert said["rows"] == {"labels": 2}
        [theirs] = said["theirs"]
        assert (theirs["table"], theirs["rows"]) == ("records", 2)
        assert "predictions.parquet" in theirs["where"]
        left = mill.world.events.snapshot("labels")
        found = mill.world.engine.arrow(mill.world.engine.table(left).select("record_id"))
        assert sorted(found["record_id"].to_pylist()) == ["r1", "r3"]
        assert mill.world.state.fact("erasing") == {}
    assert pq.read_table(where).num_rows == 4
