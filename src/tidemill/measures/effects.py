"""How large a change is, without the part that is chance, and how well that is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.measures.aligned import Aligned, Lumps, aligned, lumped, quantile, robust_sd
from tidemill.measures.categories import Categories
from tidemill.measures.gaps import (
    DRAWS,
    MEAN_OF_NORMAL,
    Gap,
    drawn_shares,
    gaps_of,
    noise_of,
    places_of,
    upto,
    weights_of,
)
from tidemill.measures.numbers import Numbers

Column = Numbers | Categories

LEAST_DAYS = 5
LEAST_ROWS = 10
_TAIL = 0.025
_DRAWN_IN = 0.01


@dataclass(frozen=True, kw_only=True)
class Effect:
    """The size of a change: in robust sd for numbers, as a share of rows for categories.

    Parameters
    ----------
    value
        The distance, without what sampling adds to it; NaN where it cannot be said.
    low, high
        Its 95 % interval.
    raw
        The distance of the counts as they are.
    expected
        What ``raw`` is on average when nothing changed.
    scale
        What one unit of it is, in units of the column: the robust sd, or 1.
    why
        The reason where there is no value.
    """

    value: float
    low: float
    high: float
    raw: float
    expected: float
    scale: float = 1.0
    why: str = ""


def effect(reference: Column, current: Column, *, seed: int = 0) -> Effect:
    """Measure how far a column moved, with an interval from its rows.

    For numbers the earth mover's distance in robust sd of the reference, with what lies outside
    the middle 98 % of both drawn in to it, since a mean distance is otherwise that of its wildest
    rows. For categories the total variation on the 100 most frequent values, the known rest and
    what was never seen before (:func:`lumped`). Both add up absolute differences, which sampling
    makes too large; each difference is made smaller by what chance adds to one of its size.

    Rows must be independent. Where rows of a day share something, use :func:`day_effect`.

    Parameters
    ----------
    reference, current
        Numbers on one grid, or Categories.
    seed
        Of the 400 bootstrap draws.

    Returns
    -------
    Effect
        In simulations (``benchmarks/effects.py``: shifts and stretches of normal, lognormal,
        Poisson and Cauchy, 5 to 50,000 categories, 1,000 to 100,000 rows) the interval held the
        true value in .93 to 1.00 of the cases, with two exceptions: the robust sd is taken as
        known, so with 1,000 rows of the reference a stretched lognormal has .89, and small
        whole numbers, whose quartiles jump, .80. At no change the value averages a quarter of
        the raw distance; where the truth is about one standard error it is too small by up to
        half of one.

    Raises
    ------
    BadInput
        If the two are of different kinds or on different grids.

    Examples
    --------
    >>> from tidemill.measures.grid import Grid
    >>> values = np.random.default_rng(0).normal(size=20_000)
    >>> grid = Grid.around(values)
    >>> before, after = Numbers.of_values(grid, values), Numbers.of_values(grid, values + 0.3)
    >>> found = effect(before, after)
    >>> round(found.value, 2), found.low < 0.3 < found.high
    (0.3, True)
    """
    pair = _pair(reference, current)
    if min(reference.n, current.n) < LEAST_ROWS:
        return _nothing(f"{reference.n} and {current.n} rows have values; {LEAST_ROWS} are needed")
    ordered = pair.at is not None
    before, after = (noise_of(s, ordered=ordered) for s in (pair.reference, pair.current))
    total = pair.reference + pair.current
    calm = noise_of(total, ordered=ordered) * math.sqrt(
        total.sum() / pair.reference.sum() + total.sum() / pair.current.sum()
    )
    whole = Gap(gaps_of(pair), np.hypot(before, after), weights_of(pair))
    places, weight = places_of(whole, calm, ordered=ordered)
    rng = np.random.default_rng(seed)
    again, now = (
        drawn_shares(side, places, rng, ordered=ordered) for side in (pair.reference, pair.current)
    )
    return _effect(
        whole,
        whole.at(places, weight),
        again - now,
        calm,
        _scale(reference, current),
        ordered=ordered,
    )


def day_effect(
    reference_days: Sequence[Column],
    current_days: Sequence[Column],
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> Effect:
    """Measure how far a column moved, with an interval whose unit of evidence is the day.

    The value is that of all days together; the interval says how much days differ among
    themselves. Fewer than 5 current days cannot say that: they are taken to differ as the
    days of the reference do.

    Parameters
    ----------
    reference_days, current_days
        The counts of one column, one a day; at least 5 of the reference.
    seed
        Of the bootstrap draws.
    draws
        How many; fewer than 400 for columns in which nobody will look at the ends.

    Returns
    -------
    Effect
        In simulations with shifts of each day's own of 0 to .2 sd the interval held the true
        value in .91 to .99 of the cases, where that of :func:`effect` held it in .23 to .99.

    Raises
    ------
    BadInput
        If days are of different kinds or on different grids.

    References
    ----------
    .. [1] A. C. Cameron, J. B. Gelbach, D. L. Miller, "Bootstrap-based improvements for
       inference with clustered errors", Review of Economics and Statistics 90, 2008.
    """
    known = [day for day in reference_days if day.n]
    now = [day for day in current_days if day.n]
    if len(known) < LEAST_DAYS or not now:
        return _nothing(
            f"{len(known)} days of the reference and {len(now)} current ones have values; "
            f"{LEAST_DAYS} and 1 are needed"
        )
    reference, current = _together(known), _together(now)
    pair = _pair(reference, current)
    ordered = pair.at is not None
    old, new = _by_day(known, now, reference, current)
    before = _deviations(old, ordered=ordered)
    # Rows of the current days that are fewer than usual add to how days differ.
    few = max(0.0, 1 / current.n - len(known) / (reference.n * len(now)))
    extra = noise_of(pair.current, ordered=ordered) * math.sqrt(current.n * few)
    borrowed = len(now) < LEAST_DAYS
    if borrowed:
        after = before * math.sqrt(len(known) / len(now))
    else:
        after, extra = _deviations(new, ordered=ordered), extra * 0
    noise = np.sqrt(np.square(before).sum(0) + np.square(after).sum(0) + np.square(extra))
    whole = Gap(gaps_of(pair), noise, weights_of(pair))
    places, weight = places_of(whole, noise, ordered=ordered)
    inner = whole.at(places, weight)
    rng = np.random.default_rng(seed)
    wide = _student(len(known), rng, draws)
    drawn = (
        inner.gap
        + wide * (rng.normal(size=(draws, len(before))) @ before[:, places])
        + (wide if borrowed else _student(len(now), rng, draws))
        * (rng.normal(size=(draws, len(after))) @ after[:, places])
        + rng.normal(size=(draws, 1)) * extra[places]
    )
    return _effect(whole, inner, drawn, noise, _scale(reference, current), ordered=ordered)


def _effect(
    whole: Gap,
    inner: Gap,
    drawn: NDArray[np.float64],
    calm: NDArray[np.float64],
    scale: float,
    *,
    ordered: bool,
) -> Effect:
    """Put together the value, and its interval from draws of the differences at some places."""
    value = float(whole.shrunk())
    moves = replace(inner, gap=drawn).shrunk() - inner.shrunk()
    # Drawing again adds noise to noise. Shares of categories move one by one, so that on average
    # all draws lie too far out; a distribution function moves as one, and only the low end does.
    further = float(moves.mean())
    low = value + float(np.quantile(moves, _TAIL)) - (max(further, 0.0) if ordered else further)
    high = value + float(np.quantile(moves, 1 - _TAIL)) - (0.0 if ordered else further)
    value, low, high = (max(0.0, v) / scale for v in (value, low, high))
    return Effect(
        value=value,
        low=min(low, value),
        high=max(high, value),
        raw=float(np.abs(whole.gap) @ whole.weight) / scale,
        expected=MEAN_OF_NORMAL * float(calm @ whole.weight) / scale,
        scale=scale,
    )


def _nothing(why: str) -> Effect:
    return Effect(
        value=math.nan, low=math.nan, high=math.nan, raw=math.nan, expected=math.nan, why=why
    )


def _pair(reference: Column, current: Column) -> Aligned:
    if isinstance(reference, Categories) and isinstance(current, Categories):
        return lumped(reference, current)
    pair = aligned(reference, current)
    if pair.at is None or pair.empty:
        return pair
    ends = [
        [quantile(pair.at, c, q) for q in (_DRAWN_IN, 1 - _DRAWN_IN)]
        for c in (pair.reference, pair.current)
    ]
    low, high = min(e[0] for e in ends), max(e[1] for e in ends)
    return replace(pair, at=np.clip(pair.at, low, high))


def _scale(reference: Column, current: Column) -> float:
    """Return the robust sd of the reference; of both where the reference has but one value."""
    if not isinstance(reference, Numbers) or not isinstance(current, Numbers):
        return 1.0
    spread = robust_sd(reference)
    if spread > 0:
        return spread
    both = reference.plus(current)
    at, share = both.grid.middle(both.cells), both.counts / both.counts.sum()
    largest = float(np.abs(at - at[0]).max())
    if not largest:
        return 1.0
    far = (at - at[0]) / largest
    return largest * math.sqrt(float(share @ np.square(far - share @ far)))


def _together(days: Sequence[Column]) -> Column:
    numbers = [day for day in days if isinstance(day, Numbers)]
    categories = [day for day in days if isinstance(day, Categories)]
    if numbers and categories:
        raise BadInput(
            "the column is a number on some days and a category on others.",
            fix="compare days of one kind; a change of type is a finding of its own.",
        )
    return numbers[0].plus(*numbers[1:]) if numbers else categories[0].plus(*categories[1:])


def _by_day(
    known: Sequence[Column], now: Sequence[Column], reference: Column, current: Column
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the counts of each day, shape (days, m), cell by cell or lump by lump."""
    if isinstance(reference, Categories) and isinstance(current, Categories):
        lumps = Lumps.of(reference, current)
        old = [lumps.count(day) for day in known if isinstance(day, Categories)]
        new = [lumps.count(day, new=True) for day in now if isinstance(day, Categories)]
        return np.stack(old), np.stack(new)
    numbers = [[day for day in days if isinstance(day, Numbers)] for days in (known, now)]
    cells = np.unique(np.concatenate([day.cells for days in numbers for day in days]))
    counts = [np.zeros((len(days), cells.size), np.int64) for days in numbers]
    for found, days in zip(counts, numbers, strict=True):
        for row, day in zip(found, days, strict=True):
            row[np.searchsorted(cells, day.cells)] = day.counts
    return counts[0], counts[1]


def _deviations(counts: NDArray[np.int64], *, ordered: bool) -> NDArray[np.float64]:
    """Return what each day moves the shares by, shape (days, m); their squares add to a variance."""
    rows = counts.sum(axis=1, keepdims=True)
    share = counts.sum(axis=0) / rows.sum()
    moved = (counts - rows * share) / rows.sum()
    return upto(moved, ordered=ordered) * math.sqrt(len(counts) / (len(counts) - 1))


def _student(days: int, rng: np.random.Generator, draws: int) -> NDArray[np.float64]:
    """Draw what makes a normal a Student t: a spread known from few days is not known well."""
    return np.sqrt((days - 1) / rng.chisquare(days - 1, size=(draws, 1)))
