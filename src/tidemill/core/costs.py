"""The price sheet: what labels, seconds, errors and reviews cost, in one currency."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

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
    >>> prices = Costs(currency="EUR", label=0.1, error=2.0, false_negative=10.0)
    >>> prices.of_errors(np.array([1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0]))
    array([10.,  2.,  0.])
    """

    _: KW_ONLY
    currency: Annotated[str, Text()] = "EUR"
    label: Annotated[float, Between(0)] = 0.0
    second: Annotated[float, Between(0)] = 0.0
    error: Annotated[float, Between(0)] = 0.0
    false_positive: Annotated[float, Between(0)] | None = None
    false_negative: Annotated[float, Between(0)] | None = None
    review: Annotated[float, Between(0)] = 0.0

    def of_errors(
        self, label: npt.NDArray[Any], output: npt.NDArray[Any]
    ) -> npt.NDArray[np.float64]:
        """Return the price of each answer by how wrong it is; none costs as a wrong one does."""
        if label.dtype.kind == "O":
            return self.error * (label != output).astype(float)
        truth, said = label.astype(float), np.asarray(output, dtype=float)
        missed = self.error if self.false_negative is None else self.false_negative
        alarm = self.error if self.false_positive is None else self.false_positive
        by_kind = np.where(truth > said, missed, np.where(truth < said, alarm, 0.0))
        by_size = self.error * np.where(np.isnan(said), 1.0, np.abs(truth - said))
        return np.where(np.isin(truth, (0, 1)) & np.isin(said, (0, 1)), by_kind, by_size)

    @classmethod
    def examples(cls) -> Iterator[Costs]:
        """Yield instances for tests and docs."""
        yield cls()
        yield cls(label=0.1, second=0.01, error=1.0, false_negative=5.0, review=20.0)
