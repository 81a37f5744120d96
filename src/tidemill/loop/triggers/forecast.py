"""What the next fit will cost, by the fits so far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tidemill.core.rules import Facts, Fitted


@dataclass(frozen=True)
class Forecast:
    """The next fit: on how many rows, for how many seconds, at what price."""

    rows: int
    seconds: float
    price: float
    fits: int

    def __str__(self) -> str:
        of = f"by {self.fits} fit{'s' * (self.fits != 1)} so far"
        return f"{self.seconds:.4g} s on {self.rows:,} rows {of}"


def next_fit(facts: Facts) -> Forecast | str:
    """Forecast the next fit, or say why that cannot be done.

    It learns from the rows of the last one and the labels that came since. Its seconds come
    from a line through the fits so far, its price from the price sheet.
    """
    if facts.costs is None:
        return "cannot tell: the strategy has no price sheet"
    if not facts.fits:
        return "cannot tell: no fit was timed yet"
    rows = facts.fits[-1].rows + facts.labels
    seconds = seconds_of(facts.fits, rows)
    return Forecast(rows, seconds, seconds * facts.costs.second, len(facts.fits))


def seconds_of(fits: tuple[Fitted, ...], rows: int) -> float:
    """Return the seconds of a fit on so many rows, by least squares over the fits so far.

    More rows never take less time, and nothing takes less than none: where the line falls,
    or all fits had the same rows, it is the mean.

    Examples
    --------
    >>> from tidemill.core.clock import instant
    >>> at = instant("2013-01-07")
    >>> fits = tuple(Fitted(at=at, rows=n, seconds=2 + n / 100) for n in (100, 200, 400))
    >>> round(seconds_of(fits, 1000), 6)
    12.0
    """
    n = np.array([f.rows for f in fits], dtype=np.float64)
    took = np.array([f.seconds for f in fits], dtype=np.float64)
    off = n - n.mean()
    spread = float(off @ off)
    slope = max(0.0, float(off @ took) / spread) if spread > 0 else 0.0
    return max(0.0, float(took.mean() + slope * (rows - n.mean())))
