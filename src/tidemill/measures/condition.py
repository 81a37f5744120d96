"""A condition on one column, in words, as an expression and as a line of a strategy file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr import types as ir
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.measures.cohort import Cohort

Value = str | bool
LISTED = 5
"""Values named in words before the rest is counted."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What a row of a found group has in one column; it is never null.

    Parameters
    ----------
    column
        Name of the feature, without ``f_``.
    values
        It is one of these.
    outside
        It is none of ``values`` instead, and not missing.
    above, at_most
        It is a number above the one and at most the other; None for no bound.
    missing
        It may also be missing (null or NaN); alone, it is missing.

    Examples
    --------
    >>> Condition(column="humid", above=40.0, at_most=80.0).words()
    '40 < humid <= 80'
    >>> Condition(column="carrier", values=("9E", "EV"), missing=True).words()
    'carrier is 9E, EV or missing'
    >>> Condition(column="wind", missing=True).words()
    'wind is missing'
    """

    column: str
    values: tuple[Value, ...] = ()
    outside: bool = False
    above: float | None = None
    at_most: float | None = None
    missing: bool = False

    def __post_init__(self) -> None:
        numbers = [bound for bound in (self.above, self.at_most) if bound is not None]
        says = self.values or self.outside or numbers or self.missing
        if not says or (numbers and (self.values or self.outside)):
            raise BadInput(
                f"a condition on {self.column!r} that is none, or of values and numbers at once.",
                fix="pass values, or bounds, or missing=True.",
            )
        if not all(math.isfinite(bound) for bound in numbers):
            raise BadInput(f"bounds {numbers} of {self.column!r}.", fix="pass finite bounds.")

    def words(self) -> str:
        """Say it in words."""
        name = self.column
        if self.values or self.outside:
            return self._of_values()
        low, high = self.above, self.at_most
        if low is not None and high is not None:
            said = f"{low:.12g} < {name} <= {high:.12g}"
        elif low is not None:
            said = f"{name} > {low:.12g}"
        elif high is not None:
            said = f"{name} <= {high:.12g}"
        else:
            return f"{name} is missing"
        return f"{said} or missing" if self.missing else said

    def _of_values(self) -> str:
        if not self.values:
            return f"{self.column} is not missing"
        named = [str(value) for value in self.values[:LISTED]]
        if len(self.values) > LISTED:
            named.append(f"{len(self.values) - LISTED} more")
        if self.outside:
            said = " or ".join(_joined(named))
            return f"{self.column} is not {said}" + (", or missing" if self.missing else "")
        return f"{self.column} is " + " or ".join(
            _joined([*named, "missing"] if self.missing else named)
        )

    def expression(self, records: ir.Table, *, prefix: str = "f_") -> ir.BooleanValue:
        """Return whether it holds for each record, never null, in any engine."""
        column: Any = records[prefix + self.column]
        lost = column.isnull()
        if column.type().is_floating():
            lost = lost | column.isnan()
        holds = ~lost
        if self.values:
            found = column.isin(self.values)
            holds = holds & (~found if self.outside else found)
        if self.above is not None:
            holds = holds & (column > self.above)
        if self.at_most is not None:
            holds = holds & (column <= self.at_most)
        if not self.missing:
            return holds
        only = not self.values and not self.outside and self.above is None and self.at_most is None
        return lost if only else holds | lost

    def source(self, *, records: str = "r", prefix: str = "f_") -> str:
        """Write it as Python, for a strategy file.

        A NaN of the data is what the engine takes it for; ``expression`` takes it as missing.
        """
        name = prefix + self.column
        column = f"{records}.{name}" if name.isidentifier() else f"{records}[{name!r}]"
        parts: list[str] = []
        if len(self.values) == 1:
            parts = [f"({column} {'!=' if self.outside else '=='} {_quoted(self.values[0])})"]
        elif self.values:
            listed = ", ".join(_quoted(value) for value in self.values)
            parts = [f"{column}.{'notin' if self.outside else 'isin'}([{listed}])"]
        elif self.outside:
            parts = [f"{column}.notnull()"]
        if self.above is not None:
            parts.append(f"({column} > {self.above!r})")
        if self.at_most is not None:
            parts.append(f"({column} <= {self.at_most!r})")
        both = " & ".join(parts)
        if not self.missing:
            return both
        return f"({both} | {column}.isnull())" if parts else f"{column}.isnull()"

    def mask(self, table: pa.Table) -> NDArray[np.bool_]:
        """Return whether it holds for each row of a table in memory."""
        column: Any = table[self.column]
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        lost = pc.is_null(column, nan_is_null=True).to_numpy()
        holds = ~lost
        if self.values:
            found = pc.is_in(column, value_set=pa.array(self.values, column.type)).to_numpy()
            holds &= ~found if self.outside else found
        elif self.above is not None or self.at_most is not None:
            numbers = pc.fill_null(column.cast(pa.float64(), safe=False), math.nan).to_numpy()
            if self.above is not None:
                holds &= numbers > self.above
            if self.at_most is not None:
                holds &= numbers <= self.at_most
        elif not self.outside:
            return lost
        return holds | lost if self.missing else holds


@dataclass(frozen=True)
class All:
    """All of some conditions: what a ``Cohort`` asks of its records.

    Examples
    --------
    >>> import ibis
    >>> found = All((Condition(column="age", above=30.0), Condition(column="new", values=(True,))))
    >>> print(found.words())
    age > 30 and new is True
    >>> records = ibis.memtable({"f_age": [20.0, 40.0, None], "f_new": [True, True, True]})
    >>> found.cohort("older newcomers")(records).execute().tolist()
    [False, True, False]
    >>> print(found.source("older newcomers"))
    Cohort("older newcomers", lambda r: (r.f_age > 30.0) & (r.f_new == True))
    """

    conditions: tuple[Condition, ...]
    prefix: str = "f_"

    def words(self) -> str:
        """Say them in words."""
        said = [condition.words() for condition in self.conditions]
        if len(said) > 1:
            said = [f"({one})" if " or " in one else one for one in said]
        return " and ".join(said) or "every row"

    def __call__(self, records: ir.Table, /) -> ir.BooleanValue:
        """Return whether all hold for each record."""
        if not self.conditions:
            raise BadInput("a group without a condition is every row.", fix="pass a condition.")
        holds = [one.expression(records, prefix=self.prefix) for one in self.conditions]
        whole = holds[0]
        for one in holds[1:]:
            whole = whole & one
        return whole

    def cohort(self, name: str = "") -> Cohort:
        """Return them as a cohort; its name is their words unless one is given."""
        return Cohort(name or self.words(), self)

    def source(self, name: str = "") -> str:
        """Write the cohort as a line of a strategy file."""
        holds = " & ".join(one.source(prefix=self.prefix) for one in self.conditions)
        return f"Cohort({_quoted(name or self.words())}, lambda r: {holds})"

    def mask(self, table: pa.Table) -> NDArray[np.bool_]:
        """Return whether all hold for each row of a table in memory."""
        holds = np.ones(table.num_rows, dtype=np.bool_)
        for one in self.conditions:
            holds &= one.mask(table)
        return holds


def _joined(names: Sequence[str]) -> list[str]:
    return [", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names)


def _quoted(value: Value) -> str:
    if isinstance(value, bool):
        return repr(value)
    plain = value.isprintable() and '"' not in value and "\\" not in value
    return f'"{value}"' if plain else repr(value)
