"""Slices: the planted one is found, none is confirmed in a null world, a change is explained."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import binom

from tidemill.core.errors import BadInput, BadValue
from tidemill.measures.coding import Coding
from tidemill.monitoring.slices import confirmed, explained, slices
from tidemill.monitoring.slices.literals import literals
from tidemill.monitoring.slices.search import best


def features(rng, n: int, *, unit=None) -> pa.Table:
    """Draw three numbers and five categories a row, some of which belong to the row's unit."""
    own = np.arange(n) if unit is None else unit
    columns = {f"n{k}": rng.normal(size=n) for k in range(5)}
    columns |= {f"c{k}": rng.integers(0, m, n).astype(str) for k, m in enumerate((4, 5, 10, 30))}
    return pa.table(columns | {"own": rng.integers(0, 4, n)[own].astype(str)})


def test_a_planted_slice_is_in_the_top_three() -> None:
    found = 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        table = features(rng, 20_000)
        hard = (table["c0"].to_numpy() == "1") & (table["n0"].to_numpy() > 0.84)
        loss = rng.random(20_000) < 0.2 + 0.1 * hard
        masks = [one.where.mask(table) for one in slices(table, loss)[:3]]
        found += any((one & hard).sum() > (one | hard).sum() / 2 for one in masks)
    assert found == 5


def test_the_search_finds_what_a_search_of_everything_does() -> None:
    rng = np.random.default_rng(1)
    for depth, least in ((2, 20), (3, 40)):
        n = 600
        table = pa.table(
            {name: rng.integers(0, 4, n).astype(str) for name in "abc"} | {"x": rng.normal(size=n)}
        )
        value = rng.exponential(size=n)
        value += (table["a"].to_numpy() == "1") & (table["x"].to_numpy() > 0)
        value -= value.mean()
        some = literals(coding := Coding.fit(table, numbers=10), coding.codes(table), least)
        top = 0.0
        for size in range(1, depth + 1):
            for which in itertools.combinations(range(len(some.conditions)), size):
                inside = some.inside(which)
                if inside.sum() >= least:
                    top = max(top, value[inside].sum() / math.sqrt(inside.sum()))
        # What is shown may be shorter than what scored highest, but never better.
        shown = max(score for _, _, score in best(table, value, least=least, depth=depth, most=1))
        assert shown <= top / value.std() + 1e-6
        assert shown >= 0.6 * top / value.std()


def test_what_is_said_of_a_slice_is_true_of_its_rows() -> None:
    rng = np.random.default_rng(2)
    table = features(rng, 4000)
    weight = rng.integers(0, 3, 4000).astype(float)
    loss = rng.random(4000) + (table["c0"].to_numpy() == "2")
    loss[:50] = math.nan
    found = slices(table, loss, weight)
    assert found[0].where.words() == "c0 is 2"
    for one in found:
        inside = one.where.mask(table)
        use = (weight > 0) & ~np.isnan(loss)
        mean = np.average(loss[inside & use], weights=weight[inside & use])
        assert one.n == (inside & use).sum() >= 32
        assert one.mean == pytest.approx(mean)
        assert one.effect == pytest.approx(
            mean - np.average(loss[~inside & use], weights=weight[~inside & use])
        )


def test_nothing_is_confirmed_where_nothing_is_worse() -> None:
    by_unit = by_row = 0
    for seed in range(20):
        rng = np.random.default_rng((3, seed))
        unit = rng.integers(0, 60, 1500)
        table = features(rng, 1500, unit=unit)
        loss = rng.random(1500) < np.clip(0.3 + 0.2 * rng.normal(size=60)[unit], 0, 1)
        by_unit += any(one.confirmed for one in confirmed(table, loss, unit=unit, seed=seed))
        by_row += any(one.confirmed for one in confirmed(table, loss, seed=seed))
    assert by_unit <= binom.ppf(0.999, 20, 0.05)
    assert by_row > 2 * max(by_unit, 2)  # halves of the same units confirm each other's luck


