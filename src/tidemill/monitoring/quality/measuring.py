"""Many rules measured over many windows in one question to the engine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pyarrow as pa
from ibis.expr import types as ir

from tidemill.core.errors import TidemillError
from tidemill.core.ports import Engine
from tidemill.core.signals import Point
from tidemill.measures.metric import summary_of


class Measured(Protocol):
    """Whatever has a number and its rows in each window: a quality rule, a proxy, an outcome."""

    def measured(self, records: ir.Table, /) -> Mapping[str, ir.Scalar]:
        """Return ``value`` and ``n`` as aggregates."""
        ...


def measure(
    rules: Sequence[Measured],
    records: ir.Table,
    engine: Engine,
    *,
    window: Any,
    starts: Sequence[datetime],
    every: timedelta,
) -> list[list[Point]]:
    """Measure rules in every window of time.

    One that breaks, because of a column that is not there or of what its values are, costs
    nobody else their number: its points are NaN and say why.

    Parameters
    ----------
    rules
        Whatever is measured.
    records
        The records of all windows.
    engine
        What evaluates them.
    window
        A column with the start of each record's window, such as
        ``records.predicted_at.truncate("D")``.
    starts, every
        When the windows begin, in UTC, the oldest first, and how long they are. One in which
        no record is has n = 0.

    Returns
    -------
    list
        For each rule one point a window, in the order of ``starts``.

    Examples
    --------
    >>> import ibis
    >>> from tidemill.adapters.engines.duckdb import DuckDBEngine
    >>> from tidemill.monitoring.quality import NullRate
    >>> day = datetime(2024, 1, 1, tzinfo=UTC)
    >>> records = ibis.memtable({"predicted_at": [day, day], "f_age": [30.0, None]})
    >>> points = measure(
    ...     [NullRate("age", at_most=0.1), NullRate("size", at_most=0.1)], records, DuckDBEngine(),
    ...     window=records.predicted_at.truncate("D"), starts=[day], every=timedelta(days=1),
    ... )
    >>> points[0][0].value, points[1][0].why
    (0.5, "the records have no column 'size'.")
    """
    asked: dict[int, Mapping[str, Any]] = {}
    broken: dict[int, str] = {}
    for k, rule in enumerate(rules):
        try:
            asked[k] = rule.measured(records)
        except TidemillError as error:
            broken[k] = error.what
    found = _answers(asked, records.group_by(window=window), engine, broken)
    points = [
        [_point(found.get(k, {}).get(start), start, every, broken.get(k, "")) for start in starts]
        for k in range(len(rules))
    ]
    return [
        [replace(p, weight=p.n) for p in made] if summary_of(rule) == "mergeable" else made
        for rule, made in zip(rules, points, strict=True)
    ]


def _answers(
    asked: Mapping[int, Mapping[str, Any]], groups: Any, engine: Engine, broken: dict[int, str]
) -> dict[int, dict[datetime, Mapping[str, Any]]]:
    """Ask for all at once; where that fails, for each half alone, until it is clear who fails."""
    if not asked:
        return {}
    columns = {f"{name}_{k}": e for k, parts in asked.items() for name, e in parts.items()}
    try:
        rows = engine.arrow(groups.aggregate(**columns))
    except Exception as error:  # noqa: BLE001 - each engine has its own; told in the points
        if len(asked) == 1:
            broken[next(iter(asked))] = str(error).partition("\n")[0] or type(error).__name__
            return {}
        keys = list(asked)
        half = len(keys) // 2
        parts = ({k: asked[k] for k in some} for some in (keys[:half], keys[half:]))
        return {k: v for p in parts for k, v in _answers(p, groups, engine, broken).items()}
    return {k: _by_window(rows, k, list(parts)) for k, parts in asked.items()}


def _by_window(rows: pa.Table, k: int, names: list[str]) -> dict[datetime, Mapping[str, Any]]:
    at = [_utc(moment) for moment in rows["window"].to_pylist()]
    columns = {name: rows[f"{name}_{k}"].to_pylist() for name in names}
    return {
        start: {name: values[i] for name, values in columns.items()}
        for i, start in enumerate(at)
        if start is not None
    }


def _utc(moment: Any) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _point(row: Mapping[str, Any] | None, start: datetime, every: timedelta, why: str) -> Point:
    value, n = (None, 0) if row is None else (row.get("value"), row.get("n") or 0)
    number = math.nan if value is None else float(value)
    return Point(start=start, end=start + every, value=number, n=int(n), why=why)
