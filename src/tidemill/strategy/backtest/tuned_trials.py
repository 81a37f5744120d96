"""What was tried on the early part: by whom it was proposed, which was best, how lucky that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tidemill.adapters.searchers import OptunaSearch, RandomSearch
from tidemill.core.errors import BadInput
from tidemill.core.ports import Searcher
from tidemill.statistics.overfitting import probability_of_overfitting
from tidemill.strategy.backtest.told import Floats
from tidemill.strategy.backtest.tuned_space import Space
from tidemill.strategy.strategy import Strategy

_CLOSE = 1e-12


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One strategy that was tried on the early part.

    ``value`` is its net worth there, higher is better, NaN where it could not be told;
    ``performance`` the same by scored step.
    """

    tried: Mapping[str, Any]
    strategy: Strategy
    value: float
    performance: Floats
    retrains: float
    failed: float = 0.0


def searcher(
    search: str | Callable[[Space], Searcher], space: Space, trials: int, seed: int
) -> tuple[str, Searcher]:
    """Make the searcher that is asked for, and say which it is."""
    if not isinstance(search, str):
        return "own", search(space)
    size = int(np.prod([len(values) for values in space.values()], dtype=float))
    if search == "auto":
        search = "grid" if size <= trials else "optuna"
    if search == "grid" and size > trials:
        raise BadInput(
            f"the grid has {size:,} combinations, more than {trials} trials.",
            fix="search at random or by optuna, or allow more --trials.",
        )
    made = OptunaSearch if search == "optuna" else RandomSearch
    return search, made(space, seed=seed)


def best(found: Sequence[Trial]) -> Trial:
    """Return the trial with the highest value; of equal ones the one that retrained least."""
    known = [t for t in found if np.isfinite(t.value)]
    if not known:
        raise BadInput(
            "no strategy that was tried had a model in front on the early part.",
            fix="look at why fits fail or gates refuse: tidemill backtest; or move --late-from.",
        )
    top = max(t.value for t in known)
    close = [t for t in known if t.value >= top - _CLOSE * abs(top)]
    return min(close, key=lambda t: t.retrains)


def same(found: Sequence[Trial], strategy: Strategy) -> Trial | None:
    """Return the trial of a strategy."""
    return next((t for t in found if t.strategy.hash == strategy.hash), None)


def overfitting(series: Sequence[Floats]) -> tuple[float | None, str]:
    """Return the probability of overfitting, or None and why there is none."""
    if len(series) < 2:  # noqa: PLR2004 - to choose one needs two
        return None, "only one strategy could be tried"
    table = np.stack(series, axis=1)
    table = table[np.isfinite(table).all(axis=1)]
    blocks = min(8, len(table) - len(table) % 2)
    if blocks < 2:  # noqa: PLR2004 - halves
        return None, "fewer than two steps have a value of every strategy"
    return probability_of_overfitting(table, blocks=blocks), ""
