"""How many rows a window has."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import UTC
from typing import Annotated, Any

from ibis.expr import types as ir

from tidemill.core.errors import BadValue
from tidemill.core.rule import rule
from tidemill.core.signals import Judgement, Point
from tidemill.core.verdict import Verdict

_WEEK = 7
_DAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


@dataclass(frozen=True)
class Counts:
    """A number of rows, or seven of them, for a Monday to a Sunday."""

    def broken(self, value: object) -> str | None:
        many = value if isinstance(value, list | tuple) else (value,)
        fits = all(
            isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) and v >= 0
            for v in many
        )
        if fits and (many is not value or len(many) == _WEEK):
            return None
        return "a number of rows, at least 0, or seven of them, Monday first"

    def bad(self) -> Iterator[object]:
        yield from (-1, "1", math.nan, math.inf, None, True, (), (1, 2), (1, 1, 1, 1, 1, 1, -1))


@rule
class RowCount:
    """A window must have as many rows as windows have.

    A count is no estimate: outside its range it is an ALERT, and so is a window without any
    row where some are due. Give it closed windows only: one that is still open is not full.

    Parameters
    ----------
    at_least, at_most
        The fewest and the most rows, one number for all windows or seven, for windows that
        begin on a Monday to a Sunday in UTC; None leaves that end open.
    alerting
        Whether it may page anybody.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.memtable({"record_id": ["a", "b"]})
    >>> records.aggregate(**RowCount(at_least=1).measured(records)).to_pyarrow().to_pylist()
    [{'value': 2.0, 'n': 2}]
    """

    _: KW_ONLY
    at_least: Annotated[float | tuple[float, ...], Counts()] | None = None
    at_most: Annotated[float | tuple[float, ...], Counts()] | None = None
    alerting: bool = True

    def __post_init__(self) -> None:
        if self.at_least is None and self.at_most is None:
            raise BadValue("RowCount has no end.", fix="give at_least, at_most or both.")
        for name in ("at_least", "at_most"):
            given: Any = getattr(self, name)
            object.__setattr__(self, name, tuple(given) if isinstance(given, list) else given)
        if any(low > high for low, high in map(self.range, range(_WEEK))):
            raise BadValue(
                f"at_least {self.at_least} is above at_most {self.at_most}.", fix="swap them."
            )

    @property
    def column(self) -> str:
        return ""

    @property
    def metric(self) -> str:
        return "row_count"

    def range(self, weekday: int) -> tuple[float, float]:
        """Return the fewest and the most rows of a window that begins on a weekday."""
        low = 0.0 if self.at_least is None else self.at_least
        high = math.inf if self.at_most is None else self.at_most
        return (
            low[weekday] if isinstance(low, tuple) else low,
            high[weekday] if isinstance(high, tuple) else high,
        )

    def measured(self, records: ir.Table, /) -> dict[str, ir.Scalar]:
        n: Any = records.count()
        return {"value": n.cast("float64"), "n": n}

    def judge(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        if not points:
            return Judgement(verdict=Verdict.NO_VERDICT, why="no window was measured")
        last = points[-1]
        rows = _rows(last)
        if rows is None:
            return Judgement(verdict=Verdict.NO_VERDICT, why=last.why or "rows were not counted")
        low, high = self.range(last.start.astimezone(UTC).weekday())
        day = _DAYS[last.start.astimezone(UTC).weekday()]
        of = f" on {day}" if isinstance(self.at_least or self.at_most, tuple) else ""
        words = f"{rows:.0f} rows, {low:g} to {high:g} are due{of}"
        inside = low <= rows <= high
        effect = 0.0 if inside else rows - (low if rows < low else high)
        return Judgement(
            verdict=Verdict.OK if inside else Verdict.ALERT,
            why=words,
            p=1.0 if inside else 0.0,
            effect=effect,
            low=low,
            high=high,
            onset=None if inside else self._since(points),
        )

    def _since(self, points: Sequence[Point]) -> Any:
        start = points[-1].start
        for point in reversed(points):
            rows = _rows(point)
            low, high = self.range(point.start.astimezone(UTC).weekday())
            if rows is None or low <= rows <= high:
                break
            start = point.start
        return start

    @classmethod
    def examples(cls) -> Iterator[RowCount]:
        yield cls(at_least=1)
        yield cls(at_least=(9, 9, 9, 9, 9, 1, 1), at_most=100, alerting=False)


def _rows(point: Point) -> float | None:
    """Return the rows of a window: one nobody wrote to has 0, one that broke has none."""
    if math.isfinite(point.value):
        return point.value
    return None if point.why else float(point.n)
