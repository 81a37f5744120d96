"""The optimum in hindsight is the best there is, and what it is told beside is fair."""

from __future__ import annotations

import sys
from datetime import timedelta
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tidemill import AtLeast, Recent
from tidemill.core.costs import Costs
from tidemill.loop.triggers import At, Every, Once
from tidemill.measures import AUC, Accuracy
from tidemill.statistics.schedules import total
from tidemill.strategy.backtest.references import Grid, hindsight, matched, step_losses
from tidemill.strategy.backtest.report import ledger

sys.path.insert(0, str(Path(__file__).parents[2] / "scenarios"))

import backtest_worlds as tiny


class Grids(tiny.Rows):
    """Keeps the models of retraining every step, and the optimum."""

    def _grid(self, run: Any) -> Any:
        self.grid = super()._grid(run)
        return self.grid

    def _hindsight(self, *given: Any) -> Any:
        self.best = super()._hindsight(*given)
        return self.best


@cache
def made(*, metric: Any = None, **changes: Any) -> Any:
    history = tiny.turning(3, weeks=8, per_week=41, turn=0.35)
    moments = tiny.weekly(history)
    rng = np.random.default_rng(2)
    random = [moments[k] for k in np.flatnonzero(rng.random(5) < 0.5) + 1]
    asked = [
        tiny.strategy_of("never", trigger=Once()),
        tiny.strategy_of("weekly", trigger=Every("7d")),
        tiny.strategy_of("other weeks", trigger=Every("14d")),
        tiny.strategy_of("random", trigger=At([moments[0], *random])),
        tiny.strategy_of("recent", dataset=Recent("14d")),
        tiny.strategy_of("gated", offline=[AtLeast(Accuracy(), 0.5)]),
    ]
    terms = tiny.setting_of(references=True, metric=metric or Accuracy(), season="0s", **changes)
    ours = Grids(tiny.given_of(history), asked, terms)
    return ours, ours.run()


@pytest.mark.parametrize("latency", ["0s", "30h", "10d"])
def test_no_strategy_of_the_grid_costs_less_than_the_bound(latency):
    ours, report = made(costs=Costs(error=1.0, second=500.0, label=0.1), latency=latency)
    rows = {s["name"]: s for s in report["strategies"]}
    inside = [
        n for n, s in rows.items() if s["cost"] and not any("outside" in x for x in s["notes"])
    ]
    bound = ledger(ours.best["bound"], ours.terms)
    for name in set(inside) & {"never", "weekly", "other weeks", "random"}:
        cost = rows[name]["cost"]
        # All ask for the same labels; the bound is told without them.
        assert cost["total"] - cost["labels"] >= bound["total"] - bound["labels"] - 1e-9
    # Training that takes longer than a step keeps those that wait for it from the grid.
    short = {"never", "weekly", "other weeks", "random"}
    assert (short <= set(inside)) == (latency != "10d")
    assert "never" in inside
    assert any("its dataset differs" in x for x in rows["recent"]["notes"])
    assert any("it has gates" in x for x in rows["gated"]["notes"])


@pytest.mark.parametrize("metric", [Accuracy(), AUC()])
def test_no_strategy_of_the_grid_is_better_than_the_bound(metric):
    _, report = made(metric=metric)
    values = {s["name"]: s["value"] for s in report["strategies"]}
    bound = report["hindsight"]["bound"]
    assert max(values[n] for n in ("never", "weekly", "other weeks", "random")) <= bound + 1e-9


def test_the_bound_is_the_best_of_all_schedules():
    ours, _ = made()
    steps = ours.terms.rows.scored
    losses = step_losses(ours.grid, ours.rows.scorer, steps, sign=1.0, price=False)
    retrain = np.full(len(ours.steps), 0.004)
    found = hindsight(ours.grid, losses, retrain)
    assert found is not None
    whole, mixed = losses["all"]
    later = range(1, len(ours.steps))
    every = [s for n in range(len(later) + 1) for s in combinations(later, n)]
    totals = [total(s, whole, retrain, mixed=mixed) for s in every]
    assert found.bound == pytest.approx(min(totals))
    assert total(found.bound_schedule, whole, retrain, mixed=mixed) == pytest.approx(min(totals))
    assert 0 < len(found.bound_schedule) < len(later)


def test_a_schedules_losses_are_what_its_models_score():
    ours, report = made()
    schedule = tuple(
        k
        for k, m in enumerate(ours.steps.moments)
        if k and m.isoformat() in tiny.row(report, "random")["retrained_at"]
    )
    told = ours.rows.of_schedule("s", [ours.grid], schedule)
    assert told.mean == pytest.approx(ours.told["random"].mean)
    assert told.retrains == ours.told["random"].retrains
    losses = step_losses(ours.grid, ours.rows.scorer, ours.terms.rows.scored, sign=1.0, price=False)
    whole, mixed = losses["all"]
    got = -total(schedule, whole, np.zeros(len(whole)), mixed=mixed)
    assert got == pytest.approx(tiny.row(report, "random")["value"])


def test_a_step_whose_fit_failed_is_in_no_schedule():
    ours, _ = made()
    models = list(ours.grid.model)
    models[3] = None
    grid = Grid(
        steps=ours.grid.steps, model=tuple(models), live=ours.grid.live, seconds=ours.grid.seconds
    )
    losses = step_losses(grid, ours.rows.scorer, ours.terms.rows.scored, sign=1.0, price=False)
    found = hindsight(grid, losses, np.zeros(len(models)))
    assert found is not None
    assert 3 not in (*found.schedule, *found.bound_schedule)
    nobody = Grid(steps=grid.steps, model=(None, *models[1:]), live=grid.live, seconds=grid.seconds)
    assert hindsight(nobody, losses, np.zeros(len(models))) is None


def test_chance_and_calendar_have_as_many_retrains():
    found = matched(3, 12)
    assert found["calendar"] == [(3, 6, 9)]
    assert len(found["random"]) == 20
    assert {len(s) for s in found["random"]} == {3}
    _, report = made()
    names = {s["name"]: s for s in report["strategies"]}
    other = round(names["other weeks"]["retrains"])
    for kind in ("calendar", "random"):
        row = names[f"{kind} (other weeks)"]
        assert row["matched"] == {"to": "other weeks", "what": "retrains"}
        assert row["retrains"] == other


def test_the_latency_of_the_grid_is_that_of_the_replay():
    ours, _ = made(latency="30h")
    found = [b - a for a, b in zip(ours.steps.moments, ours.grid.live, strict=False)]
    assert {x - timedelta(microseconds=x.microseconds) for x in found} == {timedelta(hours=30)}
    assert None not in ours.grid.model
