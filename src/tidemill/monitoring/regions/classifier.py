"""A domain classifier: how well can rows of now be told from rows of before, and which are they?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import gammaln, stdtr, stdtrit

from tidemill.core.errors import BadInput
from tidemill.core.limits import Between, Whole
from tidemill.core.rule import check
from tidemill.core.verdict import Estimate
from tidemill.measures.coding import Codes, Coding
from tidemill.monitoring.regions.region import Region, regions
from tidemill.monitoring.regions.tree import balanced, boosted, grow
from tidemill.statistics.evidence import Evidence
from tidemill.statistics.influence import auc_influence

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
LEAST_ROWS = 40
LEAST_DAYS = 6
"""Three days a side are held out then, and in one of 20 orders all of a side come first."""
METHOD = "held-out AUC of a domain classifier"


@dataclass(frozen=True, kw_only=True)
class Separation:
    """How well current can be told from the reference.

    Parameters
    ----------
    auc
        Of rows that were not learnt from: 0.5 is not at all, 1 is completely. ``groups``
        counts the held-out days, or rows where there are no days.
    evidence
        One-sided, against 0.5.
    regions
        Where current has more rows, by held-out rows; empty where the interval holds 0.5.
    left_out
        Columns that were not asked, each with the reason.
    why
        Why there is no answer, or what limits it.
    """

    auc: Estimate
    evidence: Evidence
    regions: tuple[Region, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    why: str = ""


def domain_classifier(
    reference: pa.Table,
    current: pa.Table,
    *,
    seed: int = 0,
    days: tuple[NDArray[Any], NDArray[Any]] | None = None,
    confidence: float = 0.95,
    most: int = 20_000,
) -> Separation:
    """Learn to tell two tables apart on half of their days, and measure it on the other half.

    Parameters
    ----------
    reference, current
        Numbers, texts and booleans of any kind; missing is a value of its own. Times, and
        columns that are not on both sides, are left out and named.
    seed
        Of the sample and of the halves.
    days
        The day of each row of both sides: days are split whole and are what is counted, since
        rows of a day are not independent. None takes rows as independent.
    confidence
        Of the interval, which is that of this classifier on further rows.
    most
        Rows a side that are looked at, drawn at random.

    Returns
    -------
    Separation
        Without an interval where a side has fewer than 6 days: how usual days differ cannot
        be seen then, and ``unusual`` is what to ask.

    References
    ----------
    Lopez-Paz, D. and Oquab, M. (2017). Revisiting classifier two-sample tests. ICLR.
    DeLong, E. R., DeLong, D. M. and Clarke-Pearson, D. L. (1988). Comparing the areas under
    two or more correlated receiver operating characteristic curves. Biometrics 44, 837-845.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> before = pa.table({"x": rng.normal(size=600), "y": rng.normal(size=600)})
    >>> now = pa.table({"x": rng.normal(size=400), "y": np.r_[np.full(80, 3.0), np.zeros(320)]})
    >>> found = domain_classifier(before, now)
    >>> found.evidence.p < 0.001, found.auc.value > 0.9
    (True, True)
    """
    check("domain_classifier", "most", most, Whole(LEAST_ROWS))
    check("domain_classifier", "confidence", confidence, Between(0.5, 0.999999))
    rng = np.random.default_rng(seed)
    sides = (reference, current)
    units = _units(sides, days)
    taken = [_some(rng, table.num_rows, most) for table in sides]
    tables = [table.take(rows) for table, rows in zip(sides, taken, strict=True)]
    units = [own[rows] for own, rows in zip(units, taken, strict=True)]
    if min(table.num_rows for table in tables) < LEAST_ROWS:
        return _nothing(f"{tables[0].num_rows} and {tables[1].num_rows} rows are too few")
    coding = Coding.fit(*tables)
    if not coding.columns:
        return _nothing("no column has two values on both sides", coding)
    few = days is not None and min(np.unique(own).size for own in units) < LEAST_DAYS
    if few:
        units = [np.arange(table.num_rows) for table in tables]
    learnt = np.concatenate([_half(rng, own) for own in units])
    codes = np.concatenate([coding.codes(table) for table in tables])
    return _measured(
        coding, codes, np.repeat([False, True], [t.num_rows for t in tables]), learnt, units,
        confidence=confidence, few=few,
    )  # fmt: skip


def _measured(
    coding: Coding,
    codes: Codes,
    side: Bools,
    learnt: Bools,
    units: list[NDArray[Any]],
    *,
    confidence: float,
    few: bool,
) -> Separation:
    model = boosted(codes[learnt], side[learnt], coding.categories)
    score, held = model(codes[~learnt]), side[~learnt]
    auc, error, free = separation(score, held, np.concatenate(units)[~learnt])
    half = float(stdtrit(free, (1 + confidence) / 2)) * error
    found = ()
    if auc - half > 0.5:  # noqa: PLR2004 - no separation
        target = side[learnt].astype(np.float64)
        weight = balanced(target)
        tree = grow(
            codes[learnt], weight * (0.5 - target), weight / 4, coding.categories,
            depth=3, least=max(5.0, learnt.sum() / 400),
        )  # fmt: skip
        found = regions(coding, [tree], codes[~learnt & side], codes[~learnt & ~side])
    many = [int(np.unique(own[~part]).size) for own, part in _by_side(units, learnt)]
    p, why = _chance(auc, error, free, many), ""
    if few:
        p = half = math.nan
        why = f"a side has fewer than {LEAST_DAYS} days: no interval, as days may always differ"
    elif not error > 0:
        half, why = math.nan, "all held-out rows are alike or told apart: no interval"
    return Separation(
        auc=Estimate(
            value=auc, low=max(0.0, auc - half), high=min(1.0, auc + half),
            n=len(codes), n_effective=float(len(held)), groups=sum(many),
        ),
        evidence=Evidence(p=p, statistic=auc, method=METHOD, why=why),
        regions=found,
        left_out=coding.left_out,
        why=why,
    )  # fmt: skip


def separation(score: Floats, side: Bools, unit: NDArray[Any]) -> tuple[float, float, float]:
    """Return the AUC of scores, its standard error between units, and degrees of freedom.

    Examples
    --------
    >>> score, side = np.array([1.0, 2.0, 3.0, 2.0, 3.0, 4.0]), np.array([0, 0, 0, 1, 1, 1]) > 0
    >>> auc, error, free = separation(score, side, np.array([0, 1, 2, 0, 1, 2]))
    >>> round(auc, 3), round(error, 3), free
    (0.778, 0.208, 4.0)
    """
    places, place = np.unique(score, return_inverse=True)
    shares = [np.bincount(place[own], minlength=places.size) / own.sum() for own in (side, ~side)]
    auc = float(shares[0] @ (np.cumsum(shares[1]) - shares[1] / 2))
    moves = auc_influence(side.astype(np.float64), score, np.ones(score.size))
    variances: list[tuple[float, int]] = []
    for own in (side, ~side):
        sums = np.bincount(np.unique(unit[own], return_inverse=True)[1], moves[own])
        free = max(sums.size - 1, 1)
        variances.append((float(np.square(sums).sum()) * sums.size / free, free))
    whole = sum(variance for variance, _ in variances)
    if whole <= 0:
        return auc, 0.0, 1.0
    # Welch and Satterthwaite: each side has its own number of units.
    free = whole**2 / sum(variance**2 / own for variance, own in variances)
    return auc, math.sqrt(whole), free


def _chance(auc: float, error: float, free: float, units: list[int]) -> float:
    """Return the one-sided p, at least that of one order among all orders of the units.

    Where sides are told apart completely there is no spread to go by, and next to nothing
    where they nearly are: few days then seem to prove what they cannot.
    """
    n, m = units
    orders = math.exp(gammaln(n + 1) + gammaln(m + 1) - gammaln(n + m + 1))
    if error > 0:
        return min(1.0, max(float(stdtr(free, -(auc - 0.5) / error)), orders))
    return orders if auc > 0.5 else 1.0  # noqa: PLR2004 - no separation


def _by_side(units: list[NDArray[Any]], learnt: Bools) -> list[tuple[NDArray[Any], Bools]]:
    first = units[0].size
    return [(units[0], learnt[:first]), (units[1], learnt[first:])]


def _units(
    sides: tuple[pa.Table, pa.Table], days: tuple[NDArray[Any], NDArray[Any]] | None
) -> list[NDArray[Any]]:
    if days is None:
        return [np.arange(table.num_rows) for table in sides]
    for name, table, own in zip(("reference", "current"), sides, days, strict=True):
        if np.asarray(own).shape != (table.num_rows,):
            raise BadInput(
                f"the days of {name} have shape {np.shape(own)}, its rows are {table.num_rows}.",
                fix="pass one day per row.",
            )
    return [np.unique(np.asarray(own), return_inverse=True)[1] for own in days]


def _some(rng: np.random.Generator, rows: int, most: int) -> NDArray[np.int64]:
    if rows <= most:
        return np.arange(rows)
    return np.sort(rng.choice(rows, most, replace=False))


def _half(rng: np.random.Generator, units: NDArray[Any]) -> Bools:
    """Choose half of the units, and return their rows."""
    known = np.unique(units)
    return np.isin(units, rng.permutation(known)[: known.size // 2])


def _nothing(why: str, coding: Coding | None = None) -> Separation:
    lost = math.nan
    return Separation(
        auc=Estimate(value=lost, low=lost, high=lost, n=0, n_effective=0.0, groups=0),
        evidence=Evidence(p=lost, statistic=lost, method=METHOD, why=why),
        left_out=coding.left_out if coding else (),
        why=why,
    )
