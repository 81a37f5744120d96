"""Proxy signals: numbers of what a model puts out that stand in for how good it is."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Any, ClassVar

import ibis
from ibis.expr import types as ir

from tidemill.core.errors import BadInput, BadValue
from tidemill.core.limits import Call, Has, OneOf, Text, Texts
from tidemill.core.rule import rule
from tidemill.measures import Cohort
from tidemill.measures.metric import Summary
from tidemill.measures.projection import asked
from tidemill.monitoring.names import snake

DIRECTIONS = ("better", "worse", "neither")
REFUSALS = (
    "i(.m| am) sorry",
    "i (can.t|cannot|am unable to|am not able to) (help|assist|answer|do|provide)",
    "as an ai",
)
"""What a model writes when it does not answer, in lower case."""
_SPACE = r"[ \t\r\n\f\x0b]+"


@rule
class Proxy:
    """The mean of any function of a record, such as of its output.

    Parameters
    ----------
    name
        What people call it, such as ``"length of the answer"``.
    of
        A function of an Ibis table of records that returns a number or a boolean of each; of a
        boolean the mean is a share. Null, NaN and infinite values are left out, and counted
        nowhere: ``n`` says how many are in.
    higher_is
        Whether a higher mean is ``"better"``, ``"worse"`` or ``"neither"``.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.memtable({"f_number": [1.0, 3.0, None]})
    >>> proxy = next(Proxy.examples())
    >>> records.aggregate(**proxy.measured(records)).to_pyarrow().to_pylist()
    [{'value': 2.0, 'n': 2, 'sd': 1.4142135623730951}]
    """

    name: Annotated[str, Text()]
    of: Annotated[Callable[[ir.Table], Any], Call()]
    _: KW_ONLY
    higher_is: Annotated[str, OneOf(DIRECTIONS)] = "neither"
    summary: ClassVar[Summary] = "mergeable"

    @property
    def metric(self) -> str:
        return snake(self.name)

    def measured(self, records: ir.Table, /) -> dict[str, ir.Scalar]:
        """Return the mean as ``value``, its rows as ``n``, their standard deviation as ``sd``."""
        found = asked(f"proxy {self.name!r}", self.of, records)
        if not isinstance(found, ir.NumericValue):
            raise BadInput(
                f"proxy {self.name!r} gives {type(found).__name__}, no number and no boolean.",
                fix="return a number of each, such as lambda records: records.output_text.length().",
            )
        return mean(records, found)

    @classmethod
    def examples(cls) -> Iterator[Proxy]:
        yield cls("number", the_number)
        yield cls("number", the_number, higher_is="better")


@rule
class OutputLength:
    """The mean number of characters of what the model wrote.

    Parameters
    ----------
    higher_is
        Whether longer is ``"better"``, ``"worse"`` or ``"neither"``.
    """

    _: KW_ONLY
    higher_is: Annotated[str, OneOf(DIRECTIONS)] = "neither"
    summary: ClassVar[Summary] = "mergeable"

    @property
    def metric(self) -> str:
        return "output_length"

    def measured(self, records: ir.Table, /) -> dict[str, ir.Scalar]:
        return mean(records, _written(records).length())

    @classmethod
    def examples(cls) -> Iterator[OutputLength]:
        yield cls()
        yield cls(higher_is="worse")


@rule
class Repetition:
    """The mean share of words of what the model wrote that were there before.

    Words are between white space, in lower case. A model that loops is near 1.

    Parameters
    ----------
    higher_is
        Whether more of it is ``"better"``, ``"worse"`` or ``"neither"``.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.memtable({"output_text": ["a b c d", "no No no no", " "]})
    >>> records.aggregate(**Repetition().measured(records)).to_pyarrow()["value"][0].as_py()
    0.375
    """

    _: KW_ONLY
    higher_is: Annotated[str, OneOf(DIRECTIONS)] = "worse"
    summary: ClassVar[Summary] = "mergeable"

    @property
    def metric(self) -> str:
        return "repetition"

    def measured(self, records: ir.Table, /) -> dict[str, ir.Scalar]:
        plain = _written(records).lower().re_replace(_SPACE, " ").strip()
        words = plain.nullif("").split(" ")
        # The empty text has no words: null, so that it is left out.
        share = 1.0 - words.unique().length() / words.length().nullif(0)
        return mean(records, share)

    @classmethod
    def examples(cls) -> Iterator[Repetition]:
        yield cls()
        yield cls(higher_is="neither")


@rule
class Refusal:
    """The share of answers in which the model says that it does not answer.

    Parameters
    ----------
    patterns
        Regular expressions, in lower case, of which one is found in such an answer.
    higher_is
        Whether more of it is ``"better"``, ``"worse"`` or ``"neither"``.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.memtable({"output_text": ["I'm sorry, but no.", "42", None]})
    >>> records.aggregate(**Refusal().measured(records)).to_pyarrow()["value"][0].as_py()
    0.5
    """

    patterns: Annotated[tuple[str, ...], Texts("a list of regular expressions")] = REFUSALS
    _: KW_ONLY
    higher_is: Annotated[str, OneOf(DIRECTIONS)] = "worse"
    summary: ClassVar[Summary] = "mergeable"

    def __post_init__(self) -> None:
        object.__setattr__(self, "patterns", tuple(self.patterns))
        for pattern in self.patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise BadValue(f"pattern {pattern!r}: {error}.", fix="mend the pattern.") from None

    @property
    def metric(self) -> str:
        return "refusal"

    def measured(self, records: ir.Table, /) -> dict[str, ir.Scalar]:
        any_of = "|".join(f"(?:{p})" for p in self.patterns)
        text = _written(records).lower()
        # Which characters are line breaks, and where "$" may stand, is not the same on every
        # engine: a dot is any character, and the end is before the last line breaks.
        if "$" in any_of:
            text = text.re_replace("[\n\r\x85\u2028\u2029]+$", "")
        return mean(records, text.re_search(f"(?s){any_of}"))

    @classmethod
    def examples(cls) -> Iterator[Refusal]:
        yield cls()
        yield cls(("cannot help",), higher_is="neither")


@dataclass(frozen=True)
class Answer:
    """What a model may put out: a text, or a finite number."""

    def broken(self, value: object) -> str | None:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return None if math.isfinite(value) else "a text or a finite number"
        return None if isinstance(value, str) else "a text or a finite number"

    def bad(self) -> Iterator[object]:
        yield from (None, True, math.nan, math.inf, ("a",))


@rule
class OutputShare:
    """The share of records the model gave one answer to.

    Parameters
    ----------
    value
        The answer: a text is compared with ``output_text``, a number with ``output``.
    higher_is
        Whether more of it is ``"better"``, ``"worse"`` or ``"neither"``.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.memtable({"output": [1.0, 0.0, 0.0, None]})
    >>> records.aggregate(**OutputShare(0.0).measured(records)).to_pyarrow()["n"][0].as_py()
    3
    """

    value: Annotated[str | float, Answer()]
    _: KW_ONLY
    higher_is: Annotated[str, OneOf(DIRECTIONS)] = "neither"
    summary: ClassVar[Summary] = "mergeable"

    @property
    def metric(self) -> str:
        return f"output_share_of_{snake(str(self.value))}"

    def measured(self, records: ir.Table, /) -> dict[str, ir.Scalar]:
        column = "output_text" if isinstance(self.value, str) else "output"
        given = asked("the output", lambda rows: rows[column], records)
        return mean(records, given == self.value)

    @classmethod
    def examples(cls) -> Iterator[OutputShare]:
        yield cls("a")
        yield cls(1.0, higher_is="better")


@rule
class EdgeCase:
    """The share of records in a cohort that is known to be hard.

    Parameters
    ----------
    cohort
        The known edge case.
    higher_is
        Whether more of it is ``"better"``, ``"worse"`` or ``"neither"``.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.memtable({"f_number": [1.0, -1.0, None, -2.0]})
    >>> rate = next(EdgeCase.examples()).measured(records)
    >>> records.aggregate(**rate).to_pyarrow()["value"][0].as_py()
    0.25
    """

    cohort: Annotated[Cohort, Has("where", "a Cohort")]
    _: KW_ONLY
    higher_is: Annotated[str, OneOf(DIRECTIONS)] = "worse"
    summary: ClassVar[Summary] = "mergeable"

    @property
    def metric(self) -> str:
        return f"rate_of_{snake(self.cohort.name)}"

    def measured(self, records: ir.Table, /) -> dict[str, ir.Scalar]:
        return mean(records, self.cohort(records))

    @classmethod
    def examples(cls) -> Iterator[EdgeCase]:
        yield from (cls(cohort) for cohort in Cohort.examples())


def the_number(records: ir.Table) -> Any:
    """Return the feature ``number``; for tests and examples."""
    return records.f_number


def mean(records: ir.Table, values: Any) -> dict[str, ir.Scalar]:
    """Return the mean of the finite values, how many these are, and their standard deviation."""
    number = values.cast("float64")
    largest = sys.float_info.max
    # Comparisons with NaN are true on some engines, so NaN is left out first.
    finite = number.notnull() & ~number.isnan().fill_null(True)
    finite &= (number <= largest).fill_null(False) & (number >= -largest).fill_null(False)
    kept: Any = ibis.ifelse(finite, number, ibis.null("float64"))
    n: Any = records.count(where=finite)
    return {"value": kept.mean(), "n": n.fill_null(0), "sd": kept.std(how="sample")}


def _written(records: ir.Table) -> Any:
    found = asked("the output", lambda rows: rows.output_text, records)
    if not isinstance(found, ir.StringValue):
        raise BadInput(
            f"output_text is {found.type()}, no text.",
            fix="log what the model wrote as its output.",
        )
    return found
