"""Many columns, projections, cohorts and importance in turns of a project whose history is known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tidemill.core.clock import ReplayedClock, instant
from tidemill.loop.log.columns import Columns
from tidemill.project import Mill, create_project, open_project
from tidemill.strategy.watching import telling

START, DAYS, ROWS = instant("2024-01-01"), 28, 250
FLIPPED = 24
DAY = timedelta(days=1)

STRATEGY = """
from tidemill import *
from tidemill.loop.training.function import always_the_mean
strategy = Strategy(
    training=always_the_mean, cohorts=[Cohort("b", lambda r: r.f_c == "b")],
    projections=[Projection("pair", lambda r: ibis.array([r.f_x, r.f_y])), Projection("lost", lambda r: r.f_no)],
    monitoring=Monitoring(usual=21, spans=(1, 7), reference="sliding", pages=3, signals=[
        MMD(rows=250, features=64), DomainClassifier(("x", "y", "c"), rows=250),
        Watch(SlicedDistance("pair", rows=250, directions=8), alerting=False), MMD("lost"), MMD("c"),
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
                "x": x + effects[0],
                "y": y + effects[1],
                "c": ["ab"[k % 2] for k in range(ROWS)],
                "output": np.ones(ROWS),
            }
        )
        clock.move_to(START + (day + 1) * DAY + timedelta(minutes=1))
        made.import_records(
            table, Columns(time="at", available_at="at", output="output"), source="log"
        )
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
