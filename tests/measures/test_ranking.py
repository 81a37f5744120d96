"""Metrics of ranking: scikit-learn's number, every order of equal scores, and lists left whole."""

from __future__ import annotations

import math
from itertools import pairwise, permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import ndcg_score

from tidemill.core.errors import BadInput
from tidemill.measures import (
    AUC,
    MAP,
    MRR,
    NDCG,
    Metric,
    PrecisionAt,
    RecallAt,
    measure,
    measure_difference,
)
from tidemill.measures.grouped import truth_for

ALL: list[Metric] = [NDCG(), MRR(), MAP(), PrecisionAt(2), RecallAt(2)]
EACH = pytest.mark.parametrize("metric", ALL, ids=lambda m: m.name)
Array = NDArray[Any]


def drawn(seed: int, lists: int = 40, long: int = 12) -> tuple[Array, Array, Array]:
    """Draw labels 0 to 3, scores with many ties, and the unit of each row, mixed up."""
    rng = np.random.default_rng(seed)
    label = np.maximum(rng.integers(-6, 4, lists * long), 0).astype(float)
    label[::long] = 2.0  # something is relevant in every list
    score = np.round(0.1 * label + rng.random(label.size), 1)
    order = rng.permutation(label.size)
    unit = np.repeat([f"u{k}" for k in range(lists)], long)
    return label[order], score[order], unit[order]


def asked(metric: Metric, label: Array, score: Array, unit: Array, weight: Any = None) -> float:
    ones = np.ones(label.size) if weight is None else weight
    return metric(truth_for(metric, label, {"unit": unit}), score, ones)


@pytest.mark.parametrize("k", [1, 5, None])
def test_ndcg_is_scikit_learns(k: int | None) -> None:
    label, score, unit = drawn(1)
    rng = np.random.default_rng(0)
    heavy = dict(zip(np.unique(unit), rng.exponential(size=40), strict=True))
    weight = np.array([heavy[u] for u in unit])
    rows = [[v[unit == u] for u in np.unique(unit)] for v in (label, score)]
    for gain, truth in (("linear", rows[0]), ("exponential", [2**y - 1 for y in rows[0]])):
        want = ndcg_score(truth, rows[1], k=k, sample_weight=list(heavy.values()))
        assert asked(NDCG(k=k, gain=gain), label, score, unit, weight) == pytest.approx(want)


def by_hand(metric: Metric, relevant: tuple[bool, ...]) -> float:
    """Compute a metric of one list in its order, from its definition."""
    total = sum(relevant)
    if metric.name.startswith("precision"):
        return sum(relevant[:2]) / 2
    if not total:
        return math.nan
    if metric.name.startswith("recall"):
        return sum(relevant[:2]) / total
    if metric.name.startswith("mrr"):
        return 1 / (1 + relevant.index(True))
    if metric.name.startswith("map"):
        return sum(sum(relevant[: i + 1]) / (i + 1) for i, r in enumerate(relevant) if r) / total
    gains = [r / math.log2(i + 2) for i, r in enumerate(relevant)]
    return sum(gains) / sum(1 / math.log2(i + 2) for i in range(total))


@EACH
@settings(max_examples=25)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2)), min_size=1, max_size=6))
def test_ties_are_the_mean_over_all_orders(metric: Metric, rows: list[tuple[bool, int]]) -> None:
    orders = [p for p in permutations(rows) if all(a[1] >= b[1] for a, b in pairwise(p))]
    want = float(np.mean([by_hand(metric, tuple(r for r, _ in p)) for p in orders]))
    label, score = (np.array(x, dtype=float) for x in zip(*rows, strict=True))
    got = asked(metric, label, score, np.full(label.size, "one"))
    assert got == pytest.approx(want, nan_ok=True)


@EACH
def test_lists_count_by_their_weight_and_only_where_something_is_relevant(metric: Metric) -> None:
    label, score, unit = drawn(2, lists=2)
    one = unit == "u0"
    values = [asked(metric, label[k], score[k], unit[k]) for k in (one, ~one)]
    weight = np.where(one, 3.0, 1.0)
    whole = asked(metric, label, score, unit, weight)
    assert whole == pytest.approx((3 * values[0] + values[1]) / 4)
    assert asked(metric, label, score, unit, np.where(one, 1.0, 0.0)) == pytest.approx(values[0])
    nothing = asked(metric, 0 * label, score, unit)
    assert nothing == 0 if metric.name == "precision_at_2" else math.isnan(nothing)


@EACH
def test_leaving_out_days_gives_an_interval(metric: Metric) -> None:
    label, score, unit = drawn(3, lists=120)
    day = np.array([int(u[1:]) % 12 for u in unit])
    truth, ones = truth_for(metric, label, {"unit": unit}), np.ones(label.size)
    found = measure(metric, truth, score, ones, day)
    assert (found.groups, found.value) == (12, metric(truth, score, ones))
    assert 0 < found.high - found.low < 0.3
    guessed = np.random.default_rng(1).random(label.size)
    assert measure_difference(metric, truth, label, guessed, ones, day).low > 0
    assert measure_difference(metric, truth, guessed, label, ones, day).high < 0


def test_a_tag_makes_the_lists_and_what_has_none_is_said() -> None:
    label, score = np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.9, 0.8, 0.1, 0.7])
    tags = np.array(['{"query": "a"}'] * 2 + ['{"query": 7, "x": "y"}'] * 2, dtype=object)
    metric = MRR(group="query")
    assert metric(truth_for(metric, label, {"tags": tags}), score, np.ones(4)) == 0.75
    tags[0] = "{}"
    with pytest.raises(BadInput, match=r"1 of 4 rows have no tag 'query'.*Fix: log every record"):
        truth_for(metric, label, {"tags": tags})
    with pytest.raises(BadInput, match=r"4 of 4 rows have no unit.*group='query'"):
        truth_for(NDCG(), label, {})
    with pytest.raises(BadInput, match="which rows belong together"):
        NDCG()(label, score, np.ones(4))
    assert truth_for(AUC(), label, {}) is label


def test_a_gain_is_not_negative() -> None:
    with pytest.raises(BadInput, match="label -1 is below 0"):
        asked(NDCG(), np.array([-1.0, 1.0]), np.ones(2), np.array(["a", "a"]))
