"""The price sheet: what labels, seconds, errors and reviews cost, in one currency."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated

from tidemill.core.limits import Between, Text
from tidemill.core.rule import rule


@rule
class Costs:
    """Prices, all in one currency; what is left at 0 costs nothing.

    Parameters
    ----------
    currency
        How amounts are signed, such as ``"EUR"``.
    label
        Price of one label that was asked for and came.
    second
        Price of one second of training.
    error
        Price of one wrong answer: an output that is not the label; for numbers, of one unit
        of absolute error.
    false_positive, false_negative
        Price of one error of its kind where labels are 0 and 1; each replaces ``error``.
    review
        Price of one report card that a person reads.

    Examples
    --------
    >>> Costs(currency="EUR", label=0.1, error=2.0, false_negative=10.0).of_error(1.0, 0.0)
    10.0
    """

    _: KW_ONLY
    currency: Annotated[str, Text()] = "EUR"
    label: Annotated[float, Between(0)] = 0.0
    second: Annotated[float, Between(0)] = 0.0
    error: Annotated[float, Between(0)] = 0.0
    false_positive: Annotated[float, Between(0)] | None = None
    false_negative: Annotated[float, Between(0)] | None = None
    review: Annotated[float, Between(0)] = 0.0

    def of_error(self, label: float, output: float) -> float:
        """Return the price of answering ``output`` where the truth is ``label``."""
        if label == output:
            return 0.0
        if {label, output} == {0.0, 1.0}:
            kind = self.false_positive if output else self.false_negative
            return self.error if kind is None else kind
        return self.error * abs(output - label)

    @classmethod
    def examples(cls) -> Iterator[Costs]:
        """Yield instances for tests and docs."""
        yield cls()
        yield cls(label=0.1, second=0.01, error=1.0, false_negative=5.0, review=20.0)
