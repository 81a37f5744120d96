"""Metrics of ranking in a project: its gates, its signals, and what models are said to be worth."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tidemill.core.clock import ReplayedClock, instant
from tidemill.core.errors import BadInput
from tidemill.core.rules import TestSet
from tidemill.core.verdict import Verdict
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.loop.offline.no_worse_than import NoWorseThan
from tidemill.measures import MRR, NDCG
from tidemill.measures.grouped import truth_for
from tidemill.project import Mill, create_project, open_project
from tidemill.strategy.realised import performed, turned_out, yardsticks

START, DAY, DAYS, LISTS, LONG = instant("2024-01-01"), timedelta(days=1), 10, 12, 6
STRATEGY = """
from tidemill import *
class Ranker:
    classes_ = (0.0, 1.0)
    def predict_proba(self, frame):
        return [[1 - v, v] for v in frame["x"].to_numpy()]
    def predict(self, frame):
        return frame["x"].round()
def trained(data, previous):
    return Ranker()
strategy = Strategy(
    training=trained, curation=Uniform(100000, per="1d"), labels=Outcome(final_after="1h"),
    trigger=Every("7d"), holdout=Newest(at_least=20, days=5),
    metrics=[NDCG(k=3), MRR(group="query"), MRR(k=2, group="page")],
    offline=[AtLeast(NDCG(k=3), 0.6), NoWorseThan("champion", MRR(group="query"), margin=0.1)],
    monitoring=Monitoring(usual=14),
)
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Serve ten days of lists: one a unit, two of them a query; their rows come mixed up."""
    clock = ReplayedClock(START)
    folder = create_project(tmp_path_factory.mktemp("mill") / "m", strategy=STRATEGY, salt="s")
    mill = open_project(folder, clock=clock)
    rng = np.random.default_rng(0)
    days = [_day(mill, clock, rng, day) for day in range(DAYS)]
    mill.run()
    yield mill, days
    mill.close()


def _day(mill: Mill, clock: ReplayedClock, rng: np.random.Generator, day: int) -> dict[str, Any]:
    n = LISTS * LONG
    label = (rng.random(n) < 0.3).astype(float)
    score = np.round(np.clip(0.4 * label + 0.6 * rng.random(n), 0, 1), 1)
    unit = rng.permutation(np.repeat([f"{day}-{k}" for k in range(LISTS)], LONG))
    tags = [json.dumps({"query": f"{day}-q{int(u.split('-')[1]) // 2}"}) for u in unit]
    at = [START + day * DAY + timedelta(minutes=15 * k) for k in range(n)]
    ids = [f"{day}-{k}" for k in range(n)]
    rows = {"record_id": ids, "at": at, "x": score, "score": score, "output": score.round()}
    table = pa.table({**rows, "unit": unit, "tags": tags})
    clock.move_to(START + (day + 1) * DAY + timedelta(hours=2))
    columns = Columns(
        time="at", available_at="at", output="output", score="score", unit="unit", tags_json="tags"
    )
    mill.import_records(table, columns, source="log")
    truth = pa.table({"record_id": ids, "label": label, "at": at})
    mill.import_labels(truth, FactColumns(happened_at="at", available_at="at"), source="t")
    return {"label": label, "score": score, "unit": unit, "tags": np.array(tags, dtype=object)}


def test_each_window_has_the_number_of_its_lists(served: Any) -> None:
    mill, days = served
    points = mill.signals().to_pylist()
    for metric in (NDCG(k=3), MRR(group="query")):
        found = {
            p["start"]: p
            for p in points
            if p["kind"] == "performance" and p["metric"] == metric.name and not p["model"]
        }
        for k, rows in enumerate(days):
            truth = truth_for(metric, rows["label"], rows)
            want = metric(truth, rows["score"], np.ones(truth.size))
            point = found[START + k * DAY]
            assert point["value"] == pytest.approx(want)
            assert point["low"] <= want <= point["high"]
        assert any(p["low"] < p["high"] for p in found.values())


def test_a_tag_that_nobody_logged_is_said_and_stops_nothing_else(served: Any) -> None:
    points = [p for p in served[0].signals().to_pylist() if p["metric"] == "mrr_at_2"]
    assert len(points) >= DAYS
    assert all("no tag 'page'" in p["why"] for p in points)


def test_gates_measure_lists_and_a_model_goes_live(served: Any) -> None:
    mill, days = served
    assert mill.world.state.front().version == "v1"
    release = mill.world.state.machines("release")[0].payload
    report = json.loads(mill.world.blobs.get("reports", release["report"]))
    [floor, _] = report["gates"]
    tested = {k: np.concatenate([d[k] for d in days[-5:]]) for k in days[0]}
    truth = truth_for(NDCG(k=3), tested["label"], tested)
    want = NDCG(k=3)(truth, tested["score"], np.ones(truth.size))
    assert (floor["gate"], floor["verdict"]) == ("ndcg_at_3 at least 0.6", "OK")
    assert floor["estimates"]["candidate"]["value"] == pytest.approx(want)


def test_a_candidate_is_held_against_the_champion_list_by_list(served: Any) -> None:
    rows = {k: np.concatenate([d[k] for d in served[1]]) for k in served[1][0]}
    guessed = np.random.default_rng(1).random(rows["label"].size)
    test = TestSet(
        label=rows["label"],
        weight=np.ones(rows["label"].size),
        day=np.repeat(np.arange(DAYS), LISTS * LONG),
        answers={"candidate": {"score": guessed}, "champion": {"score": rows["score"]}},
        groups={k: rows[k] for k in ("unit", "tags")},
    )
    said = NoWorseThan("champion", MRR(group="query"), margin=0.1)(test)
    assert said.verdict is Verdict.ALERT
    with pytest.raises(BadInput, match=r"no tag 'page'.*Fix:"):
        NoWorseThan("champion", MRR(group="page"), margin=0.1)(test)


def test_what_users_were_answered_is_measured_by_lists(served: Any) -> None:
    mill, _ = served
    rows = turned_out(mill.world, mill.strategy, since=START)
    said = {}
    for metric in yardsticks(mill.strategy):
        found = performed(metric, rows, np.ones(rows.label.size, dtype=bool))
        said[metric.name] = found
    assert said["ndcg_at_3"]["low"] < said["ndcg_at_3"]["value"] < said["ndcg_at_3"]["high"]
    assert said["ndcg_at_3"]["days"] == DAYS
    assert "no tag 'page'" in said["mrr_at_2"]["why"]
