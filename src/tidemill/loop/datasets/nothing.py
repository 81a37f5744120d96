"""Hold nothing out of training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tidemill.core.rule import rule


@rule
class Nothing:
    """Train on all rows and test on none.

    For strategies without a test, as in a backtest that asks what gates are worth; a gate that
    measures answers NO_VERDICT, so it goes with :class:`~tidemill.loop.offline.Unchecked`.

    Examples
    --------
    >>> bool(Nothing()(np.array(["2013-01-01"], dtype="datetime64[us]")).any())
    False
    """

    def __call__(self, predicted_at: npt.NDArray[np.datetime64], /) -> npt.NDArray[np.bool_]:
        return np.zeros(len(predicted_at), dtype=bool)

    @classmethod
    def examples(cls) -> Iterator[Nothing]:
        yield cls()
