"""Rules on many columns at once: their size with days that differ, their power, and bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tidemill.core.errors import BadValue
from tidemill.core.verdict import Verdict
from tidemill.measures.profile import of_table
from tidemill.monitoring.drift import compare
from tidemill.monitoring.joint import MMD, DomainClassifier, JointRule, SlicedDistance

COLUMNS = 5
RULES = (
    MMD(rows=200, features=128),
    SlicedDistance(rows=200, directions=16),
    DomainClassifier(rows=200),
)


def day(rng: np.random.Generator, *, effect: float = 0.1, flip: bool = False) -> pa.Table:
    """Make a day whose columns have means of their own; in one pair the correlation may flip."""
    points = rng.normal(size=(200, COLUMNS))
    points[:, 1] = 0.8 * points[:, 0] * (-1 if flip else 1) + 0.6 * points[:, 1]
    points += effect * rng.normal(size=COLUMNS)
    return pa.table({f"x{k}": points[:, k] for k in range(COLUMNS)})


def shifted(rows: pa.Table, move: float) -> pa.Table:
    return pa.table({name: rows[name].to_numpy() + move for name in rows.column_names})


@pytest.mark.parametrize("rule", RULES[:2], ids=["mmd", "sliced"])
@pytest.mark.parametrize("now", [1, 7])
def test_days_that_differ_as_usual_are_no_alert(rule: Any, now: int) -> None:
    rng = np.random.default_rng(now)
    runs = 80
    alerts = 0
    for _ in range(runs):
        usual = [day(rng) for _ in range(21)]
        found = rule.compared(usual, [day(rng) for _ in range(now)], alpha=0.05)
        alerts += found.judgement.verdict is Verdict.ALERT
    # 1.5 times 5 %, and what so few runs may add: beyond it with a chance below 1 in 100.
    assert alerts <= 1.5 * 0.05 * runs + 2.4 * np.sqrt(0.075 * 0.925 * runs)


@pytest.mark.parametrize(
    ("rule", "now"),
    # One day of random directions says too little: the sliced distance needs some days.
    [(RULES[0], 1), (RULES[2], 1), *((rule, 7) for rule in RULES)],
)
def test_a_correlation_that_flips_is_found_where_no_column_shows_it(rule: Any, now: int) -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(5):
        usual = [day(rng) for _ in range(21)]
        found = rule.compared(usual, [day(rng, flip=True) for _ in range(now)], alpha=0.005)
        hits += found.judgement.verdict is Verdict.ALERT
    assert hits >= 4


@pytest.mark.parametrize("rule", RULES[:2], ids=["mmd", "sliced"])
@pytest.mark.parametrize("now", [1, 7])
def test_a_calm_verdict_is_given_where_twice_the_floor_would_be_found(rule: Any, now: int) -> None:
    rng, calm, found, small = np.random.default_rng(7), [], [], []
    for _ in range(8):
        usual = [day(rng, effect=0.03) for _ in range(28)]
        # The floors are moves of every column by .18 and .125 sd; MMD is squared.
        for said, move in ((calm, 0.0), (small, 0.06), (found, 0.25)):
            moved = [shifted(day(rng, effect=0.03), move) for _ in range(now)]
            said.append(rule.compared(usual, moved, alpha=0.005).judgement.verdict)
    assert calm.count(Verdict.OK) >= 7
    assert found.count(Verdict.ALERT) >= 5
    assert small.count(Verdict.ALERT) <= 1  # half the floor, though seven days are evidence of it


@pytest.mark.parametrize(
    ("rule", "now", "effect"),
    [*((rule, now, 0.5) for rule in RULES[:2] for now in (1, 7)), (RULES[2], 1, 0.3)],
)
def test_little_data_gives_no_verdict_instead_of_calm(rule: Any, now: int, effect: float) -> None:
    rng = np.random.default_rng(9)
    days = [day(rng, effect=effect).slice(0, 40) for _ in range(14 + now)]
    said = rule.compared(days[:14], days[14:], alpha=0.002).judgement
    assert said.verdict is Verdict.NO_VERDICT
    assert said.why.startswith("too little: twice the floor of")
    always = type(rule)(floor=0.0).compared(days[:14], days[14:], alpha=0.002).judgement
    assert always.verdict is Verdict.OK  # of whoever asks for any size, every size is asked


def test_no_column_alone_shows_the_flip() -> None:
    rng = np.random.default_rng(4)
    usual = [of_table(day(rng)) for _ in range(21)]
    grids = usual[0].grids
    rng = np.random.default_rng(4)
    usual = [of_table(day(rng), grids=grids) for _ in range(21)]
    flipped = [of_table(day(rng, flip=True), grids=grids) for _ in range(7)]
    said = compare(usual, flipped, units="days", alpha=0.005)
    assert said.counts[Verdict.ALERT] == 0


def test_the_classifier_names_the_region_in_columns_of_any_kind() -> None:
    rng = np.random.default_rng(5)

    def one(more: float) -> pa.Table:
        storm = rng.random(300) < more
        wind = np.where(storm, rng.normal(40, 2, 300), rng.normal(10, 4, 300))
        place = np.where(storm, "JFK", rng.choice(["EWR", "LGA", "JFK"], 300))
        return pa.table({"wind": wind, "place": place, "v": list(rng.normal(size=(300, 2)))})

    found = DomainClassifier(rows=300).compared(
        [one(0.0) for _ in range(20)], [one(0.4)], alpha=0.001
    )
    assert found.judgement.verdict is Verdict.ALERT
    assert found.where is not None
    assert {c.column for c in found.where.conditions} <= {"wind", "place"}


@pytest.mark.parametrize("rule", RULES, ids=["mmd", "sliced", "classifier"])
def test_what_cannot_be_compared_has_no_verdict_and_a_reason(rule: JointRule) -> None:
    rng = np.random.default_rng(6)
    days = [day(rng) for _ in range(16)]
    few = rule.compared(days[:4], days[4:5], alpha=0.01)
    short = rule.compared(days[:15], [days[15].slice(0, 3)], alpha=0.01)
    for said in (few, short):
        assert said.judgement.verdict is Verdict.NO_VERDICT
        assert "needed" in said.judgement.why
    two = rule.compared(days[:8] * 2, days[14:], alpha=0.001)
    assert two.judgement.verdict is Verdict.NO_VERDICT


def test_texts_and_vectors_of_two_lengths_are_said() -> None:
    texts = [pa.table({"c": ["a", "b"] * 50})] * 16
    vectors = [pa.table({"v": [[1.0, 2.0]] * 99 + [[1.0]]})] * 16
    lost = [pa.table({"x": pa.array([None] * 100, pa.float64())})] * 16
    for tables, words in ((texts, "no number and no vector"), (vectors, "1 to 2 numbers")):
        said = MMD().compared(tables[1:], tables[:1], alpha=0.01).judgement
        assert (said.verdict, words in said.why) == (Verdict.NO_VERDICT, True)
    said = SlicedDistance().compared(lost[1:], lost[:1], alpha=0.01).judgement
    assert said.verdict is Verdict.NO_VERDICT
    with pytest.raises(BadValue, match="columns must be names"):
        MMD(("a", "a"))
