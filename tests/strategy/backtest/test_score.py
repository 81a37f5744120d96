"""Steps are scored on the labels that count, and the numbers add up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tidemill.core.costs import Costs
from tidemill.core.ports import JobResult
from tidemill.measures import AUC, MAE, Accuracy
from tidemill.strategy.backtest.answers import Answers, Segment, Steps, nothing
from tidemill.strategy.backtest.score import Scorer, Truth

START = datetime(2024, 1, 1, tzinfo=UTC)
N, EACH = 60, 20
RNG = np.random.default_rng(0)
LABEL = (RNG.random(N) < 0.5).astype(float)
SAID = {"1": (RNG.random(N) < 0.5).astype(float), "2": LABEL}
SCORE = {"1": RNG.random(N), "2": LABEL + 0.1 * RNG.normal(size=N)}
HALF = RNG.random(N) < 0.5
UNIT = np.arange(N) // 3
KNOWN = np.flatnonzero(RNG.random(N) < 0.8)
WEIGHT = RNG.uniform(1, 3, N)
ONE = [Segment(0, EACH, "1")]


def steps() -> Steps:
    at = np.array([int((START + timedelta(hours=k)).timestamp() * 1e6) for k in range(N)])
    return Steps([START + timedelta(hours=EACH * k) for k in range(4)], at)


def scorer(metric: Any, costs: Costs | None = None, label: Any = LABEL) -> Scorer:
    grid = steps()

    def ask(model: str, step: int) -> JobResult:
        low, high = grid.rows(step)
        table = nothing(high - low)
        if model in SAID:
            table = table.set_column(0, "output", pa.array(SAID[model][low:high]))
            table = table.set_column(2, "score", pa.array(SCORE[model][low:high]))
        return JobResult(ok=True, tables={"candidate": table})

    truth = Truth(place=KNOWN, label=label[KNOWN], weight=WEIGHT[KNOWN])
    answers = Answers(ask, grid, given={})
    return Scorer(answers=answers, truth=truth, metric=metric, half=HALF, unit=UNIT, costs=costs)


def rows(step: int) -> Any:
    return KNOWN[(EACH * step <= KNOWN) & (EACH * (step + 1) > KNOWN)]


def test_a_step_is_scored_on_its_labelled_rows_with_their_weights():
    here = rows(0)
    got = scorer(Accuracy()).value(0, ONE)
    assert got == pytest.approx(np.average(LABEL[here] == SAID["1"][here], weights=WEIGHT[here]))
    assert scorer(AUC()).value(0, ONE) == AUC()(LABEL[here], SCORE["1"][here], WEIGHT[here])
    assert scorer(Accuracy()).weight(0) == pytest.approx(WEIGHT[here].sum())


def test_halves_are_scored_on_their_own_rows_and_errors_add_up():
    costs = Costs(error=2.0, false_negative=5.0)
    one = scorer(Accuracy(), costs)
    parts = [one.errors(0, ONE, half=h) for h in (0, 1)]
    assert sum(parts) == pytest.approx(one.errors(0, ONE))
    here = rows(0)[HALF[rows(0)]]
    got = one.value(0, ONE, half=1)
    assert got == pytest.approx(np.average(LABEL[here] == SAID["1"][here], weights=WEIGHT[here]))


def test_errors_are_priced_by_kind_and_weight():
    here, costs = rows(0), Costs(error=2.0, false_negative=5.0)
    missed = (LABEL[here] == 1) & (SAID["1"][here] == 0)
    alarm = (LABEL[here] == 0) & (SAID["1"][here] == 1)
    expected = (WEIGHT[here] * (5.0 * missed + 2.0 * alarm)).sum()
    assert scorer(Accuracy(), costs).errors(0, ONE) == pytest.approx(expected)
    assert scorer(Accuracy()).errors(0, ONE) == 0.0
    assert not scorer(Accuracy()).priced


def test_two_models_within_a_step_are_scored_together():
    by = [Segment(0, 7, "1"), Segment(7, EACH, "2")]
    here = rows(0)
    said = np.where(here < 7, SAID["1"][here], SAID["2"][here])
    got = scorer(Accuracy()).value(0, by)
    assert got == pytest.approx(np.average(LABEL[here] == said, weights=WEIGHT[here]))


@pytest.mark.parametrize("by", [[Segment(0, 7, None), Segment(7, EACH, "1")],
                                [Segment(0, EACH, "silent")]])  # fmt: skip
def test_a_step_in_which_anybody_got_no_answer_has_no_number(by):
    assert np.isnan(scorer(Accuracy()).value(0, by))
    assert scorer(Accuracy(), Costs(error=1.0)).errors(0, by) > 0


@pytest.mark.parametrize("metric", [Accuracy(), AUC(), MAE()])
def test_effects_are_how_far_units_move_the_metric(metric):
    one = scorer(metric)
    unit, effect = one.effects(0, ONE)
    moves = np.zeros(one.units)
    np.add.at(moves, unit, effect)
    assert moves.sum() == pytest.approx(0.0, abs=1e-9)
    whole = one.value(0, ONE)
    # Leaving a unit out moves the metric by about what it is said to move it by.
    left = []
    for u in np.unique(UNIT[rows(0)]):
        keep = UNIT[rows(0)] != u
        here = Truth(place=rows(0)[keep], label=LABEL[rows(0)][keep], weight=WEIGHT[rows(0)][keep])
        left.append(whole - one.then(here, ONE))
    assert np.corrcoef(left, moves[np.unique(UNIT[rows(0)])])[0, 1] > 0.97


def test_the_price_of_each_units_errors_adds_up_to_that_of_the_step():
    one = scorer(Accuracy(), Costs(error=1.5))
    unit, price = one.error_effects(1, [Segment(EACH, 2 * EACH, "1")])
    assert price.sum() == pytest.approx(one.errors(1, [Segment(EACH, 2 * EACH, "1")]))
    assert set(unit) <= set(UNIT[EACH : 2 * EACH])


def test_one_class_or_no_label_is_no_number():
    one = scorer(AUC(), label=np.ones(N))
    assert np.isnan(one.value(0, ONE))
    none = Truth(place=KNOWN[:0], label=LABEL[:0], weight=WEIGHT[:0])
    assert np.isnan(scorer(Accuracy()).then(none, ONE))
