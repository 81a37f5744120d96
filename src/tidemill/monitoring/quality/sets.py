"""Categories: new ones that come, and known ones that no longer do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any

import ibis
from ibis.expr import types as ir

from tidemill.core.errors import BadInput, BadValue
from tidemill.core.limits import Between, Has, Text
from tidemill.core.rule import rule
from tidemill.core.signals import Judgement, Point
from tidemill.core.verdict import Verdict
from tidemill.monitoring.quality.columns import (
    and_not_null,
    is_numeric,
    rows_where,
    there,
    value_of,
)
from tidemill.monitoring.quality.judging import judge_share, not_measured, since
from tidemill.monitoring.quality.shares import OfRows

_VALUES = Has("__iter__", "a list of texts or numbers")


@rule
class InSet(OfRows):
    """At most a share of values may be others than the known ones: new categories.

    The share is of the rows that have a value.

    Parameters
    ----------
    column
        The bare name of a feature, or ``"output_text"``, ``"model"`` and so on.
    values
        The known ones, all texts or all numbers.
    at_most
        The share that may, from 0 to 1.
    alerting
        Whether it may page anybody.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.memtable({"f_carrier": ["AA", "ZZ", None]})
    >>> InSet("carrier", ("AA", "DL")).failing(records).to_pyarrow().to_pylist()
    [False, True, False]
    """

    column: Annotated[str, Text()]
    values: Annotated[tuple[str | float, ...], _VALUES]
    _: KW_ONLY
    at_most: Annotated[float, Between(0, 1)] = 0.0
    alerting: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", alike(self.values))

    @property
    def metric(self) -> str:
        return "new_categories"

    def failing(self, records: ir.Table, /) -> ir.BooleanColumn:
        values = comparable(records, self.column, self.values)
        return there(values) & ~and_not_null(values.isin(self.values))

    def applies(self, records: ir.Table, /) -> ir.BooleanColumn:
        return there(comparable(records, self.column, self.values))

    def judge(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        of = f"values of {self.column} are none of the {len(self.values)} known"
        return judge_share(self, points, alpha, of)

    @classmethod
    def examples(cls) -> Iterator[InSet]:
        yield cls("text", ("a", "b"))
        yield cls("number", (0.0, 1.0), at_most=0.01)


@rule
class Vanished:
    """No known category may stay away.

    Its number is how many of ``values`` do not come. A category with a share of at least
    ``least`` is absent from n rows with probability ``(1 - least) ** n`` at most, which is the
    evidence: a small window proves no absence.

    Parameters
    ----------
    column
        The bare name of a feature, or ``"output_text"``, ``"model"`` and so on.
    values
        The categories that always come, all texts or all numbers.
    least
        The share of rows that each of them has on a usual day, at least.
    alerting
        Whether it may page anybody.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.memtable({"f_carrier": ["AA", "AA", "DL", None]})
    >>> rule = Vanished("carrier", ("AA", "UA"), least=0.1)
    >>> records.aggregate(**rule.measured(records)).to_pyarrow().to_pylist()
    [{'value': 1.0, 'n': 3}]
    >>> rule.absent(records)
    ['UA']
    """

    column: Annotated[str, Text()]
    values: Annotated[tuple[str | float, ...], _VALUES]
    _: KW_ONLY
    least: Annotated[float, Between(0, 1, open_low=True)] = 0.01
    alerting: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", alike(self.values))

    @property
    def metric(self) -> str:
        return "vanished_categories"

    def measured(self, records: ir.Table, /) -> dict[str, ir.Scalar]:
        values = comparable(records, self.column, self.values)
        n = rows_where(records, there(values))
        seen = values.nunique(where=and_not_null(values.isin(self.values))).fill_null(0)
        lost = (len(self.values) - seen).cast("float64")
        value: Any = ibis.ifelse(n > 0, lost, ibis.null("float64"))
        return {"value": value, "n": n}

    def absent(self, records: ir.Table, /) -> list[str | float]:
        """Return which of the values do not come in these records, by Ibis's own engine."""
        values = comparable(records, self.column, self.values)
        seen = records.filter(values.isin(self.values)).select(seen=values).distinct()
        there_are = set(seen.to_pyarrow()["seen"].to_pylist())
        return [v for v in self.values if v not in there_are]

    def judge(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        unknown = not_measured(points)
        if unknown is not None:
            return unknown
        n, lost, known = points[-1].n, round(points[-1].value), len(self.values)
        words = f"{lost} of {known} categories of {self.column} do not come in {n} rows"
        p = self.by_chance(lost, n)
        more: dict[str, Any] = {"p": p, "effect": float(lost), "low": 0.0, "high": 0.0}
        if lost == 0:
            return Judgement(verdict=Verdict.OK, why=words, **more)
        if p <= alpha:
            why, onset = f"{words}; by chance with p = {p:.2g}", since(points, 0)
            return Judgement(verdict=Verdict.ALERT, why=why, onset=onset, **more)
        if self.by_chance(1, n) > 0.5:  # noqa: PLR2004 - as likely as not
            why = f"{words}; too few rows to tell"
            return Judgement(verdict=Verdict.NO_VERDICT, why=why, **more)
        why = f"{words}; chance alone may do that, p = {p:.2g}"
        return Judgement(verdict=Verdict.WARN, why=why, onset=since(points, 0), **more)

    def by_chance(self, lost: int, n: int) -> float:
        """Bound how likely so many categories or more are absent from n usual rows."""
        bound = 1.0
        for k in range(1, lost + 1):
            left = 1 - k * self.least
            sets = math.lgamma(len(self.values) + 1) - math.lgamma(k + 1)
            sets -= math.lgamma(len(self.values) - k + 1)
            bound = min(bound, math.exp(min(0.0, sets + n * math.log(left))) if left > 0 else 0.0)
        return bound

    @classmethod
    def examples(cls) -> Iterator[Vanished]:
        yield cls("text", ("a", "b"))
        yield cls("number", (0.0, 1.0), least=0.05)


def alike(values: Any) -> tuple[Any, ...]:
    """Return values as a tuple, each once.

    Raises
    ------
    BadValue
        If there is none, or they are not all texts or all finite numbers.
    """
    kept = tuple(dict.fromkeys(values)) if not isinstance(values, str) else ()
    texts = [isinstance(v, str) for v in kept]
    numbers = [
        isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in kept
    ]
    if not kept or not (all(texts) or all(numbers)):
        raise BadValue(f"values {values!r} are not alike.", fix="give texts only, or numbers only.")
    return kept


def comparable(records: ir.Table, column: str, values: tuple[Any, ...]) -> Any:
    """Return a column whose values are of the same sort as the known ones.

    Raises
    ------
    BadInput
        If it is of texts and they are numbers, or the other way round.
    """
    found = value_of(records, column)
    texts = isinstance(values[0], str)
    if not (found.type().is_string() if texts else is_numeric(found)):
        raise BadInput(
            f"column {column!r} is {found.type()}, but {values[0]!r} is {type(values[0]).__name__}.",
            fix="write the known values as the column holds them.",
        )
    return found