def test_a_slice_that_is_worse_is_confirmed_by_unit() -> None:
    rng = np.random.default_rng(4)
    unit = rng.integers(0, 300, 12_000)
    table = features(rng, 12_000, unit=unit)
    hard = table["c1"].to_numpy() == "3"
    tested = confirmed(table, rng.random(12_000) < 0.2 + 0.15 * hard, unit=unit)
    assert tested[0].confirmed
    assert tested[0].slice.where.words() == "c1 is 3"
    assert 0 < tested[0].low < 0.15 < tested[0].low + 0.1
    assert "confirmed" in tested[0].words()


def test_a_change_is_its_rate_and_its_mix() -> None:
    rng = np.random.default_rng(5)
    before, now = features(rng, 6000), features(rng, 6000)
    # A tenth of the rows got worse, and rows that were always bad became more.
    worse = now["c2"].to_numpy() == "7"
    always = [side["c3"].to_numpy() == "11" for side in (before, now)]
    many = rng.random(6000) < 0.2
    now = now.set_column(8, "c3", pa.array(np.where(many, "11", now["c3"].to_numpy())))
    always[1] = always[1] | many
    loss = [rng.random(6000) < 0.2 + 0.5 * own for own in always]
    loss[1] |= (rng.random(6000) < 0.6) & worse
    found = explained(before, loss[0], now, loss[1])
    by = {part.where.words(): part for part in found.parts}
    assert {"c2 is 7", "c3 is 11"} <= set(by)
    assert by["c2 is 7"].rate > 4 * abs(by["c2 is 7"].mix)
    assert by["c3 is 11"].mix > 4 * abs(by["c3 is 11"].rate)
    assert found.difference == pytest.approx(np.mean(loss[1]) - np.mean(loss[0]))


def test_two_parts_of_a_change_are_the_whole() -> None:
    rng = np.random.default_rng(6)
    tables = [pa.table({"c": rng.choice(["a", "b"], 4000, p=[q, 1 - q])}) for q in (0.4, 0.6)]
    is_a = [side["c"].to_numpy() == "a" for side in tables]
    loss = [np.where(is_a[0], 0.5, 0.1), np.where(is_a[1], 0.6, 0.1)]
    part = explained(tables[0], loss[0], tables[1], loss[1], confidence=0).parts[0]
    assert part.where.words() == "c is a"
    assert part.rate == pytest.approx(0.05, abs=0.005)  # half of the rows, .1 worse
    assert part.mix == pytest.approx(
        0.2 * 0.22, abs=0.01
    )  # .2 of the rows more, .22 worse than all


def test_no_part_is_named_where_nothing_changed() -> None:
    found = 0
    for seed in range(20):
        rng = np.random.default_rng((7, seed))
        sides = [features(rng, 1500) for _ in "ab"]
        loss = [rng.random(1500) < 0.2 for _ in "ab"]
        found += bool(explained(sides[0], loss[0], sides[1], loss[1], seed=seed).parts)
    assert found <= binom.ppf(0.999, 20, 0.05)


def test_bad_input_is_no_slice_or_refused() -> None:
    table = pa.table({"x": np.arange(500.0), "c": ["a"] * 500})
    for loss in (np.ones(500), np.full(500, math.nan), np.full(500, math.inf)):
        assert slices(table, loss) == []
        assert confirmed(table, loss) == []
    assert slices(table[:0], np.ones(0)) == []
    assert slices(table.select(["c"]), np.arange(500.0)) == []
    empty = explained(table, np.ones(500), table[:0], np.ones(0))
    assert empty.parts == ()
    assert "too few rows" in empty.why
    other = explained(table, np.arange(500.0), pa.table({"y": np.arange(500.0)}), np.ones(500))
    assert other.parts == ()
    with pytest.raises(BadInput, match="loss has shape"):
        slices(table, np.ones(3))
    with pytest.raises(BadInput, match="unit has shape"):
        confirmed(table, np.ones(500), unit=np.ones(3))
    with pytest.raises(BadValue, match="1 to 4"):
        slices(table, np.ones(500), depth=9)
