"""What the early days of a reference teach: rules with their limits, not yet proven."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.monitoring.quality.duplicates import Duplicates
from tidemill.monitoring.quality.ideas import Idea, limited
from tidemill.monitoring.quality.learning_rows import of_rows
from tidemill.monitoring.quality.missing import Finite, NullRate
from tidemill.monitoring.quality.ranges import InRange
from tidemill.monitoring.quality.reference import (
    Counts,
    Reference,
    is_number,
    is_text,
    missing,
    rounded,
)
from tidemill.monitoring.quality.sets import InSet, Vanished
from tidemill.monitoring.quality.texts import LOOKS, TypeIs

LEVELS = 100
"""A set of more categories is none that a person would keep in a file."""
SINGLETONS = 0.1
"""A set is closed when at most this share of its categories came only once (as deequ has it)."""
COMMON = 0.01
"""A category that has this share of the rows on each day is missed when it stays away."""
FEW = 20
"""So few whole numbers, each often there, are categories."""
NEAR_ZERO = 0.05
"""How near, as a share of the spread."""
UNIQUE = 0.999
"""Texts are ids when this share of them is unique within days."""


def learnt(reference: Reference, alpha: float) -> Iterator[Idea]:
    """Yield what the days of a reference teach about each column, and about whole rows.

    Parameters
    ----------
    alpha
        How likely a day without any change may be above a limit.
    """
    for name, values in reference.columns():
        lacking = missing(values)
        if lacking.all():
            none = f"no value in {len(reference.starts)} days"
            yield Idea(NullRate(name, at_most=1.0), none)  # so that it is refused aloud
            continue
        hits = reference.count(lacking)
        yield limited(NullRate, (name,), hits, reference.n, alpha, what="have no value")
        if is_number(values.type):
            yield from _numbers(name, values, reference, alpha)
        elif is_text(values.type):
            yield from _texts(name, values, reference, alpha)
    yield from of_rows(reference, alpha)


def _numbers(name: str, values: pa.Array, reference: Reference, alpha: float) -> Iterator[Idea]:
    number = np.asarray(pc.fill_null(values.cast(pa.float64(), safe=False), math.nan).to_numpy())
    there = ~values.is_null().to_numpy(zero_copy_only=False)
    finite = np.isfinite(number)
    if pa.types.is_floating(values.type):
        odd, n = reference.count(there & ~finite), reference.count(there)
        yield limited(Finite, (name,), odd, n, alpha, what="are not finite")
    known = number[finite]
    if not known.size or known.min() == known.max():
        return
    levels, codes, often = np.unique(known, return_inverse=True, return_counts=True)
    if levels.size <= FEW and np.all(levels == np.floor(levels)) and often.min() > 1:
        table = Levels.of(levels.tolist(), codes, reference.day[finite], len(reference.starts))
        yield _known(name, table, reference.count(finite), alpha)
    low, high = _range(known)
    asked = there & ~np.isnan(number)
    outside = reference.count(asked & ~((number >= low) & (number <= high)))
    what = f"are outside ({known.min():.4g} to {known.max():.4g} was seen)"
    n = reference.count(asked)
    yield limited(InRange, (name,), outside, n, alpha, what=what, low=low, high=high)


def _range(known: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return a range with half of the usual spread left free on either side.

    The spread is between the 0.1 % and the 99.9 % quantile, which a few wild values do not
    move; what is outside of it in the reference the limit of the rule allows for. Numbers that
    come near zero and never below it are taken as non-negative.
    """
    bottom, top = (float(v) for v in np.quantile(known, [0.001, 0.999]))
    if bottom == top:
        bottom, top = float(known.min()), float(known.max())
    free = (top - bottom) / 2
    low, high = rounded(bottom - free, up=False, digits=3), rounded(top + free, up=True, digits=3)
    if known.min() >= 0 and known.min() <= NEAR_ZERO * (top - bottom):
        low = 0.0
    if np.all(known == np.floor(known)):
        low, high = float(math.floor(low)), float(math.ceil(high))
    return low, high


def _texts(name: str, values: pa.Array, reference: Reference, alpha: float) -> Iterator[Idea]:
    there = ~values.is_null().to_numpy(zero_copy_only=False)
    n = reference.count(there)
    looks = pc.match_substring_regex(values, LOOKS["number"])
    is_so = pc.fill_null(looks, False).to_numpy(zero_copy_only=False)
    if is_so.sum() >= 0.99 * there.sum():
        odd = reference.count(there & ~is_so)
        yield limited(TypeIs, (name, "number"), odd, n, alpha, what="are no number")
    coded = pc.dictionary_encode(values.filter(pa.array(there)))
    names, codes = coded.dictionary.to_pylist(), coded.indices.to_numpy()
    table = Levels.of(names, codes, reference.day[there], len(n))
    if table.counts.size >= UNIQUE * table.counts.sum():
        again = table.on_days(table.counts - 1)
        yield limited(Duplicates, ((name,),), again, n, alpha, what="are there again")
    elif len(table.names) <= LEVELS and (table.total == 1).mean() <= SINGLETONS:
        yield from _set(name, table, n, alpha)


def _known(name: str, table: Levels, n: Counts, alpha: float) -> Idea:
    """Return the set of values; what only one day had is what a day without a fault may bring."""
    alone = np.bincount(table.level, minlength=len(table.names))[table.level] == 1
    new = table.on_days(np.where(alone, table.counts, 0))
    what = f"had a value that only one day had ({len(table.names)} values)"
    return limited(InSet, (name, tuple(sorted(table.names))), new, n, alpha, what=what)


def _set(name: str, table: Levels, n: Counts, alpha: float) -> Iterator[Idea]:
    yield _known(name, table, n, alpha)
    shares = np.zeros((len(n), len(table.names)))
    shares[table.day, table.level] = table.counts / n[table.day]
    least = shares[n > 0].min(axis=0)
    # Rarer ones may stay away by chance, so that their absence would prove nothing.
    provable = 1 - (alpha / len(table.names)) ** (1 / float(np.median(n[n > 0])))
    common = least >= max(COMMON, provable)
    if common.any():
        always = tuple(sorted(v for v, yes in zip(table.names, common, strict=True) if yes))
        smallest = rounded(float(least[common].min()), up=False)
        seen = f"{len(always)} values had {smallest:.2%} of the rows or more on each day"
        yield Idea(Vanished(name, always, least=smallest), seen)


@dataclass(frozen=True)
class Levels:
    """How often each category came on each day, the days on which it did not left out."""

    names: list[Any]
    day: npt.NDArray[np.int64]
    level: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    days: int

    @classmethod
    def of(
        cls,
        names: list[Any],
        codes: npt.NDArray[np.integer[Any]],
        day: npt.NDArray[np.int64],
        days: int,
    ) -> Levels:
        """Count categories by day: ``codes`` is the place of each row's one in ``names``."""
        cells = day * len(names) + codes
        cell, counts = np.unique(cells, return_counts=True)
        return cls(names, cell // len(names), cell % len(names), counts, days)

    @property
    def total(self) -> npt.NDArray[np.float64]:
        """How often each category came on all days."""
        return np.bincount(self.level, self.counts, minlength=len(self.names)).astype(float)

    def on_days(self, counts: npt.NDArray[np.int64]) -> Counts:
        """Add up by day."""
        return np.bincount(self.day, counts, minlength=self.days).astype(float)
