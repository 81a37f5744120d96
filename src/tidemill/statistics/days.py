"""Whether some days differ from what reference days predict, when days are the evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.statistics.anderson_darling import bin_starts, edge_weights
from tidemill.statistics.day_ratio import LEAST, Days, Weekdays, judged
from tidemill.statistics.evidence import Evidence, silent, two_windows
from tidemill.statistics.homogeneity import share_p

Floats = NDArray[np.float64]

_BINS = 64
_TOP = 64
_THIN = 5  # rows a day below which a share is too lumpy to be weighted by its variance
_ROUNDING = 1e-12
_FAR = 1e100  # times the usual: beyond doubt, and its square is still a number
_FEW = "fewer than 5 reference days with rows"


def day_evidence(
    reference: NDArray[Any],
    current: NDArray[Any],
    *,
    ordered: bool,
    weekday: Weekdays | None = None,
) -> Evidence:
    """Say whether days differ from reference days by more than days usually do.

    Rows of one day share its weather and its bugs, so many rows of few days are little
    evidence. Each day is one vector: its distribution function at the edges of about 64
    bins, weighted as Anderson and Darling do, or its shares of the commonest categories,
    weighted as a chi-square is. The squared distance of the current days' mean from what the
    reference days predict is set against the squared residuals of the reference days: an F
    ratio of vectors, whose directions are weighted as the residuals are.

    Parameters
    ----------
    reference, current
        Rows in each cell, one row of the array per day. Days without rows are left out.
    ordered
        Whether the cells are in the order of their values (a number) or not (categories).
    weekday
        Weekday of each reference day and of each current day, 0 to 6. Used when every current
        weekday was seen at least twice and enough days are left to learn how days differ:
        then Mondays are compared with Mondays, and all weekdays share one spread of residuals.

    Returns
    -------
    Evidence
        p is NaN below 5 reference days, and ``why`` says so. ``statistic`` is the F ratio.

    Notes
    -----
    A day's variance is a part between days and a part from rows, which is larger on days with
    few rows; days are weighted by it. The residuals are never taken to be smaller than rows
    alone make them. The weights of the directions are estimated, which overstates the largest
    of them, so p errs to the large side for few days.

    References
    ----------
    Box, G. E. P. (1954). Some theorems on quadratic forms applied in the study of analysis of
    variance problems, I. Annals of Mathematical Statistics 25, 290-302.
    Shen, Q. and Faraway, J. (2004). An F test for linear models with functional responses.
    Statistica Sinica 14, 1239-1257.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> usual = rng.multinomial(1000, [0.5, 0.3, 0.2], size=28)
    >>> today = np.array([[400, 350, 250]])
    >>> day_evidence(usual, today, ordered=False).p < 0.001
    True
    >>> day_evidence(usual[:4], today, ordered=False).why
    'fewer than 5 reference days with rows'
    """
    name = "distribution by day" if ordered else "shares by day"
    before, after = two_windows(reference, current, dimensions=2)
    week = _weekdays(weekday, len(before), len(after))
    kept = before.sum(axis=1) > 0, after.sum(axis=1) > 0
    before, after = before[kept[0]], after[kept[1]]
    if week is not None:
        week = week[0][kept[0]], week[1][kept[1]]
    if len(before) <= LEAST:
        return silent(name, _FEW)
    if len(after) == 0:
        return silent(name, "the current window has no rows")
    counts = np.concatenate([before, after])
    days = _curves(counts) if ordered else _shares(counts)
    if days is None:
        return silent(name, "all rows have the same value")
    return judged(days, len(before), week, name=name)


def mean_evidence(
    reference: NDArray[Any],
    current: NDArray[Any],
    *,
    rows: tuple[NDArray[Any], NDArray[Any]] | None = None,
    weekday: Weekdays | None = None,
) -> Evidence:
    """Say whether one number a day differs from what reference days predict.

    A t prediction interval for the mean of the current days, turned into a two-sided p.

    Parameters
    ----------
    reference, current
        One number per day; days where it is NaN or infinite are left out.
    rows
        Rows of each reference and each current day, when the numbers are shares of rows: then
        days with few rows count less, and a share that never moved is still allowed the
        noise of its rows.
    weekday
        As for ``day_evidence``.

    Returns
    -------
    Evidence
        ``statistic`` is t squared. p is NaN below 5 reference days, and when reference days
        never differ and no rows say how much they might.

    References
    ----------
    Hahn, G. J. and Meeker, W. Q. (1991). Statistical Intervals. Wiley, section 4.8.

    Examples
    --------
    >>> usual = np.array([1.0, 1.2, 0.9, 1.1, 1.0, 0.8, 1.2, 1.0])
    >>> round(mean_evidence(usual, np.array([1.9])).p, 4)
    0.0006
    >>> shares = np.zeros(28), np.array([0.01])
    >>> mean_evidence(*shares, rows=(np.full(28, 5000), np.array([5000]))).p < 1e-4
    True
    """
    name = "mean by day"
    before = np.asarray(reference, dtype=np.float64)
    after = np.asarray(current, dtype=np.float64)
    if before.ndim != 1 or after.ndim != 1:
        raise BadInput("the numbers are not one per day.", fix="pass arrays of one dimension.")
    sizes = _sizes(rows, before, after)
    week = _weekdays(weekday, before.size, after.size)
    kept = np.isfinite(before) & (sizes[0] > 0), np.isfinite(after) & (sizes[1] > 0)
    if kept[0].sum() <= LEAST:
        return silent(name, _FEW)
    if not kept[1].any():
        return silent(name, "no current day has a value")
    values = np.concatenate([before[kept[0]], after[kept[1]]])
    many = np.concatenate([sizes[0][kept[0]], sizes[1][kept[1]]])
    noise = np.zeros(values.size)
    if rows is not None:
        share = float(np.clip((many @ values) / many.sum(), 0, 1))
        noise = share * (1 - share) / many
    first = int(kept[0].sum())
    scaled, unit = _scaled_to(values, first)
    if unit == 0:
        return silent(name, "all days have the same value")
    if week is not None:
        week = week[0][kept[0]], week[1][kept[1]]
    days = Days(scaled[:, None], noise / unit / unit, np.ones(1))
    found = judged(days, first, week, name=name)
    if rows is None or not found.says:
        return found
    alone = _by_rows(values, many, first, week)
    return found if found.p >= alone else replace(found, p=alone)


def _scaled_to(values: Floats, first: int) -> tuple[Floats, float]:
    """Return the values around a reference day's, in units of how far reference days reach."""
    gap = values - values[0]
    unit = float(np.abs(gap[:first]).max())
    if unit <= _ROUNDING * float(np.abs(values[:first]).max()):
        gap[:first] = 0  # equal but for rounding
        unit = float(np.abs(gap).max())
    return np.clip(gap / (unit or 1.0), -_FAR, _FAR), unit


