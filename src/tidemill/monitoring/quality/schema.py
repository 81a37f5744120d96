"""Which columns a window has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any

import ibis
from ibis.expr import types as ir

from tidemill.core.errors import BadInput
from tidemill.core.limits import Texts, Whole
from tidemill.core.records import FEATURE, features_of
from tidemill.core.rule import rule
from tidemill.core.signals import Judgement, Point
from tidemill.core.verdict import Verdict
from tidemill.monitoring.quality.columns import rows_where, stored, there
from tidemill.monitoring.quality.judging import not_measured, ones, since


@rule
class Schema:
    """Every column must be there, and no other one may come.

    A column is there in a window when a row of it has a value: tables keep a column long after
    nobody writes it. Its number is how many columns are missing or new; ``changes`` tells
    which. A column that changed its type is :class:`TypeIs`'s business.

    Parameters
    ----------
    columns
        The bare names of all features.
    others
        Whether features that are not listed may come.
    least
        How many rows a window must have before a column without a value counts as missing.
    alerting
        Whether it may page anybody.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.memtable({"f_age": [1.0, None], "f_size": [2.0, None]})
    >>> Schema(("age", "name"), others=False).changes(records)
    {'name': 'missing', 'size': 'new'}
    """

    columns: Annotated[tuple[str, ...], Texts("a list of the names of features")]
    _: KW_ONLY
    others: bool = True
    least: Annotated[int, Whole(1)] = 20
    alerting: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(dict.fromkeys(self.columns)))

    @property
    def column(self) -> str:
        return ""

    @property
    def metric(self) -> str:
        return "schema_changes"

    def measured(self, records: ir.Table, /) -> dict[str, ir.Scalar]:
        n: Any = records.count()
        changed: Any = ibis.literal(0)
        for is_so in self._found(records).values():
            changed += ibis.ifelse(is_so, 1, 0)
        value: Any = ibis.ifelse(n > 0, changed.cast("float64"), ibis.null("float64"))
        return {"value": value, "n": n}

    def changes(self, records: ir.Table, /) -> dict[str, str]:
        """Return which columns are ``"missing"`` and which are ``"new"``, by Ibis's own engine."""
        found = self._found(records)
        names = [f"c{k}" for k in range(len(found))]
        row = records.aggregate(**dict(zip(names, found.values(), strict=True))).to_pyarrow()
        said = {n: bool(row[c][0].as_py()) for c, n in zip(names, found, strict=True)}
        return {n: "missing" if n in self.columns else "new" for n, is_so in said.items() if is_so}

    def judge(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        unknown = not_measured(points)
        if unknown is not None:
            return unknown
        last = points[-1]
        changed = round(last.value)
        words = (
            f"{changed} columns are missing or new, {len(self.columns)} are due, in {last.n} rows"
        )
        if last.n < self.least:
            return Judgement(verdict=Verdict.NO_VERDICT, why=f"{words}; too few rows to tell")
        return Judgement(
            verdict=Verdict.ALERT if changed else Verdict.OK,
            why=words,
            p=0.0 if changed else 1.0,
            effect=float(changed),
            low=0.0,
            high=0.0,
            onset=since(points, 0) if changed else None,
        )

    def _found(self, records: ir.Table) -> dict[str, Any]:
        """Return of each column whether it changed, as an aggregate."""
        found: dict[str, Any] = {}
        for column in self.columns:
            try:
                values = records[stored(records, column)]
            except BadInput:  # not a column of the table: missing in each window
                found[column] = rows_where(records, ones(records)) >= 0
                continue
            found[column] = rows_where(records, there(values)) == 0
        if not self.others:
            for name in features_of(list(records.columns)):
                bare = name.removeprefix(FEATURE)
                if bare not in self.columns:
                    found[bare] = rows_where(records, there(records[name])) > 0
        return found

    @classmethod
    def examples(cls) -> Iterator[Schema]:
        yield cls(("number", "text"))
        yield cls(("number", "text"), others=False, least=100)
