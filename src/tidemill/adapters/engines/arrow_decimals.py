"""Which floats of Ibis DuckDB holds as decimals: it reads 0.1 in SQL as one.

A decimal is exact, so 0.1 + 0.2 is 0.3 there, and on its way to a float it can lose a digit.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import ibis.expr.operations as ops

from tidemill.adapters.engines.arrow_order import EXACT, NotKnown


def maker(relation: Any, name: str) -> Any:
    """Return the expression that made a column of a relation; None where it was stored."""
    while not isinstance(relation, ops.Project):
        parent = getattr(relation, "parent", None)
        if parent is None:
            return None
        relation = parent
    return relation.values[name]


def is_decimal(op: Any) -> bool:
    """Tell whether DuckDB may hold a float of Ibis as a decimal, or as a whole number."""
    if isinstance(op, ops.Literal):
        return True
    if isinstance(op, ops.Field):
        made = maker(op.rel, op.name)
        return made is not None and is_decimal(made)
    if isinstance(op, ops.IfElse):
        return is_decimal(op.true_expr) and is_decimal(op.false_null_expr)
    if isinstance(op, ops.Coalesce | ops.Least | ops.Greatest):
        return all(is_decimal(part) for part in op.arg)
    if isinstance(op, ops.Add | ops.Subtract | ops.Multiply):
        return is_decimal(op.left) and is_decimal(op.right)
    return not op.dtype.is_floating()


def as_read(number: float) -> float:
    """Return a number that DuckDB reads as a decimal without loss."""
    if not number and math.copysign(1, number) < 0:
        raise NotKnown(number)  # a decimal has no sign of zero
    if math.isfinite(number) and "e" not in repr(number):
        digits = Decimal(repr(number)).as_tuple()
        if int("".join(map(str, digits.digits))) >= EXACT:
            raise NotKnown(number)
    return number


def loses_a_digit(made: Any) -> bool:
    """Tell whether a column is a decimal in DuckDB, and may not be the nearest float in the end."""
    if made is None or not is_decimal(made):
        return False
    numbers = (part.value for part in made.find(ops.Literal) if part.dtype.is_numeric())
    return any(number is not None and number % 1 != 0 for number in numbers)
