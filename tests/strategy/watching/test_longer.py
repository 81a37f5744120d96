"""Longer windows: means are merged from points, other metrics are measured again, the rest says so."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from tidemill.core.errors import BadInput, BadValue
from tidemill.measures import AUC, Accuracy, measure

from .conftest import STRATEGY, Life, day

DAYS = 11


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """Serve eleven days of 40 to 80 records, 40 of which are labelled: their weights differ."""
    text = STRATEGY.replace("SIGNALS", 'NullRate("x", at_most=0.5), RowCount(at_least=1)')
    text = text.replace("[Accuracy()]", "[Accuracy(), AUC()]").replace("100000", "40")
    text = text.replace("TRIGGER", "Manual()").replace("MORE", "estimated=False")
    made = Life(tmp_path_factory.mktemp("life") / "mill", text, 40)
    for k in range(DAYS):
        made.rows = 40 + 4 * k
        made.serve(scored=True, missing=0.02 * k)
    made.clock.move_to(day(DAYS + 4))
    made.steps()
    yield made
    made.mill.close()


def judged(life: Life, first: int, last: int) -> pa.Table:
    """Return what was labelled on some days, with the weight of each row, by SQL."""
    rows = life.mill.sql(
        "select epoch(predicted_at)::bigint // 86400 as day, x, label, output, score, weight"
        " from records where weight is not null order by predicted_at"
    )
    at = rows["day"].to_numpy() - int(day(0).timestamp()) // 86400
    return rows.filter(pa.array((at >= first) & (at < last)))


def test_a_longer_window_is_what_its_rows_give(life: Life) -> None:
    for metric in (Accuracy(), AUC()):
        answer = "output" if metric.needs == "output" else "score"
        found = life.mill.signals(metric.name, cohort="", every="7d").to_pylist()
        assert len(found) == 3  # weeks begin on Thursdays, as days since 1970 do
        for point, (first, last) in zip(found, ((0, 3), (3, 10), (10, DAYS)), strict=True):
            rows = judged(life, first, last)
            label, said, weight, unit = (
                rows[n].to_numpy() for n in ("label", answer, "weight", "day")
            )
            want = measure(metric, label, said, weight, unit)
            names = ("value", "n", "n_effective", *(("low", "high") * (last - first >= 5)))
            for name in names:
                assert point[name] == pytest.approx(getattr(want, name)), (metric.name, name)
            assert (point["low"] is None) == (last - first < 5)
            assert point["verdict"] is None
    assert np.ptp(judged(life, 0, DAYS)["weight"].to_numpy()) > 0.5


def test_how_it_was_told_is_said_and_cohorts_are_kept_apart(life: Life) -> None:
    points = {
        (p["metric"], p["cohort"], p["start"]): p
        for name in ("accuracy", "auc", "null_rate")
        for p in life.mill.signals(name, every="7d").to_pylist()
    }
    week = day(3)
    assert points["accuracy", "", week]["said"] == "merged from 7 of 7 windows"
    assert points["auc", "", week]["said"] == "measured again on the records of 7 of 7 windows"
    rows = judged(life, 3, 10)
    low = rows.filter(pa.array(np.nan_to_num(rows["x"].to_numpy(), nan=1.0) < 0))
    label, score, weight = (low[n].to_numpy() for n in ("label", "score", "weight"))
    assert points["auc", "low", week]["value"] == pytest.approx(AUC()(label, score, weight))
    nulls = life.mill.sql(
        "select avg((x is null)::int) as v, count(*) as n from records"
        " where predicted_at >= '2024-01-04' and predicted_at < '2024-01-11'"
    )
    point = points["null_rate", "", week]
    assert (point["value"], point["n"]) == (
        pytest.approx(nulls["v"][0].as_py()),
        nulls["n"][0].as_py(),
    )


def test_a_short_look_back_begins_with_a_whole_window(life: Life) -> None:
    found = life.mill.signals("accuracy", cohort="", last="2d", every="7d").to_pylist()
    assert [p["start"] for p in found] == [day(10)]
    assert found[0]["said"].startswith("merged from 1 of 7")


def test_what_is_no_mean_of_rows_says_so(life: Life) -> None:
    with pytest.raises(BadInput, match=r"row_count is no mean.*Fix:"):
        life.mill.signals("row_count", every="7d")
    for wrong in ("36h", "1h"):
        with pytest.raises(BadValue, match=r"whole base windows.*Fix:"):
            life.mill.signals("accuracy", every=wrong)


def test_points_of_before_weights_were_kept_are_measured_again(life: Life, monkeypatch) -> None:
    from tidemill.strategy.watching import telling

    want = life.mill.signals("accuracy", cohort="", every="7d")
    nulls = life.mill.signals("null_rate", cohort="", every="7d")
    kept = telling.signals

    def without(*args: object, **wanted: object) -> pa.Table:
        rows = kept(*args, **wanted)  # type: ignore[arg-type]
        at = rows.schema.get_field_index("weight")
        return rows.set_column(at, "weight", pa.nulls(rows.num_rows, pa.float64()))

    monkeypatch.setattr(telling, "signals", without)
    found = life.mill.signals("accuracy", cohort="", every="7d")
    assert found["said"][1].as_py().startswith("measured again")
    for name in ("value", "low", "high", "n_effective"):
        assert found[name].to_pylist() == pytest.approx(want[name].to_pylist())
    # Of a share of records each record weighs as much, so its points are enough.
    assert life.mill.signals("null_rate", cohort="", every="7d") == nulls
