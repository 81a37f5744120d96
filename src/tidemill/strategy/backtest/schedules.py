"""Schedules over the models of retraining every step, as rows beside the strategies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from tidemill.core.ports import Json
from tidemill.strategy.backtest.answers import Steps
from tidemill.strategy.backtest.compare import Terms
from tidemill.strategy.backtest.references import Grid, hindsight, matched, step_losses
from tidemill.strategy.backtest.rows import Rows
from tidemill.strategy.backtest.simulate import Run, lived
from tidemill.strategy.backtest.told import Told
from tidemill.strategy.backtest.worlds import Bench
from tidemill.strategy.strategy import Strategy

MOST_CUTS = 60
"""Cut-offs that a schedule in hindsight may choose from."""
OUTSIDE = "outside the grid of the optimum"
_HOW = {"calendar": "spread evenly", "random": "at random, mean of 20 schedules"}


def grid_of(run: Run, steps: Steps, latency: timedelta) -> Grid:
    """Return the models of retraining every step, as actions of a schedule."""
    models: list[str | None] = [None] * len(steps)
    seconds = [0.0] * len(steps)
    live = [m + latency for m in steps.moments[:-1]]
    place = {m: k for k, m in enumerate(steps.moments)}
    for one in lived(run):
        k = place.get(one.triggered_at.replace(microsecond=0))
        if k is not None and one.live_at is not None:
            models[k], seconds[k], live[k] = one.model, one.seconds, one.live_at
    # Predictions grow with the square of the cut-offs: a long history offers some of them.
    every = -(-len(steps) // MOST_CUTS)
    models = [model if k % every == 0 else None for k, model in enumerate(models)]
    return Grid(steps=steps, model=tuple(models), live=tuple(live), seconds=tuple(seconds))


def in_hindsight(grid: Grid, rows: Rows, terms: Terms, bench: Bench) -> Json | None:
    """Find the best schedule in hindsight and the bound, with their rows; None without any."""
    price = rows.scorer.priced
    scored = [k for i, k in enumerate(rows.scored) if terms.settled[i]]
    bench.prepare([(grid.model[m], k) for k in scored for m in range(k + 1)])
    losses = step_losses(grid, rows.scorer, scored, sign=terms.sign, price=price)
    sheet = rows.scorer.costs
    retrain = np.array(grid.seconds) * (sheet.second if sheet is not None else 0.0)
    found = hindsight(grid, losses, retrain)
    if found is None:
        return None
    told = rows.of_schedule("hindsight optimum", [grid], found.schedule)
    bound = rows.of_schedule("bound", [grid], found.bound_schedule)
    return {"told": told, "found": found, "bound": bound, "price": price}


def with_as_many(asked: Sequence[Told], grids: Sequence[Grid], rows: Rows) -> list[Told]:
    """Return the calendar and chance with as many retrains as each strategy had."""
    found: list[Told] = []
    done: set[int] = set()
    steps = len([m for m in grids[0].model if m is not None])
    for row in asked:
        retrains = round(row.retrains) - (row.kind == "asked")
        if not 0 < retrains < steps - 1 or retrains in done:
            continue
        done.add(retrains)
        for name, each in matched(retrains, len(grids[0].steps)).items():
            told = [rows.of_schedule(name, grids, _possible(grids[0], s)) for s in each]
            one = told[0] if len(told) == 1 else rows.of_many(name, told)
            one.name = f"{name} ({row.name})"
            one.matched = {"to": row.name, "what": "retrains"}
            one.words = f"{retrains + 1} retrains {_HOW[name]}"
            found.append(one)
    return found


def _possible(grid: Grid, schedule: Sequence[int]) -> tuple[int, ...]:
    """Leave out steps at which no model could be trained."""
    return tuple(k for k in schedule if grid.model[k] is not None)


def outside(strategy: Strategy, base: Strategy) -> str:
    """Say why a strategy's choices are none the optimum in hindsight could make."""
    marks, own = strategy.marks, base.marks
    for stage in ("training", "dataset", "curation", "labels", "log"):
        if marks.rules[stage] != own.rules[stage]:
            return f"its {stage} differs"
    if strategy.tested:
        return "it has gates"
    return "it goes on from its last model" if strategy.training.continues else ""


def mark(told: Told, grid: Grid) -> None:
    """Note when a strategy has had models in front that no schedule could choose."""
    if not told.lives or any(note.startswith(OUTSIDE) for note in told.notes):
        return
    live = [one.model for one in told.lives[0] if one.live_at is not None]
    if live and (live[0] != grid.model[0] or not set(grid.model).issuperset(live)):
        told.notes.append(f"{OUTSIDE}: it retrained between steps, or not at the start")
