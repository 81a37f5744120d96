"""Keep the newest rows out of training, to test on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated

import numpy as np
import numpy.typing as npt

from tidemill.core.limits import Between, Whole
from tidemill.core.rule import rule


@rule
class Newest:
    """Test on the newest share of the rows; never train on them.

    Whole days are held out, since rows of a day are not independent. The share grows when
    it would hold too few rows or days, up to half of all rows; beyond that there is too
    little to test on and nothing is held out, so that a gate answers NO_VERDICT.

    Parameters
    ----------
    share
        The share of rows to hold out.
    at_least
        The least number of rows held out.
    days
        The least number of days held out; an interval needs five.

    Examples
    --------
    >>> days = np.repeat(np.arange("2013-01-01", "2013-01-31", dtype="datetime64[D]"), 100)
    >>> int(Newest(days=6)(days.astype("datetime64[us]")).sum())
    600
    """

    _: KW_ONLY
    share: Annotated[float, Between(0.01, 0.5)] = 0.2
    at_least: Annotated[int, Whole(1)] = 500
    days: Annotated[int, Whole(1)] = 6

    def __call__(self, predicted_at: npt.NDArray[np.datetime64], /) -> npt.NDArray[np.bool_]:
        nothing = np.zeros(len(predicted_at), dtype=bool)
        if not len(predicted_at):
            return nothing
        day = predicted_at.astype("datetime64[D]")
        names, counts = np.unique(day, return_counts=True)
        held = np.cumsum(counts[::-1])
        enough = (held >= self.share * len(day)) & (held >= self.at_least)
        enough &= np.arange(1, len(names) + 1) >= self.days
        first = int(np.argmax(enough))
        if not enough.any() or held[first] > len(day) / 2:
            return nothing
        return day >= names[::-1][first]

    @classmethod
    def examples(cls) -> Iterator[Newest]:
        yield cls()
        yield cls(share=0.3, at_least=10, days=5)
