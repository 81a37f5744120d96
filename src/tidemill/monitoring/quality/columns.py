"""Which column of a table of records a rule is about, and which of its values count."""

from __future__ import annotations

import difflib
import sys
from typing import Any

import ibis
from ibis.expr import types as ir

from tidemill.core.errors import BadInput
from tidemill.core.records import FEATURE, features_of

_LARGEST = sys.float_info.max


def stored(records: ir.Table, column: str) -> str:
    """Return the stored name of a feature, or of a column every record has.

    Parameters
    ----------
    records
        A table with a column ``f_<name>`` for each feature.
    column
        The bare name of a feature, or ``"output"``, ``"score"``, ``"record_id"`` and so on;
        a feature comes first.

    Raises
    ------
    BadInput
        If there is no such column.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.table({"f_age": "float64", "output": "float64"}, name="records")
    >>> stored(records, "age"), stored(records, "output")
    ('f_age', 'output')
    """
    names = list(records.columns)
    for name in (FEATURE + column, column):
        if name in names:
            return name
    features = [n.removeprefix(FEATURE) for n in features_of(names)]
    near = difflib.get_close_matches(column, features, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known features: {', '.join(features)}."
    raise BadInput(f"the records have no column {column!r}.", fix=hint)


def value_of(records: ir.Table, column: str) -> Any:
    """Return a column by its bare name."""
    return records[stored(records, column)]


def number(records: ir.Table, column: str) -> Any:
    """Return a column of numbers.

    Raises
    ------
    BadInput
        If it holds something else.
    """
    values = value_of(records, column)
    if not is_numeric(values):
        raise BadInput(
            f"column {column!r} is {values.type()}, no number.",
            fix=f"ask whether its type is right: TypeIs({column!r}, 'number').",
        )
    return values


def is_numeric(values: Any) -> bool:
    """Tell whether a column holds numbers; to Ibis booleans are numbers too."""
    return values.type().is_numeric() and not values.type().is_boolean()


def text(records: ir.Table, column: str) -> Any:
    """Return a column of texts.

    Raises
    ------
    BadInput
        If it holds something else.
    """
    values = value_of(records, column)
    if not isinstance(values, ir.StringValue):
        raise BadInput(
            f"column {column!r} is {values.type()}, no text.",
            fix=f"ask whether its type is right: TypeIs({column!r}, 'text').",
        )
    return values


def there(values: Any) -> Any:
    """Return whether each value is there: neither null nor NaN, which is how some write null."""
    known = values.notnull()
    return known & ~values.isnan().fill_null(False) if values.type().is_floating() else known


def given(values: Any) -> Any:
    """Return whether each value is not null; NaN is not, though Ibis takes it for null on Spark."""
    known = values.notnull()
    return known | values.isnan().fill_null(False) if values.type().is_floating() else known


def infinite(values: Any) -> Any:
    """Return whether each number is infinite; never null.

    Written with comparisons, since ``isinf`` is always false on Spark in Ibis 12.
    """
    if not values.type().is_floating():
        return _no(values)
    beyond = (values > _LARGEST) | (values < -_LARGEST)
    return there(values) & beyond.fill_null(False)


def and_not_null(condition: Any) -> Any:
    """Return a condition with false where it is null."""
    return condition.fill_null(False)


def rows_where(records: ir.Table, condition: Any) -> Any:
    """Count the rows for which a condition holds, as an aggregate."""
    counted: Any = records.count(where=condition)
    return counted.fill_null(0)  # where there is no row it is null on some engines


def _no(values: Any) -> Any:
    return values.isnull() & ibis.literal(False)
