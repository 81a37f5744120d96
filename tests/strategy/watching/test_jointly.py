"""Many columns, projections, cohorts and importance in turns of a project whose history is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tidemill import Cohort, Monitoring, Strategy
from tidemill.core.clock import ReplayedClock, instant
from tidemill.core.errors import NotFound
from tidemill.core.machines import RELEASE
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.loop.training.function import always_the_mean
from tidemill.measures.cohort import above_zero
from tidemill.measures.fitted import PCA
from tidemill.project import Mill, create_project, open_project
from tidemill.strategy.watching import telling
from tidemill.strategy.watching.costing import costs

START, DAYS, ROWS = instant("2024-01-01"), 28, 250
TRAINED, FLIPPED, MOVED = 16, 24, 26
DAY = timedelta(days=1)

STRATEGY = """
from tidemill import *
def train(data, previous):
    return lambda frame: 2 * frame["x"] + 0.1 * frame["y"]
strategy = Strategy(
    training=train, curation=Uniform(100000, per="1d"), labels=Outcome(final_after="1h"),
    holdout=Newest(at_least=20, days=5), offline=[AtLeast(MSE(), 100.0)], cohorts=[Cohort("b", lambda r: r.f_c == "b")],
    projections=[Projection("pair", lambda r: ibis.array([r.f_x, r.f_y])), Projection("lost", lambda r: r.f_no),
        PrincipalComponents("shape", ("x", "y"))],
    monitoring=Monitoring(usual=21, spans=(1, 7), reference="sliding", pages=3, by_cohort="b", signals=[
        MMD(rows=250, features=64), DomainClassifier(("x", "y", "c"), rows=120),
        Watch(SlicedDistance("pair", rows=250, directions=8), alerting=False), MMD("lost"), MMD("shape"), MMD("c"),
    ]),
)
"""


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    """A month in which, on day 24 and after, what goes with what turns round."""
    clock, rng = ReplayedClock(START), np.random.default_rng(0)
    text = STRATEGY.replace("from tidemill import *", "import ibis\nfrom tidemill import *")
    folder = create_project(tmp_path_factory.mktemp("joint") / "mill", strategy=text, salt="joint")
    made = open_project(folder, clock=clock)
    for day in range(DAYS):
        x = rng.normal(size=ROWS)
        y = 0.8 * x * (-1 if day >= FLIPPED else 1) + 0.6 * rng.normal(size=ROWS)
        effects = 0.1 * rng.normal(size=2)
        table = pa.table(
            {
                "record_id": [f"{day}-{k}" for k in range(ROWS)],
                "at": [START + day * DAY + DAY * ((k + 0.5) / ROWS) for k in range(ROWS)],
                "x": x + effects[0] + 2 * (day >= MOVED),
                "y": y + effects[1] + 0.8 * (day >= MOVED) * (np.arange(ROWS) % 2),
                "c": ["ab"[k % 2] for k in range(ROWS)],
                "output": np.ones(ROWS),
            }
        )
        clock.move_to(START + (day + 1) * DAY + timedelta(minutes=1))
        columns = Columns(time="at", available_at="at", output="output")
        made.import_records(table, columns, source="log")
        if day < TRAINED:
            labels = table.select(["record_id", "at"]).append_column("label", [x])
            told = FactColumns(value="label", happened_at="at", available_at="at")
            made.import_labels(labels, told, source="outcome")
        if day == TRAINED:
            made.retrain("a test")
            made.run()
    made.run()
    yield made
    made.close()


def said(mill: Mill, metric: str, column: str) -> dict[int, dict[str, Any]]:
    rows = mill.signals(metric, column=column).to_pylist()
    return {(r["start"] - START).days: r for r in rows}


def test_a_change_that_no_column_shows_is_an_incident_of_its_rules(mill: Mill) -> None:
    found = said(mill, "drift_mmd", "")
    bad = [d for d, r in found.items() if r["verdict"] == "ALERT"]
    assert bad
    assert set(bad) <= set(range(FLIPPED, DAYS))
    assert all(
        r["verdict"] == "NO_VERDICT" and "14 needed" in r["said"]
        for d, r in found.items()
        if d < 14
    )
    assert any(r["verdict"] == "OK" for d, r in found.items() if 14 <= d < FLIPPED)
    (one,) = [
        i for i in telling.incidents(mill.world, all_=True) if i["onset"][:10] == "2024-01-25"
    ]
    metrics = {s["metric"] for s in one["signals"]}
    assert {"drift_mmd", "drift_classifier"} & metrics
    assert one["rows"]


def test_the_region_of_the_classifier_leads_to_its_rows(mill: Mill) -> None:
    found = [
        r for r in said(mill, "drift_classifier", "x, y, c").values() if r["verdict"] == "ALERT"
    ]
    assert found
    assert "usual days" in found[0]["said"]
    assert any(f"{c} " in found[0]["said"] for c in ("x", "y"))


def test_a_vector_of_a_projection_is_watched_without_paging_and_weeks_are_permuted(
    mill: Mill,
) -> None:
    weeks = said(mill, "drift_sliced_7", "pair")
    assert weeks
    assert "drift_sliced" not in {
        s["metric"] for i in telling.incidents(mill.world, all_=True) for s in i["signals"]
    }
    assert weeks[max(weeks)]["verdict"] in {"OK", "ALERT"}
    assert "shared out at random" in weeks[max(weeks)]["said"]


def test_what_cannot_be_asked_says_so_and_costs_the_others_nothing(mill: Mill) -> None:
    lost = list(said(mill, "drift_mmd", "lost").values())
    assert {r["verdict"] for r in lost} == {"NO_VERDICT"}
    assert "projection 'lost' cannot be asked" in lost[-1]["said"]
    assert "no number and no vector" in said(mill, "drift_mmd", "c")[DAYS - 1]["said"]


def test_drift_names_how_important_a_column_is_to_the_live_model(mill: Mill) -> None:
    (live,) = mill.world.state.machines(RELEASE, ["live"])
    importance = live.payload["importance"]
    assert importance["x"] > 5 * importance["y"] > importance["c"] == 0.0
    found = said(mill, "drift", "x")
    assert found[MOVED]["verdict"] == "ALERT"
    assert found[MOVED]["said"].endswith(f"1st of 3 in importance for {live.id}")
    assert "importance" not in found[TRAINED - 2]["said"]
    assert said(mill, "drift", "c")[MOVED]["said"].endswith(f"no answer of {live.id} rests on it")
    (one,) = [i for i in telling.incidents(mill.world, all_=True) if i["last"][:10] >= "2024-01-27"]
    drifted = [s["column"] for s in one["signals"] if s["metric"] == "drift"]
    assert drifted[0] == "x"


def test_features_of_a_cohort_that_asks_for_it_are_watched_by_themselves(mill: Mill) -> None:
    rows = mill.signals("drift", column="y", cohort="b").to_pylist()
    found = {(r["start"] - START).days: r for r in rows}
    assert found[MOVED]["verdict"] == "ALERT"
    assert found[MOVED]["n"] == ROWS // 2
    assert found[10]["value"] is not None
    assert "2nd of 3 in importance" in found[MOVED]["said"]
    kept = costs(mill.world, mill.strategy)
    assert kept is not None
    everybody, b = kept["profiles"]["by_cohort"]
    assert (everybody["cohort"], b["cohort"]) == ("", "b")
    assert 0 < b["cells"] < everybody["cells"]
    assert b["bytes"] + everybody["bytes"] == pytest.approx(kept["profiles"]["bytes"])


def test_a_cohort_that_is_not_there_is_named_with_the_nearest() -> None:
    cohorts = [Cohort("night", above_zero)]
    with pytest.raises(NotFound, match="did you mean 'night'"):
        Strategy(
            training=always_the_mean, cohorts=cohorts, monitoring=Monitoring(by_cohort="nigth")
        )


def test_a_projection_fitted_on_the_reference_is_watched_under_the_id_of_its_fit(
    mill: Mill,
) -> None:
    kept = mill.world.state.fact("projections")
    (entry,) = kept.values()  # a sliding reference is fitted once
    assert PCA.from_numbers(json.loads(mill.world.blobs.get("projections", entry["digest"])))
    rows = [r for r in mill.signals("drift").to_pylist() if r["column"].startswith("shape")]
    named = {r["column"] for r in rows if r["verdict"] != "NO_VERDICT"}
    assert named == {f"shape {k} ({entry['digest'][:8]})" for k in (1, 2)}
    # The first direction is along x and y; the flip widens the second one.
    flipped = {
        r["column"][:7]
        for r in rows
        if r["verdict"] == "ALERT" and r["start"] >= START + FLIPPED * DAY
    }
    assert "shape 2" in flipped
    early = [r for r in rows if r["start"] < START + 5 * DAY]
    assert {r["verdict"] for r in early} == {"NO_VERDICT"}
    assert "needed" in early[0]["why"]
    assert said(mill, "drift_mmd", "shape")[FLIPPED]["verdict"] == "ALERT"
