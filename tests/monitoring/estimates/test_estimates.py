"""Estimates without labels: their intervals hold, and they claim nothing they cannot see."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from tidemill.core.errors import BadInput, NotFound
from tidemill.core.verdict import Verdict
from tidemill.monitoring.estimates import (
    ATC,
    CBPE,
    DLE,
    Additive,
    Answered,
    Constant,
    DoC,
    Estimator,
    Mandoline,
    judge,
    realised,
)
from tidemill.testing import check_rule

ALL: tuple[Estimator, ...] = (CBPE(times=20), DLE(), ATC(), DoC(), Mandoline(), Constant())
each = pytest.mark.parametrize("method", ALL, ids=lambda m: m.name)


def world(
    rng: np.random.Generator,
    n: int,
    *,
    too_sure: bool = False,
    shift: float = 0.0,
    spread: float = 1.0,
    days: int = 0,
) -> Answered:
    """Draw two classes whose P(label | x) is always the same, but for the moods of days."""
    x = rng.normal(shift, spread, n)
    day = np.sort(rng.integers(0, days, n)) if days else None
    moods = rng.normal(scale=0.5, size=days)[day] if days else 0.0
    truth = 1 / (1 + np.exp(1 - 1.2 * x - moods))
    return Answered(
        score=1 / (1 + np.exp(1 - (2.4 if too_sure else 1.2) * x)),
        output=(x > 0.4).astype(float),
        label=(rng.uniform(size=n) < truth).astype(float),
        day=day,
        cohorts=np.column_stack([x > c for c in (-1.0, 0.0, 1.0)]),
        features=np.column_stack([x, rng.normal(size=n)]),
    )


def coverage(method: Estimator, metric: str, windows: list[tuple[Answered, Answered]]) -> float:
    found = [(method(old, new, metric), realised(new, metric)) for old, new in windows]
    return float(np.mean([e.low <= truth <= e.high for e, truth in found]))


def within(share: float, runs: int, low: float = 0.93, high: float = 0.97) -> bool:
    """Whether coverage is in the range, but for twice the error of so few runs."""
    slack = 2 * math.sqrt(0.05 * 0.95 / runs)
    return low - slack <= share <= high + slack


@pytest.mark.parametrize("metric", ["accuracy", "auc"])
def test_cbpe_covers_what_labels_show_when_scores_must_be_calibrated(metric: str) -> None:
    rng = np.random.default_rng(1)
    draws = [(world(rng, 500, too_sure=True), world(rng, 5000, too_sure=True)) for _ in range(60)]
    assert within(coverage(CBPE(times=40), metric, draws), 60)


@pytest.mark.parametrize("metric", ["accuracy", "auc", "f1", "log_loss"])
def test_cbpe_covers_what_labels_show_of_shifted_rows(metric: str) -> None:
    rng = np.random.default_rng(2)
    draws = [(world(rng, 2000), world(rng, 3000, shift=0.3)) for _ in range(150)]
    assert within(coverage(CBPE(times=40), metric, draws), 150)


@pytest.mark.parametrize("method", [DLE(), ATC(), DoC(), Mandoline(), Constant()], ids=str)
def test_the_others_cover_what_labels_show_when_nothing_changed(method: Estimator) -> None:
    rng = np.random.default_rng(3)
    draws = [(world(rng, 800), world(rng, 800)) for _ in range(100)]
    assert within(coverage(method, "accuracy", draws), 100)


@pytest.mark.parametrize("method", [CBPE(times=40), Constant()], ids=lambda m: m.name)
def test_where_days_are_alike_only_intervals_by_days_hold(method: Estimator) -> None:
    rng = np.random.default_rng(4)
    sure = {"too_sure": True}  # so that the calibrator is drawn anew by days
    sizes = ({"n": 4000, "days": 40}, {"n": 2000, "days": 4})
    draws = [tuple(world(rng, **size, **sure) for size in sizes) for _ in range(50)]
    bare = [tuple(dataclasses.replace(w, day=None) for w in pair) for pair in draws]
    assert within(coverage(method, "precision", draws), 50, high=0.99)
    assert coverage(method, "precision", bare) < 0.85  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", ["accuracy", "auc", "log_loss"])
def test_cbpe_follows_a_shift_of_the_rows_where_the_baseline_does_not(metric: str) -> None:
    rng = np.random.default_rng(5)
    old, new = world(rng, 20_000), world(rng, 20_000, shift=1.2, spread=0.5)
    truth = realised(new, metric)
    ours, constant = (m(old, new, metric).value - truth for m in (CBPE(), Constant()))
    assert abs(ours) < 0.02
    assert abs(constant) > 0.05


@each
def test_when_the_model_becomes_wrong_nobody_sees_it_and_nobody_claims_to(method: Any) -> None:
    rng = np.random.default_rng(6)
    old, new = world(rng, 2000), world(rng, 3000)
    wrong = dataclasses.replace(new, label=1 - np.asarray(new.label))
    before, after = method(old, new, "accuracy"), method(old, wrong, "accuracy")
    assert before == after
    assert realised(wrong, "accuracy") < 0.5 < after.low
    verdict = judge(after)
    assert verdict.verdict is Verdict.OK
    assert "nobody sees" in verdict.why or "looks at nothing" in verdict.why


def test_dle_follows_a_loss_that_grows_with_what_is_known_of_the_row() -> None:
    rng = np.random.default_rng(7)

    def rows(n: int, shift: float) -> Answered:
        x = rng.normal(shift, 1, n)
        label = x + rng.normal(size=n) * np.exp(x / 2)
        return Answered(output=x, label=label, features=x[:, None])

    draws = [(rows(1000, 0.0), rows(1000, 0.3)) for _ in range(60)]
    assert within(coverage(DLE(), "mae", draws), 60, high=1.0)
    old, hard = rows(5000, 0.0), rows(5000, 1.0)
    for metric in ("mae", "mse", "rmse"):
        truth, found = realised(hard, metric), DLE()(old, hard, metric)
        assert abs(found.value - truth) < 0.25 * abs(Constant()(old, hard, metric).value - truth)
    assert DLE()(old, hard, "rmse").value == pytest.approx(DLE()(old, hard, "mse").value ** 0.5)


def test_dle_takes_any_regressor_and_tells_when_it_answers_nonsense() -> None:
    class Mean:
        def __init__(self, more: float = 0.0) -> None:
            self.more = more

        def fit(self, x: Any, y: Any) -> None:
            self.mean = y.mean()

        def predict(self, x: Any) -> Any:
            return np.full(len(x), self.mean + self.more)

    rng = np.random.default_rng(8)
    old, new = world(rng, 500), world(rng, 500)
    assert DLE(regressor=Mean())(old, new, "brier").value == pytest.approx(
        realised(old, "brier"), abs=1e-3
    )
    found = DLE(regressor=Mean(more=math.nan))(old, new, "brier")
    assert math.isnan(found.value)
    assert "not all finite" in found.why


def test_atc_with_a_reference_that_was_always_right_doubts_rows_less_sure_than_any() -> None:
    sure = np.linspace(0.8, 0.99, 200)
    old = Answered(score=sure, output=np.ones(200), label=np.ones(200))
    new = Answered(score=np.array([0.6, 0.7, 0.9, 0.95]), output=np.ones(4))
    found = ATC()(old, new, "accuracy")
    assert found.value == 0.5
    assert not found.known
    never = dataclasses.replace(old, label=np.zeros(200))
    assert ATC()(never, new, "accuracy").value == 0.0


def test_mandoline_weighs_cohorts_to_their_share_and_gives_up_when_too_few_rows_matter() -> None:
    rng = np.random.default_rng(9)
    member = rng.uniform(size=4000) < 0.25
    right = np.where(member, rng.uniform(size=4000) < 0.6, rng.uniform(size=4000) < 0.9)
    old = Answered(output=np.ones(4000), label=right * 1.0, cohorts=member[:, None])
    new = Answered(output=np.ones(400), cohorts=(np.arange(400) % 4 > 0)[:, None])
    expected = 0.75 * right[member].mean() + 0.25 * right[~member].mean()
    found = Mandoline(ridge=0.0)(old, new, "accuracy")
    assert found.value == pytest.approx(expected, abs=1e-4)
    assert found.n_effective < 4000

    few = dataclasses.replace(old, cohorts=(np.arange(4000) < 10)[:, None])
    gone = Answered(output=np.ones(400), cohorts=np.ones((400, 1), dtype=bool))
    none = Mandoline(cap=4000.0, ridge=0.0)(few, gone, "accuracy")
    assert math.isnan(none.value)
    assert "worth 10 rows, fewer than 30" in none.why
    more = dataclasses.replace(old, cohorts=(np.arange(4000) < 40)[:, None])
    assert "40 weights capped" in Mandoline(cap=5.0)(more, gone, "accuracy").why


def test_accuracy_of_many_classes_follows_the_confidence() -> None:
    rng = np.random.default_rng(10)

    def rows(n: int, sharp: float) -> Answered:
        score = rng.dirichlet(np.full(4, sharp), n)
        label = (rng.uniform(size=(n, 1)) > score.cumsum(axis=1)).sum(axis=1)
        names = np.array(["a", "b", "c", "d"], dtype=object)
        return Answered(score=score, output=names[score.argmax(axis=1)], label=names[label])

    old, new = rows(5000, 0.3), rows(5000, 1.0)
    truth = realised(new, "accuracy")
    assert abs(realised(old, "accuracy") - truth) > 0.1
    for method in (CBPE(), DoC()):
        assert method(old, new, "accuracy").value == pytest.approx(truth, abs=0.05)
    assert "two classes only" in CBPE()(old, new, "auc").why


@each
@pytest.mark.parametrize("metric", ["accuracy", "brier"])
def test_weights_count_as_so_many_rows_and_none_are_not_looked_at(
    method: Estimator, metric: str
) -> None:
    rng = np.random.default_rng(11)
    old, new = world(rng, 400), world(rng, 400)
    spoilt = np.asarray(new.score).copy()
    spoilt[:50] = np.nan
    keep = np.arange(400) >= 50
    hidden = dataclasses.replace(new, score=spoilt, weight=keep * 2.0)
    shown = new.rows(keep)
    ours, theirs = method(old, hidden, metric), method(old, shown, metric)
    assert (ours.value, ours.low, ours.n) == pytest.approx(
        (theirs.value, theirs.low, theirs.n), nan_ok=True
    )


def broken() -> dict[str, tuple[Answered, Answered]]:
    rng = np.random.default_rng(12)
    old, new = world(rng, 400), world(rng, 300)

    def but(rows: Answered, **changes: Any) -> Answered:
        return dataclasses.replace(rows, **changes)

    def spoilt(values: Any, value: float) -> Any:
        copy = np.array(values, dtype=float)
        copy[3] = value
        return copy

    none = np.zeros(300, dtype=bool)
    everything = {"score": np.full(300, 0.5), "output": np.ones(300)}
    return {
        "an empty window": (old, new.rows(none)),
        "an empty reference": (old.rows(np.zeros(400, dtype=bool)), new),
        "nothing at all": (Answered(), Answered()),
        "no weight": (old, but(new, weight=np.zeros(300))),
        "a short reference": (old.rows(np.arange(400) < 20), new),
        "no labels": (but(old, label=None), new),
        "a missing label": (but(old, label=spoilt(old.label, math.nan)), new),
        "no score, no output": (old, but(new, score=None, output=None)),
        "a missing score and output": (
            old,
            but(new, score=spoilt(new.score, math.nan), output=spoilt(new.output, math.nan)),
        ),
        "an infinite score": (
            but(old, score=spoilt(old.score, math.inf)),
            but(new, output=None),
        ),
        "one value everywhere": (old, but(new, **everything, features=None, cohorts=None)),
        "one class": (but(old, label=np.ones(400)), new),
        "labels that are text": (but(old, label=np.full(400, "yes", dtype=object)), new),
        "a missing day": (but(old, day=np.full(400, np.datetime64("NaT", "D"))), new),
        "other columns": (old, but(new, features=np.ones((300, 5)), cohorts=np.ones((300, 5)))),
    }


@each
def test_what_is_broken_is_told_and_never_crashes(method: Estimator) -> None:
    for case, windows in broken().items():
        for metric in ("accuracy", "auc", "f1", "log_loss", "mae", "rmse", "loss"):
            found = method(*windows, metric)
            assert found.why, case
            assert found.known or judge(found).verdict is not Verdict.OK, (case, metric)
            if found.known:
                assert found.low <= found.value <= found.high, (case, metric)


@pytest.mark.parametrize(
    "case",
    ["an empty window", "an empty reference", "nothing at all", "no weight", "no labels"],
)
def test_without_rows_or_labels_there_is_no_estimate_at_all(case: str) -> None:
    for method in ALL:
        found = method(*broken()[case], "accuracy")
        assert math.isnan(found.value)
        assert judge(found).verdict is Verdict.NO_VERDICT
        assert "Fix:" in found.why


@pytest.mark.parametrize("case", ["one value everywhere", "a missing score and output"])
def test_a_model_that_stopped_answering_is_no_calm_estimate(case: str) -> None:
    for method in (CBPE(), ATC(), DoC()):
        assert math.isnan(method(*broken()[case], "accuracy").value)


def test_arrays_of_unequal_length_and_unknown_metrics_are_refused() -> None:
    with pytest.raises(BadInput, match="differ in length"):
        Answered(score=np.ones(3), output=np.ones(2))
    with pytest.raises(BadInput, match="weight"):
        Answered(score=np.ones(1), weight=np.array([-1.0]))
    with pytest.raises(NotFound, match="did you mean 'accuracy'"):
        CBPE()(Answered(), Answered(), "acuracy")


@pytest.mark.parametrize("cls", [CBPE, DLE, ATC, DoC, Mandoline, Constant, Additive])
def test_every_estimator_keeps_the_promises_of_a_rule(cls: type) -> None:
    check_rule(cls)
