"""The share of rows unlike any row of the reference: all that can be alarmed on without labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from tidemill.monitoring.estimates.answered import Answered

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Support:
    """How many rows lie where the reference had none, and how many would by chance.

    ``share`` is the weighted share outside, ``usual`` the share a new row of the reference's
    own kind would have: how many reference rows would be outside if they had not been seen.
    ``n`` and ``n_reference`` are effective rows. ``where`` names the columns, the most rows first.
    """

    share: float
    usual: float
    n: float
    n_reference: float
    where: tuple[str, ...] = ()

    @property
    def p(self) -> float:
        """The probability of at least this many rows outside if nothing had changed.

        The mass the reference left unseen is itself uncertain: with L reference rows that
        nobody else covers it is about Gamma(L, n_reference), and the count of rows outside
        negative binomial.
        """
        return self._p(self.share * self.n)

    def _p(self, count: float) -> float:
        if not self.n or not self.n_reference:
            return math.nan
        if count <= 0:
            return 1.0
        alone = max(self.usual * self.n_reference, 1.0)
        return float(betainc(count, alone, self.n / (self.n + self.n_reference)))

    def power(self, excess: float, alpha: float, floor: float) -> float:
        """Say how likely a share outside of ``usual + excess`` would be found."""
        if not self.n or not self.n_reference:
            return 0.0
        low, high = 0, max(math.ceil(self.n), 1)
        while low < high:  # the fewest rows that are evidence
            middle = (low + high) // 2
            low, high = (low, middle) if self._p(middle) <= alpha else (middle + 1, high)
        least = max(low, math.ceil((self.usual + floor) * self.n))
        if least > self.n or self._p(least) > alpha:
            return 0.0
        return float(betainc(least, self.n - least + 1, min(self.usual + excess, 1.0)))


def support(reference: Answered, current: Answered) -> Support:
    """Count the rows beyond the reference's range, or with a value it never had.

    A row is outside when its score, output or a feature is below the least or above the greatest of the
    reference, or missing where the reference never was; when a category or its membership of
    a cohort is one the reference never had.

    Parameters
    ----------
    reference, current
        Columns are compared where both have them.

    References
    ----------
    Good, I. J. (1953). The population frequencies of species and the estimation of population
    parameters. Biometrika 40, 237-264.

    Examples
    --------
    >>> old = Answered(features=np.arange(100.0)[:, None])
    >>> new = Answered(features=np.array([[50.0], [50.0], [50.0], [200.0]]))
    >>> found = support(old, new)
    >>> found.share, found.usual, found.where
    (0.25, 0.02, ('feature 0',))
    """
    old, new = reference.with_weight(), current.with_weight()
    outside, alone = np.zeros(new.n, dtype=bool), np.zeros(old.n, dtype=bool)
    where: dict[str, int] = {}
    if old.n and new.n:
        for name, before, now in _columns(old, new):
            numeric = before.dtype.kind in "fiub" and now.dtype.kind in "fiub"
            out, single = (_range if numeric else _values)(before, now)
            outside |= out
            alone |= single
            if out.any():
                where[name] = int(out.sum())
    return Support(
        share=_share(outside, new),
        usual=_share(alone, old),
        n=new.n_effective,
        n_reference=old.n_effective,
        where=tuple(sorted(where, key=lambda k: -where[k])),
    )


def _share(rows: Mask, of: Answered) -> float:
    return float(of.weights[rows].sum() / of.weights.sum()) if of.n else math.nan


def _columns(old: Answered, new: Answered) -> list[tuple[str, NDArray[Any], NDArray[Any]]]:
    """Pair the columns both have."""
    pairs: list[tuple[str, NDArray[Any], NDArray[Any]]] = []
    words = {"features": "feature", "categories": "category", "cohorts": "cohort"}
    for name in ("score", "output", "features", "categories", "cohorts"):
        if getattr(old, name) is None or getattr(new, name) is None:
            continue
        before, now = np.asarray(getattr(old, name)), np.asarray(getattr(new, name))
        if before.ndim == 1 and now.ndim == 1:
            pairs.append((name, before, now))
            continue
        before, now = np.atleast_2d(before), np.atleast_2d(now)
        for j in range(min(before.shape[1], now.shape[1])):
            one, other = before[:, j], now[:, j]
            if name == "categories":
                one, other = one.astype(str), other.astype(str)
            elif name == "cohorts":
                one, other = one.astype(np.float64), other.astype(np.float64)
            pairs.append((f"{words.get(name, name)} {j}", one, other))
    return pairs


def _range(before: NDArray[Any], now: NDArray[Any]) -> tuple[Mask, Mask]:
    """Say which rows are beyond the range, and which reference rows are alone at its ends."""
    x, new = before.astype(np.float64), now.astype(np.float64)
    gone = np.isnan(x)
    known = x[~gone]
    if not known.size:
        return ~np.isnan(new), np.zeros(x.shape, dtype=bool)
    low, high = known.min(), known.max()
    outside = (new < low) | (new > high)
    alone = np.zeros(x.shape, dtype=bool)
    for end in (low, high):
        rows = x == end
        if rows.sum() == 1:
            alone |= rows
    if not gone.any():
        outside |= np.isnan(new)
    elif gone.sum() == 1:
        alone |= gone
    return outside, alone


def _values(before: NDArray[Any], now: NDArray[Any]) -> tuple[Mask, Mask]:
    """Say which rows have a value never seen, and which reference rows have one seen once."""
    values, place, counts = np.unique(before.astype(str), return_inverse=True, return_counts=True)
    return ~np.isin(now.astype(str), values), counts[place] == 1
