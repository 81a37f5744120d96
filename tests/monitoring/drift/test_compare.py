"""Verdicts on two windows: right sizes, right words, and never calm about what cannot be seen."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from tidemill.core.errors import BadInput
from tidemill.measures.profile import Profile, of_table
from tidemill.monitoring.drift import Floors, Report, Shift, compare

START = datetime(2024, 1, 1, tzinfo=UTC)
RNG = np.random.default_rng(7)


def rows(before: dict, after: dict, **how: object) -> Report:
    one = of_table(pa.table(before))
    return compare([one], [of_table(pa.table(after), grids=one.grids)], **how)


def only(before: object, after: object, **how: object) -> Shift:
    found = rows({"x": before}, {"x": after}, **how)
    assert len(found.shifts) == 1
    return found.shifts[0]


def days(columns: list[dict], *, grids: dict | None = None, first: int = 0) -> list[Profile]:
    found = []
    for k, day in enumerate(columns):
        start = START + timedelta(days=first + k)
        table = pa.table(day)
        found.append(of_table(table, grids=grids or {}, start=start, end=start + timedelta(days=1)))
        grids = grids or found[0].grids
    return found


def test_what_moved_is_said_in_words():
    x = RNG.normal(890, 100, 8000)
    city = RNG.choice(["JFK", "EWR", "LGA"], 8000, p=[0.3, 0.4, 0.3])
    moved = RNG.choice(["JFK", "EWR", "LGA"], 8000, p=[0.42, 0.28, 0.3])
    found = rows(
        {"up": x, "wide": x, "city": city, "zero": x * (RNG.random(8000) < 0.5), "calm": x},
        {
            "up": RNG.normal(920, 100, 8000),
            "wide": RNG.normal(890, 160, 8000),
            "city": moved,
            "zero": x * (RNG.random(8000) < 0.3),
            "calm": RNG.normal(890, 100, 8000),
        },
    )
    said = {s.column: (s.verdict.value, s.words) for s in found.shifts}
    assert said["up"][0] == said["wide"][0] == said["city"][0] == said["zero"][0] == "ALERT"
    assert said["calm"][0] == "OK"
    assert said["up"][1].startswith("mean up by 0.3")
    assert said["wide"][1].startswith("wider: the middle 80 % was 7")
    assert re.fullmatch(r"EWR 40 % → 2[78] %, JFK 30 % → 4[123] %", said["city"][1])
    assert re.fullmatch(r"value 0: 5[01] % → (70|69) %", said["zero"][1])
    assert found.shifts[-1].column == "calm"


def test_nulls_nan_and_infinity_are_compared():
    x = RNG.normal(size=6000)
    nulls = pa.array(x, mask=RNG.random(6000) < 0.11)
    found = only(pa.array(x, mask=RNG.random(6000) < 0.005), nulls)
    assert found.verdict == "ALERT"
    assert found.words == "nulls 0.5 % → 11 %"
    nan = x.copy()
    nan[:90] = np.nan  # 1.5 %, where there was none: told below the floor of all others
    found = only(x, nan)
    assert (found.verdict, found.words) == ("ALERT", "NaN 0 % → 1.5 %")
    infinite = x.copy()
    infinite[:200], infinite[200:260] = np.inf, -np.inf
    assert only(x, infinite).words == "infinity 0 % → 3.3 %, -infinity 0 % → 1 %"
    assert only(nulls, nulls).verdict == "OK"


def test_values_the_reference_does_not_know_are_named():
    city = RNG.choice(["JFK", "EWR"], 6000)
    new = city.copy().astype("U4")
    new[:120], new[120:186] = "XX", "YY"
    found = only(city, new)
    assert found.verdict == "ALERT"
    assert "new values: XX, YY (3.1 % of rows)" in found.words
    x = RNG.normal(size=6000)
    far = x.copy()
    far[:120] = 50.0
    assert "% of rows above" in only(x, far).words or "sd" in only(x, far).words
    # A column of thousands of rare values always has new ones: that is no alarm.
    rare = [RNG.integers(0, 5_000, 6_000).astype(str) for _ in range(2)]
    assert only(*rare).verdict == "OK"


def test_types_and_columns_that_come_and_go_are_alerts():
    x = RNG.normal(size=500)
    found = rows({"x": x, "gone": x, "same": x}, {"x": x.astype(str), "new": x, "same": x})
    said = {s.column: (s.verdict.value, s.words) for s in found.shifts}
    assert said["x"] == ("ALERT", "type changed from number to text")
    assert said["gone"] == ("ALERT", "column is gone")
    assert said["new"] == ("ALERT", "column is new")
    assert found.verdict == "ALERT"


def test_what_cannot_be_measured_has_no_verdict():
    n, x = 400, RNG.normal(size=400)
    ids = [pa.array([f"{side}{k}" for k in range(n)]) for side in "ab"]
    times = [pa.array([START + timedelta(days=d + k / n) for k in range(n)]) for d in (0, 9)]
    null = pa.nulls(n, pa.float64())
    found = rows(
        {"id": ids[0], "at": times[0], "void": null, "list": [[1]] * n, "lost": x},
        {"id": ids[1], "at": times[1], "void": null, "list": [[1]] * n, "lost": null},
    )
    why = {s.column: s.why for s in found.shifts if s.verdict == "NO_VERDICT"}
    assert why["id"] == "nearly every row has a value of its own, as an id has"
    assert why["at"].startswith("times move on")
    assert "missing" in why["void"]
    assert why["list"].endswith("cannot be counted")
    assert {s.column: s.words for s in found.shifts}["lost"] == "nulls 0 % → 100 %"
    assert found.verdict == "ALERT"


def test_too_few_rows_are_no_verdict_and_never_calm():
    found = only(RNG.normal(size=200), RNG.normal(size=30))
    assert found.verdict == "NO_VERDICT"
    assert "too little" in found.why
    assert rows({"x": RNG.normal(size=200)}, {"x": RNG.normal(size=30)}).verdict == "NO_VERDICT"
    empty = only(RNG.normal(size=200), pa.array([], pa.float64()))
    assert empty.verdict == "NO_VERDICT"
    # But what is plain is said with few rows, too.
    assert only(RNG.normal(size=200), RNG.normal(5, 1, size=30)).verdict == "ALERT"


@pytest.mark.parametrize(
    "values", [[1.0], [0.0, np.inf], [np.nan], ["a"], [1e300, -1e300], [2**60]]
)
def test_odd_columns_never_crash_and_are_calm_about_themselves(values):
    column = pa.array(values * (3000 // len(values)))
    assert only(column, column).verdict in {"OK", "NO_VERDICT"}


def test_a_constant_that_changes_is_an_alert():
    found = only([1.0] * 2000, [2.0] * 2000)
    assert found.verdict == "ALERT"
    assert "no value in common" in found.words
    assert only(["a"] * 2000, ["b"] * 2000).verdict == "ALERT"


def test_a_change_that_is_certain_but_small_is_ok_and_said():
    found = only(RNG.normal(size=200_000), RNG.normal(0.03, 1, size=200_000))
    assert (found.verdict, found.adjusted < 1e-6) == ("OK", True)
    assert found.why.startswith("certain, but small")
    assert (
        only(RNG.normal(size=9000), RNG.normal(0.03, 1, 9000), floors=Floors(number=0.01)).verdict
        != "OK"
    )


def test_false_alerts_are_as_rare_as_alpha_says():
    rng, alarms, runs = np.random.default_rng(1), 0, 40
    for _ in range(runs):
        sides = [
            {
                "n": rng.standard_t(3, 400),
                "z": pa.array(rng.poisson(0.5, 400), mask=rng.random(400) < 0.1),
                "c": rng.integers(0, 12, 400).astype(str),
                "d": rng.choice(["a", "b"], 400),
            }
            for _ in range(2)
        ]
        alarms += rows(*sides, alpha=0.2, floors=Floors(number=0, category=0)).verdict == "ALERT"
    assert alarms <= 16  # of 40 at .2: more than 16 has p = .001


def test_days_are_the_units_when_asked():
    rng = np.random.default_rng(3)

    def window(n: int, shift: float = 0.0) -> list[dict]:
        centre = rng.normal(shift, 0.1, n)
        return [{"x": rng.normal(c, 1, 2000), "c": rng.choice(["a", "b"], 2000)} for c in centre]

    before = days(window(28))
    calm = compare(before, days(window(7), grids=before[0].grids, first=28), units="days")
    assert [s.verdict.value for s in calm.shifts if s.column == "x"] != ["ALERT"]
    moved = compare(before, days(window(7, 0.6), grids=before[0].grids, first=28), units="days")
    assert {s.column: s.verdict.value for s in moved.shifts}["x"] == "ALERT"
    assert moved.days == (28, 7)
    few = compare(before[:4], days(window(7, 9.0), grids=before[0].grids, first=28), units="days")
    assert {s.verdict.value for s in few.shifts} == {"NO_VERDICT"}  # never silently by rows
    assert "5 are needed" in few.why


def test_days_that_together_have_more_categories_than_are_kept_are_compared():
    rng = np.random.default_rng(5)

    def window(first: int, n: int) -> list[Profile]:
        found = []
        for k in range(first, first + n):
            tails = pa.table({"tail": [f"N{v}" for v in rng.zipf(1.2, 300) % 4000]})
            start = START + timedelta(days=k)
            end = start + timedelta(days=1)
            found.append(of_table(tails, most=60, start=start, end=end))
        return found

    found = compare(window(0, 14), window(14, 14), units="days").shifts[0]
    assert found.verdict != "ALERT"
    assert np.isfinite(found.value)


def test_the_order_is_by_verdict_then_importance():
    x = RNG.normal(size=4000)
    sides = {"a": x, "b": x, "c": x}, {"a": x + 1, "b": x + 0.5, "c": x}
    assert [s.column for s in rows(*sides).shifts] == ["a", "b", "c"]
    important = rows(*sides, importance={"b": 0.9, "a": 0.1})
    assert [s.column for s in important.shifts] == ["b", "a", "c"]


def test_a_window_needs_a_profile_and_one_grid():
    x = of_table(pa.table({"x": RNG.normal(size=50)}))
    with pytest.raises(BadInput, match="no profile"):
        compare([], [x])
    with pytest.raises(BadInput, match="grid"):
        compare([x], [of_table(pa.table({"x": RNG.normal(3, 2, size=50)}))])
