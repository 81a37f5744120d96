"""The sliced earth mover's distance of a window from the usual ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.limits import Between, Whole
from tidemill.core.rule import rule
from tidemill.monitoring.joint.embedding import OfVectors
from tidemill.monitoring.joint.protocol import LEAST_ROWS, named
from tidemill.statistics.embedded import Embedded, sliced_shares

Floats = NDArray[np.float64]


@rule
class SlicedDistance(OfVectors):
    """The sliced earth mover's distance of many columns, in robust standard deviations.

    The mean over random directions of how far rows had to be moved along them. Windows are
    the units of evidence: one window is set against how usual windows vary, some together are
    permuted with the usual ones. Evidence is taken from the sliced Cramer distance, which has
    the same directions.

    Parameters
    ----------
    columns
        Features, outputs and projections by name, numbers or vectors; empty for all features
        that are numbers or vectors.
    rows
        The most records of one window that are looked at, drawn by their own draw.
    directions
        Random directions.
    standardise
        Divide each number by its robust sd first; False for the coordinates of an embedding.
    floor
        How far the rows must have moved, without what chance adds, to be worth an alert: by
        default as for one column, which takes a move of every column by an eighth of a sd. Where
        twice that would mostly be missed there is no verdict, unless it is 0.
    seed
        Of the directions and the permutations.

    References
    ----------
    Bonneel, N., Rabin, J., Peyre, G. and Pfister, H. (2015). Sliced and Radon Wasserstein
    barycenters of measures. Journal of Mathematical Imaging and Vision 51, 22-45.

    Examples
    --------
    >>> import pyarrow as pa
    >>> rng = np.random.default_rng(0)
    >>> days = [pa.table({"v": list(rng.normal(size=(200, 3)))}) for _ in range(29)]
    >>> found = SlicedDistance("v").compared(days[:28], days[28:], alpha=0.01)
    >>> found.judgement.verdict.value, found.value < 0.1
    ('OK', True)
    """

    columns: Any = ()
    _: KW_ONLY
    rows: Annotated[int, Whole(LEAST_ROWS)] = 500
    directions: Annotated[int, Whole(1)] = 64
    standardise: bool = True
    floor: Annotated[float, Between(0)] = 0.1
    seed: Annotated[int, Whole(0)] = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", named("SlicedDistance", self.columns))

    @property
    def metric(self) -> str:
        return "drift_sliced"

    def _embedded(self, windows: list[Floats]) -> Embedded:
        return sliced_shares(
            windows, directions=self.directions, standardise=self.standardise, seed=self.seed
        )

    def _distance(self, made: Embedded, apart: Floats) -> float:
        return float(np.abs(apart) @ made.lengths)

    def _beyond(self, value: float, typical: float) -> float:
        # Chance adds in squares, as it does to the parts of which the distance is the sum.
        return math.copysign(math.sqrt(abs(value**2 - typical**2)), value - typical)

    @classmethod
    def examples(cls) -> Iterator[SlicedDistance]:
        yield cls()
        yield cls(("embedding",), rows=200, directions=16, standardise=False, floor=0.02)