def _by_rows(values: Floats, many: Floats, first: int, week: Weekdays | None) -> float:
    """Return the exact p of the share if all rows were independent: days cannot say more.

    Where hits are rarer than days, a normal spread of days promises too much.
    """
    like = np.ones(first, dtype=bool)
    if week is not None and np.isin(week[1], week[0]).all():
        like = np.isin(week[0], week[1])
    hits = np.rint(np.clip(values, 0, 1) * many)
    before, after = float(hits[:first][like].sum()), float(hits[first:].sum())
    return share_p(before, after, float(many[:first][like].sum()), float(many[first:].sum()))


def _sizes(
    rows: tuple[NDArray[Any], NDArray[Any]] | None, before: Floats, after: Floats
) -> tuple[Floats, Floats]:
    if rows is None:
        return np.ones(before.size), np.ones(after.size)
    sizes = np.asarray(rows[0], dtype=np.float64), np.asarray(rows[1], dtype=np.float64)
    for given, values in zip(sizes, (before, after), strict=True):
        if given.shape != values.shape or not np.isfinite(given).all() or (given < 0).any():
            raise BadInput("rows are not one count per day.", fix="pass how many rows each had.")
    return sizes


def _weekdays(weekday: Weekdays | None, before: int, after: int) -> Weekdays | None:
    if weekday is None:
        return None
    first, then = np.asarray(weekday[0]), np.asarray(weekday[1])
    if first.shape != (before,) or then.shape != (after,):
        raise BadInput(
            f"weekdays have shapes {first.shape} and {then.shape} for {before} and {after} days.",
            fix="pass one weekday per day.",
        )
    return first, then


def _curves(counts: Floats) -> Days | None:
    """Return each day's distribution function, weighted so that rows alone give noise 1 / n."""
    starts = bin_starts(counts.sum(axis=0), bins=_BINS)
    if starts.size < 2:  # noqa: PLR2004 - one bin has no edge
        return None
    binned = np.add.reduceat(counts, starts, axis=1)
    pooled = binned.sum(axis=0)
    rows = binned.sum(axis=1)
    below = np.cumsum(pooled)[:-1] / pooled.sum()
    thin = _THIN / float(np.median(rows)) / np.maximum(below * (1 - below), 1e-12)
    root = np.sqrt(edge_weights(pooled) / np.maximum(thin, 1))
    covariance = (np.minimum.outer(below, below) - np.outer(below, below)) * np.outer(root, root)
    return _scaled(np.cumsum(binned, axis=1)[:, :-1] / rows[:, None] * root, covariance, rows)


def _shares(counts: Floats) -> Days | None:
    """Return each day's shares of the commonest categories and of all others together."""
    pooled = counts.sum(axis=0)
    if pooled.size > _TOP:
        first = np.argpartition(-pooled, _TOP)[:_TOP]
        rest = counts.sum(axis=1) - counts[:, first].sum(axis=1)
        counts = np.column_stack([counts[:, first], rest])
    counts = counts[:, counts.sum(axis=0) > 0]
    if counts.shape[1] < 2:  # noqa: PLR2004 - one category cannot change
        return None
    rows, share = counts.sum(axis=1), counts.sum(axis=0) / counts.sum()
    root = 1 / np.sqrt(np.maximum(share, _THIN / float(np.median(rows))))
    covariance = (np.diag(share) - np.outer(share, share)) * np.outer(root, root)
    return _scaled(counts / rows[:, None] * root, covariance, rows)


def _scaled(values: Floats, covariance: Floats, rows: Floats) -> Days:
    weights = np.maximum(np.linalg.eigvalsh(covariance), 0)
    return Days(values, float(weights.sum()) / rows, weights / weights.sum())
