"""Regions: what tells now from before, its size when days differ, and days that are unusual."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import ndtr
from scipy.stats import binom

from tidemill.core.errors import BadInput
from tidemill.core.verdict import Verdict
from tidemill.measures.coding import Coding
from tidemill.monitoring.regions import domain_classifier, unusual
from tidemill.monitoring.regions.beyond import beyond
from tidemill.monitoring.regions.tree import boosted, grow


def rows(rng, days: int, effect: float, *, each: int = 60) -> tuple[pa.Table, np.ndarray]:
    day = np.repeat(np.arange(days), each)
    x, y = rng.normal(size=(2, day.size)) + effect * rng.normal(size=(2, days))[:, day]
    return pa.table({"x": x, "y": y, "c": rng.choice(["a", "b", "c"], day.size)}), day


def with_corner(rng, n: int, share: float) -> pa.Table:
    """Draw rows of which a share lies where the carrier is 9E, humid is high and wind is missing."""
    corner = rng.random(n) < share
    return pa.table(
        {
            "carrier": np.where(corner, "9E", rng.choice(["9E", "UA", "DL", "B6"], n)),
            "humid": np.where(corner, rng.uniform(80, 100, n), rng.uniform(0, 100, n)),
            "wind": pa.array(rng.normal(size=n), mask=corner | (rng.random(n) < 0.1)),
        }
    )


def test_a_tree_splits_where_a_search_of_every_question_would() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 6, (300, 3)).astype(np.uint8)
    gradient, hessian = rng.normal(size=300), np.ones(300)
    tree = grow(codes, gradient, hessian, np.array([False, True, False]), depth=1, least=10)

    def gain(left: np.ndarray) -> float:
        if min(left.sum(), (~left).sum()) < 10:
            return 0.0
        return sum(gradient[s].sum() ** 2 / (s.sum() + 1) for s in (left, ~left))

    sets = [np.array([bool(bits >> k & 1) for k in range(6)]) for bits in range(64)]
    ordered = [np.arange(6) <= cut for cut in range(6)]
    ordered += [allowed & (np.arange(6) > 0) for allowed in ordered]
    best = max(gain(one[codes[:, at]]) for at in (0, 2) for one in ordered)
    best = max(best, *(gain(one[codes[:, 1]]) for one in sets))
    assert gain(tree.left[0, codes[:, tree.column[0]]]) == pytest.approx(best)


def test_the_codes_that_lead_to_a_leaf_are_those_of_its_rows() -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 8, (2000, 4)).astype(np.uint8)
    tree = boosted(codes, codes[:, 0] + codes[:, 2] > 7, np.zeros(4, dtype=bool), rounds=1).trees[0]
    leaves = tree.leaves(codes)
    for leaf in range(tree.values.size):
        allowed = tree.allowed(leaf, 4)
        inside = np.all([allowed[at, codes[:, at]] for at in range(4)], axis=0)
        assert (inside == (leaves == leaf)).all()


def test_the_region_that_is_new_is_named() -> None:
    rng = np.random.default_rng(2)
    found = domain_classifier(with_corner(rng, 4000, 0), with_corner(rng, 3000, 0.15))
    assert found.evidence.p < 1e-6
    region = found.regions[0]
    assert {one.column for one in region.where.conditions} <= {"carrier", "humid", "wind"}
    assert region.current - region.reference > 0.12
    fresh = with_corner(rng, 20_000, 0), with_corner(rng, 20_000, 0.15)
    for table, said in zip(fresh, (region.reference, region.current), strict=True):
        assert region.where.mask(table).mean() == pytest.approx(said, abs=0.03)


def test_equal_tables_are_told_apart_one_time_in_twenty() -> None:
    by_row = by_day = 0
    for seed in range(25):
        rng = np.random.default_rng(seed)
        (before, first), (now, second) = rows(rng, 12, 0.5), rows(rng, 8, 0.5)
        by_day += domain_classifier(before, now, seed=seed, days=(first, second)).evidence.p <= 0.05
        by_row += domain_classifier(before, now, seed=seed).evidence.p <= 0.05
    assert by_row > 6  # the days differ, and to rows that is a change
    assert by_day <= binom.ppf(0.999, 25, 0.05)


def test_a_corner_is_unusual_and_an_ordinary_day_is_not() -> None:
    rng = np.random.default_rng(3)
    past = [with_corner(rng, 300, 0).append_column("id", pa.array(1000 * k + np.arange(300)))
            for k in range(15)]  # fmt: skip
    counter = pa.array(90_000 + np.arange(300))
    odd = unusual(with_corner(rng, 300, 0.2).append_column("id", counter), past)
    calm = unusual(with_corner(rng, 300, 0).append_column("id", counter), past)
    assert odd.judgement.verdict is Verdict.ALERT
    assert odd.always == calm.always == ("id",)
    assert odd.regions[0].current > 0.15 > odd.regions[0].highest
    assert calm.judgement.verdict is Verdict.OK


def test_days_that_differ_anyway_are_not_unusual() -> None:
    found = 0
    for seed in range(8):
        rng = np.random.default_rng((4, seed))
        *past, today = [rows(rng, 1, 0.7, each=80)[0] for _ in range(12)]
        found += unusual(today, past, alpha=0.05, seed=seed).judgement.p <= 0.05
    assert found <= binom.ppf(0.999, 8, 0.06)


def test_what_cannot_be_said_has_its_reason() -> None:
    rng = np.random.default_rng(5)
    table, day = rows(rng, 10, 0)
    same = pa.table({"x": np.ones(600)})
    cases = {
        "0 and 600 rows": domain_classifier(table[:0], table),
        "no column": domain_classifier(same, same),
        "fewer than 6 days": domain_classifier(table, table[:60], days=(day, day[:60])),
    }
    for why, found in cases.items():
        assert why in found.why
        assert math.isnan(found.evidence.p)
        assert found.regions == ()
    with pytest.raises(BadInput, match="days of reference"):
        domain_classifier(table, table, days=(day[:3], day))
    counter = [pa.table({"id": 1000 * k + np.arange(100)}) for k in range(12)]
    for why, found in {
        "9 past days": unusual(table[:60], [table[:60]] * 9),
        "and 0 of today": unusual(table[:0], [table[:60]] * 12),
        "no column": unusual(counter[11], counter[:11]),
    }.items():
        assert found.judgement.verdict is Verdict.NO_VERDICT
        assert why in found.judgement.why


def test_hostile_columns_do_no_harm() -> None:
    rng = np.random.default_rng(6)
    n = 200
    table = pa.table(
        {
            "x": np.where(rng.random(n) < 0.2, np.inf, rng.normal(size=n)), "huge": rng.normal(size=n) * 1e307,
            "nan": np.full(n, math.nan), "null": pa.nulls(n), "key": [f"k{k}" for k in range(n)],
            "list": [[1]] * n, "flag": rng.random(n) < 0.5,
        }
    )  # fmt: skip
    found = domain_classifier(table, table)
    assert {name for name, _ in found.left_out} == {"nan", "null", "list"}
    assert found.evidence.p > 0.01
    assert Coding.fit(table).size <= 256


def test_complete_separation_is_the_strongest_evidence() -> None:
    rng = np.random.default_rng(7)
    table, day = rows(rng, 10, 0)
    moved = table.set_column(2, "c", pa.array(["z"] * table.num_rows))
    found = domain_classifier(table, moved, days=(day, day))
    assert found.auc.value == 1
    assert found.evidence.p == pytest.approx(1 / math.comb(10, 5))
    assert found.regions[0].current == 1


@pytest.mark.parametrize("kinds", [1, 3])
@pytest.mark.parametrize("effect", [0.0, 0.3, 0.8])
def test_an_ordinary_day_is_beyond_the_others_as_often_as_it_says(
    kinds: int, effect: float
) -> None:
    rng = np.random.default_rng((8, kinds, round(10 * effect)))
    apart = effect * np.sqrt(rng.chisquare(kinds, (3000, 21)))
    aucs = np.clip(ndtr(apart / math.sqrt(2)) + 0.03 * rng.normal(size=apart.shape), 0, 1)
    ps = np.array([beyond(row[0], row[1:], alpha=0.05, rows=125)[0] for row in aucs])
    assert np.mean(ps <= 0.05) < 0.06
    assert np.mean(ps <= 0.01) < 0.018


def test_nothing_is_beyond_days_that_are_all_the_same() -> None:
    for usual in (np.full(10, 0.5), np.full(10, 1.0), np.linspace(0.5, 1.0, 10)):
        assert math.isnan(beyond(1.0, usual, alpha=0.01, rows=125)[0])
