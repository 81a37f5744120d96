"""A cohort: a named group of records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

from ibis.expr import types as ir

from tidemill.core.errors import BadInput
from tidemill.core.limits import Call, Text
from tidemill.core.rule import rule
from tidemill.measures.projection import asked


@rule
class Cohort:
    """A named group of records: those for which a condition holds.

    Whatever asks for a cohort calls it with a table of records and gets one boolean a record.
    Where the condition is null, as over a missing feature, the record is not in the cohort.

    Parameters
    ----------
    name
        What people call the group, such as ``"new customers"``.
    where
        A function of an Ibis table of records that returns a boolean of each; a feature ``x``
        is the column ``f_x``. It is an expression, so every engine gives the same answer.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.memtable({"f_number": [1.0, -1.0, None]})
    >>> next(Cohort.examples())(records).execute().tolist()
    [True, False, False]
    """

    name: Annotated[str, Text()]
    where: Annotated[Callable[[ir.Table], Any], Call()]

    def __call__(self, records: ir.Table, /) -> ir.BooleanColumn:
        """Return whether each record is in the cohort; never null."""
        found = asked(f"cohort {self.name!r}", self.where, records)
        if not isinstance(found, ir.BooleanValue):
            raise BadInput(
                f"the condition of cohort {self.name!r} is {type(found).__name__}, no boolean.",
                fix="compare a column, such as lambda records: records.f_age < 30.",
            )
        return found.fill_null(False)  # type: ignore[return-value]

    @classmethod
    def examples(cls) -> Iterator[Cohort]:
        yield cls("above zero", above_zero)
        yield cls("texts a", is_a)


def above_zero(records: ir.Table) -> Any:
    """Hold where the feature ``number`` is above zero; for tests and examples."""
    number: Any = records.f_number
    return number > 0


def is_a(records: ir.Table) -> Any:
    """Hold where the feature ``text`` is an a; for tests and examples."""
    return records.f_text == "a"
