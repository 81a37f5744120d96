"""No test at all, on purpose."""

from __future__ import annotations

from collections.abc import Iterator

from tidemill.core.rule import rule
from tidemill.core.rules import TestSet
from tidemill.core.verdict import Finding, Verdict


@rule
class Unchecked:
    """Pass every candidate without a look at it.

    The only gate that says OK with nothing measured: the strategy takes that upon itself, and
    the report card says so. Beside other gates it changes nothing.

    Examples
    --------
    >>> next(Unchecked.examples()).__class__.__name__
    'Unchecked'
    """

    def __call__(self, test: TestSet, /) -> Finding:
        why = "not tested, as the strategy decided"
        return Finding(gate="unchecked", verdict=Verdict.OK, why=why, waived=True)

    @classmethod
    def examples(cls) -> Iterator[Unchecked]:
        yield cls()
