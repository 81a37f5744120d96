"""Tuning: search an early part of history, open the late part once, and say what is worth it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from tidemill.adapters.trainers.shared import Work
from tidemill.core.durations import duration
from tidemill.core.errors import BadInput, BadValue, unknown
from tidemill.core.ports import Json, Searcher
from tidemill.core.rules import Trigger
from tidemill.loop.triggers import Once
from tidemill.strategy.backtest.setting import Given, Setting, moments_of
from tidemill.strategy.backtest.told import Floats, plain
from tidemill.strategy.backtest.tuned_cadence import calendars, least, only_calendars
from tidemill.strategy.backtest.tuned_late import SEEDS, gain, limits, net, net_of, performance
from tidemill.strategy.backtest.tuned_openings import Openings, confidence, late_key
from tidemill.strategy.backtest.tuned_part import Part, known_at
from tidemill.strategy.backtest.tuned_report import INCUMBENT, NEVER, TUNED, Found, Late, report
from tidemill.strategy.backtest.tuned_space import Space, applied, checked, usual_space
from tidemill.strategy.backtest.tuned_trials import Trial, best, overfitting, same, searcher
from tidemill.strategy.strategy import Strategy

EARLY = 0.6
"""The share of the steps that is searched, if no border is given."""
SEARCHES = ("auto", "grid", "random", "optuna")
_TOGETHER = 8
"""Trials that are replayed side by side, and so share what is asked of a moment."""
_SEARCH_SEEDS = 3
Flags = npt.NDArray[np.bool_]
_FEWEST = 4, 2
"""Steps that the early and the late part must have at least."""


def tune(
    given: Given,
    strategy: Strategy,
    *,
    setting: Setting | None = None,
    space: Space | None = None,
    choices: Sequence[Trigger] = (),
    trials: int = 60,
    search: str | Callable[[Space], Searcher] = "auto",
    seed: int = 0,
    late_from: datetime | None = None,
    openings: Openings | None = None,
) -> Json:
    """Search a strategy's values on the early part of a history, and test what was found.

    Nothing that became known at the border or later is read by the search. Then the late part
    is opened once: the strategy found, the one given, and one that never retrains after its
    first model are replayed over all of history, five times, with training rows drawn anew, and
    scored on the late part. ``never`` is recommended unless the gain over it, net of costs, has
    a simultaneous lower limit above 0.

    Parameters
    ----------
    given, strategy
        The history, and the strategy that is in use: the incumbent.
    setting
        The terms of the replay; the strategy's own price sheet counts before that of the terms.
    space
        For each path, such as ``"trigger.period"``, the values to try, those with an order in
        their order. Without it the fields of trigger and dataset, by their limits.
    choices
        Triggers to choose from besides the strategy's own, where no space is given.
    trials
        How many strategies are tried at most.
    search
        ``"optuna"``, ``"random"``, ``"grid"`` for all, ``"auto"`` for all when they are no
        more than the trials and else Optuna; or what makes a searcher of a space.
    seed
        Of the search.
    late_from
        Where the late part begins, at the next step; after six tenths of the steps without.
    openings
        Counts how often this late part was opened; further openings widen the intervals.

    Returns
    -------
    dict
        As ``tidemill strategy tune --json`` prints it; see ``docs/cli.md``.

    References
    ----------
    Bailey, D. H., Borwein, J. M., Lopez de Prado, M. and Zhu, Q. J. (2017). The probability
    of backtest overfitting. Journal of Computational Finance 20, 39-69.
    Dwork, C., Feldman, V., Hardt, M., Pitassi, T., Reingold, O. and Roth, A. (2015). The
    reusable holdout: preserving validity in adaptive data analysis. Science 349, 636-638.
    """
    if isinstance(search, str) and search not in SEARCHES:
        raise unknown("search", search, SEARCHES)
    terms = setting or Setting()
    work = Work(workers=terms.workers, cache=terms.cache)
    try:
        tuning = _Tuning(given, strategy, terms, work, late_from)
        return tuning.run(tuning.space(space, choices), trials, search, seed, openings)
    finally:
        work.close()


class _Tuning:
    """One tuning on its way."""

    def __init__(
        self,
        given: Given,
        strategy: Strategy,
        setting: Setting,
        work: Work,
        late_from: datetime | None,
    ) -> None:
        self.started = time.perf_counter()
        self.given, self.strategy, self.setting, self.work = given, strategy, setting, work
        self.step = duration(setting.step)
        moments = moments_of(given, setting)
        border = _border(moments, late_from)
        self.early_moments, self.late_moments = moments[: border + 1], moments[border:]
        early = known_at(given, moments[border])
        self.rows = len(early.history)
        self.early = Part(early, self.early_moments, setting, work, base=strategy, name="early")
        alike = self.early.bench.same_twice(strategy)
        self.seeds = [0] if alike else list(range(min(_SEARCH_SEEDS, setting.seeds)))
        self.never = replace(strategy, trigger=Once(), name=NEVER)
        self._counted: Flags | None = None
        """Steps that the incumbent and never answered: what others must have answered, too."""

    def space(self, space: Space | None, choices: Sequence[Trigger]) -> Space:
        """Return what may be tried: what was said, or what the rules' limits allow."""
        if space is not None:
            return checked(space, self.strategy)
        span = self.early_moments[-1] - self.early_moments[0]
        return usual_space(
            self.strategy, step=self.step, span=span, rows=self.rows, choices=choices
        )

    def run(
        self,
        wanted: Space,
        trials: int,
        search: str | Callable[[Space], Searcher],
        seed: int,
        openings: Openings | None,
    ) -> Json:
        """Search, open the late part, and report."""
        how, found, winner = self._searched(wanted, trials, search, seed)
        luck, why = overfitting([t.performance for t in found if np.isfinite(t.value)])
        late = self._opened(winner, openings, len(found))
        self._say(1.0, "done")
        return plain(
            report(
                Found(
                    given=self.given,
                    strategy=self.strategy,
                    part=self.early,
                    space=wanted,
                    how=how,
                    trials=found,
                    winner=winner,
                    never=same(found, self.never),
                    incumbent=same(found, self.strategy),
                    pbo=luck,
                    pbo_why=why,
                    moments=(self.early_moments, self.late_moments),
                    spent=self._spent(),
                ),
                late,
            )
        )

    # The early part

    def _searched(
        self, space: Space, trials: int, search: str | Callable[[Space], Searcher], seed: int
    ) -> tuple[str, list[Trial], Trial]:
        if search == "auto" and only_calendars(self.strategy, space):
            self._say(0.05, "reads how models age")
            made = calendars(self.early, self.strategy, space, step=self.step, seeds=self.seeds)
            if made is not None:
                every = [
                    Trial(
                        tried={"trigger": c.trigger},
                        strategy=replace(self.strategy, trigger=c.trigger),
                        value=net_of(c.performance, self.early),
                        performance=c.performance,
                        retrains=c.retrains,
                    )
                    for c in made
                ]
                return "cadence", every, every[made.index(least(made))]
        how, asks = searcher(search, space, trials, seed)
        found = self._tried(asks, trials)
        return how, found, best(found)

    def _tried(self, asks: Searcher, trials: int) -> list[Trial]:
        """Try the incumbent and never, then what the searcher asks for, each strategy once."""
        found = {t.strategy.hash: t for t in self._trials([{}, {"trigger": Once()}])}
        asked = 0
        while asked < trials:
            batch: list[Json] = []
            while len(batch) < min(_TOGETHER, trials - asked):
                one = asks.ask()
                if one is None:
                    break
                batch.append(one)
            if not batch:
                break
            asked += len(batch)
            made = [(one, self._made(one)) for one in batch]
            new = {s.hash: one for one, s in made if s is not None and s.hash not in found}
            found |= {t.strategy.hash: t for t in self._trials(list(new.values()))}
            for one, known in made:
                asks.tell(one, float("nan") if known is None else found[known.hash].value)
            self._say(0.05 + 0.65 * asked / trials, "searches the early part")
        return list(found.values())

    def _made(self, tried: Mapping[str, Any]) -> Strategy | None:
        """Return the strategy with the values that are tried; None when they do not go together."""
        try:
            return applied(self.strategy, tried)
        except BadValue:
            return None

    def _trials(self, batch: Sequence[Mapping[str, Any]]) -> list[Trial]:
        strategies = {one.hash: (one, t) for t in batch for one in [applied(self.strategy, t)]}
        replayed = self.early.replay([one for one, _ in strategies.values()], self.seeds)
        series = [performance(row, self.early) for row in replayed]
        counted = self._counted
        if counted is None:
            counted = np.logical_and.reduce([np.isfinite(one) for one in series])
            self._counted = counted
        return [
            Trial(
                tried=tried,
                strategy=one,
                value=self._value(mine, counted),
                performance=mine,
                retrains=row.retrains,
                failed=row.failed,
            )
            for (one, tried), row, mine in zip(strategies.values(), replayed, series, strict=True)
        ]

    def _value(self, series: Floats, counted: Flags) -> float:
        """Return the net worth of a performance by step; NaN where it cannot be compared.

        An answer that is missing costs as a wrong one does. Without prices it has no value, and
        a strategy must have answered wherever the incumbent and never did.
        """
        if not self.early.priced and not (counted.any() and np.isfinite(series[counted]).all()):
            return float("nan")
        return net_of(series, self.early)

    # The late part

    def _opened(self, winner: Trial, openings: Openings | None, tried: int) -> Late:
        """Open the late part: the one place that reads it."""
        self._say(0.7, "opens the late part")
        start, end = self.late_moments[0], self.late_moments[-1]
        late = Part(
            self.given,
            [*self.early_moments, *self.late_moments[1:]],
            self.setting,
            self.work,
            base=self.strategy,
            name="late",
            since=len(self.early_moments) - 1,
        )
        count = None
        if openings is not None:
            count = openings.add(
                {
                    "late": late_key(self.given.history, start, end),
                    "title": self.given.title,
                    "from": start.isoformat(),
                    "to": end.isoformat(),
                    "strategy": winner.strategy.hash,
                    "tried": tried,
                    "at": datetime.now(UTC).isoformat(timespec="seconds"),
                }
            )
        level = confidence(count or 1)
        named = {
            TUNED: winner.strategy,
            INCUMBENT: self.strategy,
            NEVER: self.never,
        }
        unique = {s.hash: replace(s, name=name) for name, s in reversed(named.items())}
        rows = late.replay(list(unique.values()), list(range(SEEDS)), resampled=True)
        by_hash = dict(zip(unique, rows, strict=True))
        replayed = {name: by_hash[s.hash] for name, s in named.items()}
        pairs = [(TUNED, NEVER), (INCUMBENT, NEVER), (TUNED, INCUMBENT)]
        gains = {pair: gain(replayed[pair[0]], replayed[pair[1]], late) for pair in pairs}
        over = limits([gains[TUNED, NEVER], gains[INCUMBENT, NEVER]], level)
        return Late(
            part=late,
            replayed=replayed,
            gains={pair: one.estimate(level) for pair, one in gains.items()},
            limits={TUNED: over[0], INCUMBENT: over[1]},
            openings=count,
            confidence=level,
            values={name: net(row, late) for name, row in replayed.items()},
        )

    def _say(self, done: float, what: str) -> None:
        if self.setting.told is not None:
            self.setting.told(done, what)

    def _spent(self) -> Json:
        spent = {kind: (one.jobs, one.seconds) for kind, one in self.work.spent.items()}
        fits, answers = spent.get("fit", (0, 0.0)), spent.get("answer", (0, 0.0))
        return {
            "fits": fits[0],
            "predictions": answers[0],
            "fit_seconds": fits[1],
            "predict_seconds": answers[1],
            "seconds": time.perf_counter() - self.started,
        }


def _border(moments: Sequence[datetime], late_from: datetime | None) -> int:
    """Return the step at which the late part begins."""
    steps = len(moments) - 1
    border = round(EARLY * steps)
    if late_from is not None:
        border = next((k for k, m in enumerate(moments) if m >= late_from), steps)
    if border < _FEWEST[0] or steps - border < _FEWEST[1]:
        raise BadInput(
            f"the early part would have {border} steps and the late part {steps - border}; "
            f"they need at least {_FEWEST[0]} and {_FEWEST[1]}.",
            fix="give a longer history or a shorter --step, or move --late-from.",
        )
    return border
