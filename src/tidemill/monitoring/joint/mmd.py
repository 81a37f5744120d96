"""The maximum mean discrepancy of a window from the usual ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.limits import Between, Whole
from tidemill.core.rule import rule
from tidemill.monitoring.joint.embedding import OfVectors
from tidemill.monitoring.joint.protocol import LEAST_ROWS, named
from tidemill.statistics.embedded import Embedded, kernel_means

Floats = NDArray[np.float64]


@rule
class MMD(OfVectors):
    """The squared maximum mean discrepancy of many columns: any change of their joint distribution.

    Windows are the units of evidence: one window is set against how usual windows vary, some
    together are permuted with the usual ones.

    Parameters
    ----------
    columns
        Features, outputs and projections by name, numbers or vectors; empty for all features
        that are numbers or vectors.
    rows
        The most records of one window that are looked at, drawn by their own draw.
    features
        Random Fourier features of the kernel, whose width is the median distance.
    standardise
        Divide each number by its robust sd first; False for the coordinates of an embedding.
    floor
        How far above the usual distance it must be to be worth an alert: by default what a move of
        every column by a sixth to a fifth of a sd gives. Where a change of twice that would mostly be
        missed there is no verdict, unless it is 0.
    seed
        Of the random features and the permutations.

    References
    ----------
    Gretton, A. et al. (2012). A kernel two-sample test. Journal of Machine Learning Research
    13, 723-773.

    Examples
    --------
    >>> import pyarrow as pa
    >>> rng = np.random.default_rng(0)
    >>> def day(sign):
    ...     x = rng.normal(size=300)
    ...     return pa.table({"x": x, "y": 0.8 * sign * x + 0.6 * rng.normal(size=300)})
    >>> found = MMD().compared([day(1) for _ in range(28)], [day(-1)], alpha=0.001)
    >>> found.judgement.verdict.value
    'ALERT'
    """

    columns: Any = ()
    _: KW_ONLY
    rows: Annotated[int, Whole(LEAST_ROWS)] = 500
    features: Annotated[int, Whole(2)] = 256
    standardise: bool = True
    floor: Annotated[float, Between(0)] = 0.01
    seed: Annotated[int, Whole(0)] = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", named("MMD", self.columns))

    @property
    def metric(self) -> str:
        return "drift_mmd"

    def _embedded(self, windows: list[Floats]) -> Embedded:
        return kernel_means(
            windows, features=self.features, standardise=self.standardise, seed=self.seed
        )

    def _distance(self, made: Embedded, apart: Floats) -> float:
        return float(apart @ apart)

    def _beyond(self, value: float, typical: float) -> float:
        return value - typical

    @classmethod
    def examples(cls) -> Iterator[MMD]:
        yield cls()
        yield cls(("embedding",), rows=200, standardise=False, floor=0.01)
