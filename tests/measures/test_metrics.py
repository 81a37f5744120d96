"""Metrics: the numbers scikit-learn gives, NaN for what cannot be known, a sign for better."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import metrics as sk

from tidemill.core.errors import BadInput
from tidemill.measures import (
    AUC,
    MAE,
    MSE,
    Accuracy,
    Brier,
    LogLoss,
    Metric,
    measure,
    measure_difference,
)

ALL: list[Metric] = [Accuracy(), AUC(), Brier(), LogLoss(), MAE(), MSE()]
SCORED = [m for m in ALL if m.needs == "score"]
EACH = pytest.mark.parametrize("metric", ALL, ids=lambda m: m.name)
EACH_SCORED = pytest.mark.parametrize("metric", SCORED, ids=lambda m: m.name)
ROW = st.tuples(st.booleans(), st.integers(0, 8), st.floats(0.01, 100))
TABLES = st.lists(ROW, min_size=2, max_size=40).map(
    lambda rows: tuple(np.array(column, dtype=float) for column in zip(*rows, strict=True))
)
Table = tuple[np.ndarray, np.ndarray, np.ndarray]


def scored(seed: int, n: int = 500) -> Table:
    """Draw labels, scores in (0, 1) with many ties, and weights."""
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < 0.3).astype(float)
    score = np.clip(np.round(0.2 * label + rng.random(n) * 0.7, 2), 0.01, 0.99)
    return label, score, rng.exponential(size=n)


@pytest.mark.parametrize("seed", range(5))
def test_scores_as_scikit_learn(seed: int) -> None:
    y, s, w = scored(seed)
    assert AUC()(y, s, w) == pytest.approx(sk.roc_auc_score(y, s, sample_weight=w))
    assert LogLoss()(y, s, w) == pytest.approx(sk.log_loss(y, s, sample_weight=w))
    assert Brier()(y, s, w) == pytest.approx(sk.brier_score_loss(y, s, sample_weight=w))


@pytest.mark.parametrize("seed", range(5))
def test_outputs_as_scikit_learn(seed: int) -> None:
    y, s, w = scored(seed)
    out = (s > 0.4).astype(float)
    text = np.array(["no", "yes"], dtype=object)
    want = sk.accuracy_score(y, out, sample_weight=w)
    assert Accuracy()(y, out, w) == pytest.approx(want)
    assert Accuracy()(text[y.astype(int)], text[out.astype(int)], w) == pytest.approx(want)
    assert MAE()(y, s, w) == pytest.approx(sk.mean_absolute_error(y, s, sample_weight=w))
    assert MSE()(y, s, w) == pytest.approx(sk.mean_squared_error(y, s, sample_weight=w))


@given(TABLES)
def test_auc_counts_pairs(table: Table) -> None:
    y, s, w = table
    assume(0 < y.sum() < y.size)
    good, bad = y == 1, y == 0
    gap = s[good][:, None] - s[bad][None, :]
    pair = w[good][:, None] * w[bad][None, :]
    want = float((pair * ((gap > 0) + 0.5 * (gap == 0))).sum() / pair.sum())
    assert AUC()(y, s, w) == pytest.approx(want)


@given(TABLES)
def test_auc_turned_over_is_its_complement(table: Table) -> None:
    y, s, w = table
    assume(0 < y.sum() < y.size)
    auc = AUC()(y, s, w)
    assert AUC()(y, -s, w) == pytest.approx(1 - auc)
    assert AUC()(1 - y, s, w) == pytest.approx(1 - auc)
    assert AUC()(y, np.exp(s), w) == auc


@EACH
@given(table=TABLES, scale=st.sampled_from([1e-290, 0.1, 7.0, 1e290]))
def test_only_ratios_of_weights_matter(metric: Metric, table: Table, scale: float) -> None:
    y, s, w = table
    want = metric(y, s / 8, w)
    assert metric(y, s / 8, w * scale) == pytest.approx(want, nan_ok=True)


@EACH
def test_a_row_of_weight_two_is_two_rows(metric: Metric) -> None:
    y, s, _ = scored(3, 40)
    w = np.arange(40) % 3 + 1
    want = metric(np.repeat(y, w), np.repeat(s, w), np.ones(w.sum()))
    assert metric(y, s, w) == pytest.approx(want)


@EACH
def test_rows_of_weight_zero_are_not_looked_at(metric: Metric) -> None:
    y, s, w = scored(4, 40)
    more = metric(np.append(y, math.nan), np.append(s, math.nan), np.append(w, 0.0))
    assert more == metric(y, s, w)


@EACH
def test_nothing_gives_nan(metric: Metric) -> None:
    none = np.array([])
    assert math.isnan(metric(none, none, none))
    assert math.isnan(metric(np.ones(2), np.ones(2), np.zeros(2)))


@EACH
@pytest.mark.parametrize("which", [0, 1])
def test_a_missing_value_is_never_scored(metric: Metric, which: int) -> None:
    y, s, w = scored(5, 40)
    (y, s)[which][7] = math.nan
    assert math.isnan(metric(y, s, w))


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_has_no_auc(label: float) -> None:
    assert math.isnan(AUC()(np.full(3, label), np.arange(3.0), np.ones(3)))


def test_auc_of_classes_with_very_unequal_weights() -> None:
    y, s = np.array([1.0, 1.0, 0.0, 0.0]), np.array([0.9, 0.4, 0.4, 0.1])
    assert AUC()(y, s, np.where(y == 1, 1e-300, 1e300)) == 0.875


def test_log_loss_of_a_sure_and_wrong_score_is_bounded() -> None:
    y, s = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert LogLoss()(y, s, np.ones(2)) == pytest.approx(-math.log(1e-15))
    assert LogLoss()(1 - y, s, np.ones(2)) == 0


@EACH_SCORED
def test_labels_must_be_zero_or_one(metric: Metric) -> None:
    with pytest.raises(BadInput, match=r"label -1.0 is not 0 or 1.*Fix:"):
        metric(np.array([1.0, -1.0]), np.array([0.5, 0.5]), np.ones(2))


@pytest.mark.parametrize("metric", [Brier(), LogLoss()], ids=lambda m: m.name)
def test_scores_must_be_probabilities_but_for_rounding(metric: Metric) -> None:
    y, ones = np.array([1.0, 0.0]), np.ones(2)
    with pytest.raises(BadInput, match=r"score 1.5 is not a probability.*Fix:"):
        metric(y, np.array([1.5, 0.5]), ones)
    assert metric(y, np.array([1 + 1e-7, 0.5]), ones) == metric(y, np.array([1.0, 0.5]), ones)


def test_text_and_numbers_are_never_compared() -> None:
    with pytest.raises(BadInput, match="not of one kind"):
        Accuracy()(np.array([1.0]), np.array(["1"], dtype=object), np.ones(1))
    with pytest.raises(BadInput, match="not a number"):
        MAE()(np.array(["cat"]), np.array(["dog"]), np.ones(1))


def test_missing_text_is_never_scored() -> None:
    both: np.ndarray = np.array(["cat", None], dtype=object)
    assert math.isnan(Accuracy()(both, both, np.ones(2)))


def test_huge_errors_warn_nobody() -> None:
    assert MSE()(np.array([1e200]), np.array([-1e200]), np.ones(1)) == math.inf
    assert math.isnan(MAE()(np.array([math.inf]), np.array([math.inf]), np.ones(1)))


@EACH
def test_lengths_must_agree(metric: Metric) -> None:
    with pytest.raises(BadInput, match="one answer"):
        metric(np.ones(2), np.ones(3), np.ones(2))


@EACH
def test_examples_are_equal_values(metric: Any) -> None:
    assert list(type(metric).examples()) == [metric]
    assert metric.name == metric.name.lower()


@EACH
def test_better_is_positive_whichever_way_the_metric_points(metric: Metric) -> None:
    y, s, w = scored(6)
    worse = np.round(0.5 * s + 0.5 * scored(7)[1], 2)
    candidate, champion = (s, worse) if metric.needs == "score" else (y, 1 - y)
    day = np.arange(y.size) % 10
    got = measure_difference(metric, y, candidate, champion, w, day)
    back = measure_difference(metric, y, champion, candidate, w, day)
    assert got.value > 0
    assert (back.value, back.low, back.high) == pytest.approx((-got.value, -got.high, -got.low))
    gap = metric(y, candidate, w) - metric(y, champion, w)
    assert got.value == pytest.approx(abs(gap))


@EACH
def test_a_model_against_itself_differs_by_nothing(metric: Metric) -> None:
    y, s, w = scored(8)
    got = measure_difference(metric, y, s, s, w, np.arange(y.size) % 10)
    assert (got.value, got.low, got.high) == (0, 0, 0)


def test_measure_states_what_it_rests_on() -> None:
    y, s, w = scored(9)
    w[:100] = 0
    got = measure(AUC(), y, s, w, np.arange(y.size) // 50, confidence=0.9)
    assert (got.n, got.groups) == (400, 8)
    assert got.n_effective == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert got.low < got.value < got.high


def test_positives_on_one_day_only_give_no_interval() -> None:
    day = np.repeat(np.arange(8), 5)
    y = (day == 3).astype(float)
    got = measure(AUC(), y, np.arange(40.0), np.ones(40), day)
    assert not got.known
    assert math.isfinite(got.value)
