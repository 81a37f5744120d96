"""Which estimator has been right so far: each is scored when the labels come."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tidemill.core.limits import Whole
from tidemill.core.rule import check
from tidemill.monitoring.estimates.protocol import Estimated

BASELINE = "constant"
LEAST = 8


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What a method said of a window of one metric, and what its labels showed.

    ``estimated``, ``low`` and ``high`` are NaN where it gave none, ``realised`` while labels
    are not there.
    """

    method: str
    window: datetime
    estimated: float
    low: float
    high: float
    realised: float

    @property
    def error(self) -> float:
        """How far off it was; NaN where that is not known."""
        return abs(self.estimated - self.realised)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a method has done over the windows whose labels have come.

    Parameters
    ----------
    method
        Which.
    windows
        How many windows it was scored on, of those where labels have come (``of``).
    of
        How many windows have labels.
    error
        Mean absolute error over its windows.
    constant
        That of the baseline over the same windows.
    covered
        The share of its intervals that held what the labels showed.
    """

    method: str
    windows: int
    of: int
    error: float
    constant: float
    covered: float

    @property
    def ratio(self) -> float:
        """Its error over the baseline's on the same windows; below 1 it is worth having."""
        if not self.constant > 0:
            return math.nan if math.isnan(self.constant) or not self.error > 0 else math.inf
        return self.error / self.constant


def standings(history: Iterable[Scored]) -> tuple[Standing, ...]:
    """Score every method against what labels showed and against the baseline.

    Parameters
    ----------
    history
        One entry per method and window, of one metric; the last counts where there are two.

    Returns
    -------
    tuple
        By ratio to the baseline, the best first; those not scored last.

    Examples
    --------
    >>> from datetime import UTC, timedelta
    >>> start = datetime(2024, 1, 1, tzinfo=UTC)
    >>> said = [("cbpe", 0.91), ("constant", 0.86)]
    >>> history = [Scored(method=m, window=start + timedelta(days=d), estimated=v, low=v - 0.02,
    ...                   high=v + 0.02, realised=0.9) for d in range(8) for m, v in said]
    >>> [(s.method, s.windows, round(s.ratio, 2), s.covered) for s in standings(history)]
    [('cbpe', 8, 0.25, 1.0), ('constant', 8, 1.0, 0.0)]
    """
    by_method: defaultdict[str, dict[datetime, Scored]] = defaultdict(dict)
    for one in history:
        by_method[one.method][one.window] = one
    known = {w for said in by_method.values() for w, s in said.items() if _is(s.realised)}
    base = {w: s.error for w, s in by_method.get(BASELINE, {}).items() if _is(s.error)}
    found = [_standing(m, list(said.values()), base, len(known)) for m, said in by_method.items()]
    return tuple(sorted(found, key=lambda s: (math.isnan(s.ratio), s.ratio, s.method)))


def _standing(method: str, said: list[Scored], base: dict[datetime, float], of: int) -> Standing:
    scored = [s for s in said if _is(s.error)]
    shared = [s for s in scored if s.window in base]
    # The ratio is of the same windows; a baseline that is absent there compares with nothing.
    used = shared if base else scored
    intervals = [s for s in used if _is(s.low) and _is(s.high)]
    return Standing(
        method=method,
        windows=len(used),
        of=of,
        error=_mean([s.error for s in used]),
        constant=_mean([base[s.window] for s in shared]),
        covered=_mean([float(s.low <= s.realised <= s.high) for s in intervals]),
    )


def best(history: Iterable[Scored], *, least: int = LEAST) -> str:
    """Name the method to use: the best so far against the baseline, else the baseline.

    Parameters
    ----------
    history
        As for :func:`standings`.
    least
        Fewest scored windows before a method may be used instead of the baseline.

    Examples
    --------
    >>> best([])
    'constant'
    """
    check("best", "least", least, Whole(1))
    proven = [s for s in standings(history) if s.windows >= least and s.ratio < 1]
    return proven[0].method if proven else BASELINE


def disagreement(estimates: Sequence[Estimated]) -> float:
    """Return the spread of what several methods say of a window, in the metric's unit.

    The baseline is left out, for it looks at nothing in the window. NaN for fewer than two.
    No spread is no proof: all of them assume the same.

    Examples
    --------
    >>> disagreement([])
    nan
    """
    values = [e.value for e in estimates if e.method != BASELINE and _is(e.value)]
    return max(values) - min(values) if len(values) > 1 else math.nan


def _is(value: float) -> bool:
    return math.isfinite(value)


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
