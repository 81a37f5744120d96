"""Is today unusual: does it differ from other days by more than days do, and where?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidemill.core.limits import Between, Whole
from tidemill.core.rule import check
from tidemill.core.signals import Judgement
from tidemill.core.verdict import Verdict
from tidemill.measures.coding import Codes, Coding
from tidemill.monitoring.regions.beyond import beyond
from tidemill.monitoring.regions.region import Region, regions
from tidemill.monitoring.regions.tree import Boosted, boosted

Floats = NDArray[np.float64]
LEAST_DAYS = 10
LEAST_ROWS = 40
ALWAYS = (0.9, 0.8, 0.7)
"""A column that alone tells usual days apart this well, by its median AUC, always changes."""
CROWDED = 0.9
"""Above this median AUC of usual days, the next of the limits above is taken."""
OTHERS = 3
"""Rows of other days for each row of the day."""


@dataclass(frozen=True, kw_only=True)
class Unusual:
    """Whether today is unusual, and the region in which it is most so.

    Parameters
    ----------
    judgement
        ``effect`` is today's AUC above the median of the usual days', ``high`` the AUC above
        which a day is unusual.
    auc
        How well today can be told from the past days, on rows not learnt from.
    usual
        The same for each past day against the other past days.
    regions
        Where today has more rows than each past day; the best first.
    always
        Columns that tell any two days apart, such as an id that counts, or the weather: they
        were not asked, because beside them nothing else could be seen.
    left_out
        Columns that cannot be asked, each with the reason.
    """

    judgement: Judgement
    auc: float = math.nan
    usual: tuple[float, ...] = ()
    regions: tuple[Region, ...] = ()
    always: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()


def unusual(
    today: pa.Table,
    past: Sequence[pa.Table],
    *,
    alpha: float = 0.01,
    seed: int = 0,
    rows: int = 1000,
) -> Unusual:
    """Compare how far today is from past days with how far those are from one another.

    The same learner tells each day from the others, on the same number of rows; its held-out
    AUC says how far the day is. Days always differ, and by how much is what the past days
    show: today's AUC must be beyond a prediction limit of theirs.
    Columns in which days always differ are not asked: first those that alone tell usual days
    apart with an AUC of 0.9, and where the others together still do, those of 0.8, then 0.7.
    Past days alone decide which.

    Parameters
    ----------
    today
        The rows of the day that is judged.
    past
        The rows of past days, one table a day, at least 10. Pass days that are like it: where
        weekends differ, past weekends for a weekend.
    alpha
        How likely a false ALERT may be.
    seed
        Of the rows drawn and of the halves.
    rows
        Rows a day that are looked at, at most; all days are compared on as many as the
        smaller of today and the usual day has.

    Returns
    -------
    Unusual
        NO_VERDICT with fewer than 10 past days or 40 rows, and when days are told apart so
        well that not even a complete separation would stand out.

    References
    ----------
    Hahn, G. J. and Meeker, W. Q. (1991). Statistical Intervals. Wiley, section 4.8.
    Lopez-Paz, D. and Oquab, M. (2017). Revisiting classifier two-sample tests. ICLR.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> days = [pa.table({"x": rng.normal(size=200), "y": rng.normal(size=200)}) for _ in "x" * 13]
    >>> found = unusual(pa.table({"x": rng.normal(size=200), "y": np.full(200, 9.0)}), days)
    >>> found.judgement.verdict.value, found.regions[0].where.words()
    ('ALERT', 'y > 1.98')
    """
    check("unusual", "alpha", alpha, Between(0, 0.5, open_low=True))
    check("unusual", "rows", rows, Whole(LEAST_ROWS))
    sizes = sorted(day.num_rows for day in past)
    n = min(rows, today.num_rows, sizes[len(sizes) // 2] if sizes else 0)
    known = [day for day in past if day.num_rows >= n > 0]
    # Half of the days have at least the median: the smaller ones may be used as others, whole.
    known += [day for day in past if n > day.num_rows >= max(LEAST_ROWS, n // 2)]
    if len(known) < LEAST_DAYS or n < LEAST_ROWS:
        why = f"{len(known)} past days of at least {max(LEAST_ROWS, n // 2)} rows, and {n} of today"
        return _unknown(f"{why}; {LEAST_DAYS} days of {LEAST_ROWS} are needed")
    rng = np.random.default_rng(seed)
    tables = [_drawn(rng, table, n) for table in (today, *known)]
    coding = Coding.fit(*tables)
    days = [coding.codes(table) for table in tables]
    rivals = [_others(rng, days, at) for at in range(len(days))]
    alone = np.array([_alone(rng, day, other) for day, other in zip(days, rivals, strict=True)])
    typical = np.median(alone[1:], axis=0) if coding.columns else np.zeros(0)
    chosen = _Asked.of(coding, typical < ALWAYS[0], days, rivals)
    for limit in ALWAYS[1:]:
        if np.median(chosen.usual) <= CROWDED:
            break
        if np.sum(typical < limit) < chosen.asked.sum():
            chosen = _Asked.of(coding, typical < limit, days, rivals)
    return _compared(chosen, days[0], rivals[0], alpha=alpha)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """Which columns are asked, and what they say of the past days."""

    asked: NDArray[np.bool_]
    coding: Coding
    always: tuple[str, ...]
    usual: Floats
    held: tuple[Codes, ...]

    @classmethod
    def of(
        cls,
        coding: Coding,
        asked: NDArray[np.bool_],
        days: list[Codes],
        rivals: list[Codes],
    ) -> _Asked:
        pairs = list(zip(coding.columns, asked, strict=True))
        small = Coding(columns=tuple(c for c, use in pairs if use), left_out=coding.left_out)
        past = zip(days[1:], rivals[1:], strict=True)
        aucs = [_told(small, day[:, asked], other[:, asked])[0] for day, other in past]
        return cls(
            asked=asked,
            coding=small,
            always=tuple(c.name for c, use in pairs if not use),
            usual=np.array(aucs),
            held=tuple(day[len(day) // 2 :, asked] for day in days[1:]),
        )


def _compared(chosen: _Asked, day: Codes, other: Codes, *, alpha: float) -> Unusual:
    """Judge today's AUC among those of the past days."""
    if not chosen.coding.columns:
        return _unknown("no column that is the same from day to day is left", chosen)
    day, other = day[:, chosen.asked], other[:, chosen.asked]
    auc, model = _told(chosen.coding, day, other)
    usual = float(np.median(chosen.usual))
    p, high = beyond(auc, chosen.usual, alpha=alpha, rows=len(day) - len(day) // 2)
    if math.isnan(p) or usual > CROWDED:
        why = f"usual days are told apart with AUC {usual:.3f}: even a complete one is usual"
        return _unknown(why, chosen, auc=auc)
    held = day[len(day) // 2 :]
    where = regions(
        chosen.coding, model.trees[:5], held, np.concatenate(chosen.held), usual=chosen.held
    )
    why = f"AUC {auc:.3f} against other days, usual days {usual:.3f}, unusual above {high:.3f}"
    verdict = Verdict.ALERT if p <= alpha else Verdict.OK
    if verdict is Verdict.ALERT and where:
        why += f"; {where[0].words()}"
    return Unusual(
        judgement=Judgement(verdict=verdict, why=why, p=p, effect=auc - usual, low=0.0, high=high),
        auc=auc,
        usual=tuple(chosen.usual.tolist()),
        regions=where,
        always=chosen.always,
        left_out=chosen.coding.left_out,
    )


def _drawn(rng: np.random.Generator, table: pa.Table, n: int) -> pa.Table:
    """Take n rows in random order, so that the first half is a random one."""
    return table.take(rng.permutation(table.num_rows)[:n])


def _others(rng: np.random.Generator, days: list[Codes], at: int) -> Codes:
    """Draw rows of the other past days, evenly; today is never among them."""
    other = [day for place, day in enumerate(days) if place not in (0, at)]
    each = max(2, -(-OTHERS * len(days[0]) // len(other)))
    # Both halves hold rows of every day: what days have of their own is known to the learner.
    parts = [day[rng.permutation(len(day))[:each]] for day in other]
    halves = [part[: len(part) // 2] for part in parts], [part[len(part) // 2 :] for part in parts]
    return np.concatenate([*halves[0], *halves[1]])


def _told(coding: Coding, day: Codes, other: Codes) -> tuple[float, Boosted]:
    """Learn a day from the first halves, and return the AUC of the second ones."""
    if not coding.columns:
        return 0.5, Boosted(trees=(), rate=1.0)
    cut, off = len(day) // 2, len(other) // 2
    learnt = np.concatenate([day[:cut], other[:off]])
    model = boosted(learnt, np.arange(len(learnt)) < cut, coding.categories, rounds=15)
    return _auc(model(day[cut:]), model(other[off:])), model


def _alone(rng: np.random.Generator, day: Codes, other: Codes) -> Floats:
    """Return the held-out AUC of each column alone, by how frequent its codes are."""
    cut, off = len(day) // 2, len(other) // 2
    found = np.empty(day.shape[1])
    for at in range(day.shape[1]):
        inside = np.bincount(day[:cut, at], minlength=256) + 0.5
        outside = np.bincount(other[:off, at], minlength=256) + 0.5
        score = np.log(inside / inside.sum()) - np.log(outside / outside.sum())
        found[at] = _auc(score[day[cut:, at]], score[other[off:, at]])
    return found


def _auc(high: Floats, low: Floats) -> float:
    places = np.unique(np.concatenate([high, low]))
    above, below = (
        np.bincount(np.searchsorted(places, own), minlength=places.size) / own.size
        for own in (high, low)
    )
    return float(above @ (np.cumsum(below) - below / 2))


def _unknown(why: str, chosen: _Asked | None = None, *, auc: float = math.nan) -> Unusual:
    return Unusual(
        judgement=Judgement(verdict=Verdict.NO_VERDICT, why=why),
        auc=auc,
        usual=tuple(chosen.usual.tolist()) if chosen else (),
        always=chosen.always if chosen else (),
        left_out=chosen.coding.left_out if chosen else (),
    )
