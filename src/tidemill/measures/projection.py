"""A projection: a named value of a record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

from ibis.common.exceptions import IbisError
from ibis.expr import types as ir

from tidemill.core.errors import BadInput
from tidemill.core.limits import Call, Text
from tidemill.core.rule import rule


@rule
class Projection:
    """A named value of each record: a number, a category or a short vector.

    Whatever asks for a projection calls it with a table of records and gets one value a
    record, null where it cannot be said.

    Parameters
    ----------
    name
        What people call the value, such as ``"length of the text"``.
    of
        A function of an Ibis table of records that returns a value of each; a feature ``x``
        is the column ``f_x``. It is an expression, so every engine gives the same answer.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.memtable({"f_text": ["a", "tide", None]})
    >>> next(Projection.examples())(records).execute().tolist()
    [1.0, 4.0, nan]
    """

    name: Annotated[str, Text()]
    of: Annotated[Callable[[ir.Table], Any], Call()]

    def __call__(self, records: ir.Table, /) -> ir.Column:
        """Return the value of each record."""
        found = asked(f"projection {self.name!r}", self.of, records)
        if not isinstance(found, ir.Column):
            raise BadInput(
                f"projection {self.name!r} gives {type(found).__name__}, not a value a record.",
                fix="return a column, such as lambda records: records.f_text.length().",
            )
        return found

    @classmethod
    def examples(cls) -> Iterator[Projection]:
        yield cls("length", length)


def asked(what: str, function: Callable[[ir.Table], Any], records: ir.Table) -> Any:
    """Ask a function about records; a column they do not have is the user's to mend.

    Raises
    ------
    BadInput
        If the function asks for a column that is not there.
    """
    try:
        return function(records)
    except (AttributeError, IbisError) as error:
        text = str(error).partition("\n")[0].rstrip(".")
        raise BadInput(
            f"{what} cannot be asked of these records: {text}.",
            fix="features are columns like f_age; ask for those that records have.",
        ) from error


def length(records: ir.Table) -> Any:
    """Return the number of characters of the feature ``text``; for tests and examples."""
    text: Any = records.f_text
    return text.length()
