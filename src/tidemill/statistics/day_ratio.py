"""The F ratio of days: how far some days are from others, against how far those are apart."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc, gammaincinv

from tidemill.statistics.evidence import Evidence, silent
from tidemill.statistics.mixture import ratio_tail

Floats = NDArray[np.float64]
Weekdays = tuple[NDArray[Any], NDArray[Any]]

LEAST = 4
"""Degrees of freedom of the reference days; fewer say nothing about how days differ."""
_DOUBT = 0.005  # how unlikely residuals as small as these are, at the limit of their variance
_NO_EVIDENCE = 0.25  # so large a p is of no use to anybody, and need not be exact
_CAUTION = 3  # found by simulation: sizes at .01 and .002 with 5 to 28 days


class Days(NamedTuple):
    """One vector a day, and what rows alone would make it vary by.

    ``values`` has one row per day; the sum of squares of a row varies by ``noise`` from rows
    alone, and ``rows_spectrum`` is how that noise is spread over directions, its sum 1.
    """

    values: Floats
    noise: Floats
    rows_spectrum: Floats


def judged(days: Days, reference: int, week: Weekdays | None, *, name: str) -> Evidence:
    """Set the current days against the reference days, by weekday where that can be.

    Parameters
    ----------
    days
        The reference days, then the current ones.
    reference
        How many reference days.
    week
        Weekday of each reference and each current day.
    name
        The method's name.

    Returns
    -------
    Evidence
        p is NaN when reference days never differ and rows do not say how much they might.

    Examples
    --------
    >>> values = np.array([[0.0], [1.0], [0.0], [1.0], [0.0], [1.0], [3.0]])
    >>> round(judged(Days(values, np.zeros(7), np.ones(1)), 6, None, name="t").p, 4)
    0.0083
    """
    design, point, why = _design(reference, len(days.values) - reference, week)
    df = reference - design.shape[1]
    usual, seen = days.values[:reference], days.values[reference:]
    between = _between_days(usual, days.noise[:reference], design)
    variance = between + days.noise
    if not (variance > 0).all():
        variance = np.ones(variance.size)  # no spread at all: settled below
    weight = 1 / variance
    first, then = weight[:reference], weight[reference:]
    mean, spot = then @ seen / then.sum(), then @ point / then.sum()
    inverse = np.linalg.inv((design.T * first) @ design)
    gap = mean - spot @ inverse @ ((design.T * first) @ usual)
    residual = np.sqrt(first)[:, None] * (usual - design @ inverse @ ((design.T * first) @ usual))
    spread = float((residual**2).sum()) / df
    # Rows alone give each day their noise, so whitened residuals have at least their share.
    floor = float((first * days.noise[:reference]).mean())
    if max(spread, floor) <= 1e-15:  # noqa: PLR2004 - rounding
        return silent(name, "reference days never differ")
    scale = 1 / float(then.sum()) + float(spot @ inverse @ spot)
    ratio = float(gap @ gap) / scale / max(spread, floor)
    below = _spectrum(residual, days.rows_spectrum, floor, df)
    rows = float(then @ (then * days.noise[reference:])) / float(then.sum()) ** 2
    noisy = (rows + floor * float(spot @ inverse @ spot)) / scale
    p = _tail(ratio, _above(below, days, floor, noisy), below, df)
    return Evidence(p=p, statistic=ratio, method=name, why=why)


def _tail(ratio: float, above: Floats, below: Floats, df: int) -> float:
    """Return the tail of the ratio; where it is no evidence, from an F of the same two moments.

    Most columns are calm, and the exact tail takes most of the time of a comparison.
    """
    share = float(above.sum() / below.sum())
    rank, usual = (float(w.sum() ** 2 / np.square(w).sum()) for w in (above, below))
    rough = float(fdtrc(rank, usual * df, ratio / share))
    return rough if rough > _NO_EVIDENCE else ratio_tail(ratio, above, below, df)


def _design(reference: int, current: int, week: Weekdays | None) -> tuple[Floats, Floats, str]:
    """Return what each day is predicted by: a mean for all, or one for each weekday."""
    every = np.ones((reference, 1)), np.ones((current, 1))
    if week is None:
        return *every, ""
    kinds, many = np.unique(week[0], return_counts=True)
    often = dict(zip(kinds.tolist(), many.tolist(), strict=True))
    if any(often.get(day, 0) < 2 for day in week[1].tolist()):  # noqa: PLR2004 - one has no spread
        return *every, "weekdays not told apart: one was seen less than twice"
    if reference - kinds.size < LEAST:
        return *every, "weekdays not told apart: too few reference days"
    return (
        (week[0][:, None] == kinds).astype(np.float64),
        (week[1][:, None] == kinds).astype(np.float64),
        "",
    )


def _between_days(usual: Floats, noise: Floats, design: Floats) -> float:
    """Estimate the variance between days that rows do not explain, by moments, at least 0."""
    hat = design @ np.linalg.inv(design.T @ design) @ design.T
    free = 1 - np.diag(hat)
    total = float(((usual - hat @ usual) ** 2).sum())
    return max(0.0, (total - float(free @ noise)) / float(free.sum()))


def _spectrum(residual: Floats, rows: Floats, floor: float, df: int) -> Floats:
    """Return how the residuals' squares are spread over directions, the largest first, sum 1.

    The part that rows make has directions that are known; only the rest is learnt from the
    residuals, which few days make look more alike than they are. How large a part rows make
    is taken from an upper limit of the residuals' variance, since days that happened to vary
    little would otherwise also look as if rows alone made them vary. The largest of both
    parts are added up, as if they were one direction: p errs to the large side.
    """
    squares = np.square(np.linalg.svd(residual, compute_uv=False)).astype(np.float64)
    total = float(squares.sum())
    if total <= 0:
        return rows
    share = cautious(squares / total, df)
    degrees = df / float(share @ share)
    by_rows = min(1.0, floor * 2 * float(gammaincinv(degrees / 2, _DOUBT)) / (total / df) / degrees)
    known = np.sort(rows)[::-1]
    found = np.zeros(max(known.size, share.size))
    found[: known.size] += known * by_rows
    found[: share.size] += share * (1 - by_rows)
    return found / found.sum()


def cautious(spectrum: Floats, df: int) -> Floats:
    """Give a part of what the lesser directions have to the main one, which comes first.

    When the main direction happens to vary little among few days, the residuals look both
    small and spread over many directions, and p would be too small on both accounts.

    Examples
    --------
    >>> cautious(np.array([0.6, 0.4]), 6)
    array([0.8, 0.2])
    """
    share = spectrum.copy()
    share[1:] *= max(0.0, 1 - _CAUTION / df)
    share[0] = 1 - share[1:].sum()
    return share


def _above(below: Floats, days: Days, floor: float, noisy: float) -> Floats:
    """Return the weights of the directions of the current days' gap.

    Those of the residuals, unless rows made the residuals and days make the gap: the fewer
    directions, the longer the tail, so then the whole of the day part gets one direction.
    """
    made_by_rows = min(1.0, floor)
    if noisy >= made_by_rows / 2:
        return below
    rest = below * (noisy / made_by_rows) if made_by_rows > 0 else below * 0
    rest[0] += 1 - float(rest.sum())
    return rest
