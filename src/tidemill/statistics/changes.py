"""Which kind of change a series went through, and since when."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from tidemill.core.limits import Whole
from tidemill.core.rule import check
from tidemill.statistics.onsets import series_of
from tidemill.statistics.shapes import Series, Shape, bump, ramps, step, waves
from tidemill.statistics.starts import onset_of

Floats = NDArray[np.float64]
Kind = Literal["none", "sudden", "gradual", "periodic", "temporary", "unknown"]
KINDS: tuple[Kind, ...] = ("none", "sudden", "gradual", "periodic", "temporary", "unknown")
LEAST = 14
"""Fewer values tell no kind."""

_SURE = 6.0
"""By how much a season or a change must pay beyond the price of its numbers."""
_CLOSE = 0.1
"""Two kinds closer than this cannot be told apart."""
_ROUGH = 2.2
"""What is left may have so many times the variance of its steps; white noise has once."""
_WANDERS = 3.0
"""A level may leave more than that, since neighbours that resemble each other are no change."""
_NOTHING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a series went through.

    Parameters
    ----------
    kind
        "none", "sudden" (a step), "gradual" (a ramp), "temporary" (away and back), "periodic"
        (a wave or a season), or "unknown": something changed, but not in one of these ways.
    onset
        The first place of the change; None where there is none or it has no start.
    earliest, latest
        Between which places the onset is, with a confidence of 90 %; None where it has none.
    end
        The place from which the level is steady again; None where it has not come.
    size
        How far the level went, in the unit of the values; from peak to trough if periodic.
    why
        How the kind was told.
    """

    kind: Kind
    onset: int | None = None
    earliest: int | None = None
    latest: int | None = None
    end: int | None = None
    size: float = math.nan
    why: str


def kind_of_change(values: NDArray[Any], *, season: int = 7) -> Change:
    """Tell no change, a sudden, gradual, temporary and periodic one apart.

    Each kind is fitted by least squares wherever it may lie, alone and on top of a season, and
    the one that says most with fewest numbers (Schwarz's criterion) is taken. Neighbours that
    resemble each other count for less than one value each, the less the longer a change lasts.

    Of 90 normal values, changes of 3 standard deviations are told right in 87 to 100 % of
    series, and no change in 99 %; with a correlation of neighbours of 0.3 in 81 to 99 % and
    96 %. The onset is right in the median where a change is sudden or temporary. Where it is
    gradual it is one window off in the median for a climb by 8 standard deviations or more,
    and three for one by 3, which is all that can be known of it (Cramér-Rao); the interval
    holds the onset in 90 to 99 % of series (``benchmarks/ranges.py``).

    Parameters
    ----------
    values
        One number per window, in order of time; NaN where there is none. Shape (T,).
    season
        After how many windows a season may come again; 0 for none.

    Raises
    ------
    BadInput
        If the values are no series.

    References
    ----------
    Schwarz, G. (1978). Estimating the dimension of a model. Annals of Statistics 6, 461-464.
    Sen, A. and Srivastava, M. (1990). Regression Analysis. Springer, section 6.3 (the inverse
    covariance of an autoregression).
    Yao, Y.-C. (1988). Estimating the number of change-points via Schwarz' criterion.
    Statistics and Probability Letters 6, 181-189.
    Gama, J. et al. (2014). A survey on concept drift adaptation. ACM Computing Surveys 46,
    figure 2 (the kinds).

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=90)
    >>> found = kind_of_change(noise + 4 * (np.arange(90) >= 60))
    >>> found.kind, found.onset, round(found.size, 1)
    ('sudden', 60, 4.1)
    >>> kind_of_change(noise).kind
    'none'
    """
    check("kind_of_change", "season", season, Whole(0))
    series = series_of(values)
    seen = np.isfinite(series)
    many = int(seen.sum())
    if many < LEAST:
        return Change(kind="unknown", why=f"needs {LEAST} values, has {many}")
    scale = float(np.abs(series[seen]).max()) or 1.0
    scaled = series / scale
    scaled -= float(np.median(scaled[seen]))
    if float(np.abs(scaled[seen]).max()) <= _NOTHING:
        return Change(kind="none", size=0.0, why="all values are alike")
    models = _models(scaled, season if many >= 3 * season else 0)
    return _chosen(models, scale)


@dataclass(frozen=True, kw_only=True)
class _Model:
    """A shape, alone or on top of a season, and what it leaves."""

    kind: Kind
    shape: Shape | None
    cost: float
    left: float
    rest: Floats
    series: Series
    swing: float
    """From peak to trough of the season, 0 without one."""

    def score(self, level: _Model, memory: float) -> float:
        """Return Schwarz's criterion, and what must be sure, less that of a level without a price.

        Parameters
        ----------
        level
            The model without any change.
        memory
            How much neighbours resemble each other.
        """
        seen = np.isfinite(self.rest)
        many = int(seen.sum())
        price = self.cost * math.log(many) + self.departures * _SURE
        worth = _worth((level.rest - self.rest)[seen], memory)
        return worth * many * math.log(self.left / level.left) + price

    @property
    def departures(self) -> int:
        """How many things other than a level it claims: a season, a change, or both."""
        return (self.shape is not None) + (self.swing > 0)


def _models(scaled: Floats, season: int) -> list[_Model]:
    """Fit every shape, without and with a season; the first model is no change at all."""
    found: list[_Model] = []
    for period in (0, season) if season > 1 else (0,):
        series = Series.of(scaled, period)
        shapes: list[Shape | None] = [None, step(series), bump(series), *ramps(series)]
        if not period:
            shapes += waves(series)
        level = float(series.basis.shape[1])
        swing = (
            float(np.nanmax(scaled - series.rest) - np.nanmin(scaled - series.rest))
            if period
            else 0.0
        )
        found += [_model(series, shape, level, swing) for shape in shapes]
    return found


def _model(series: Series, shape: Shape | None, level: float, swing: float) -> _Model:
    rest = series.rest if shape is None else series.rest - shape.fitted
    many, left = float(series.seen.sum()), float(np.square(rest).sum())
    flat: Kind = "periodic" if level > 1 else "none"
    return _Model(
        kind=flat if shape is None else cast("Kind", shape.kind),
        shape=shape,
        cost=level + (0.0 if shape is None else shape.cost),
        left=max(left, many * _NOTHING**2),
        rest=np.where(series.seen > 0, rest, np.nan),
        series=series,
        swing=swing,
    )


def _memory(rest: Floats, cost: float) -> float:
    """Return how much neighbours resemble each other: 0 if they do not."""
    x = rest[np.isfinite(rest)]
    total = float(np.square(x).sum())
    if total == 0:
        return 0.0
    # Fitting lowers the ratio by about one per number fitted.
    rho = float((x[1:] * x[:-1]).sum()) / total + cost / x.size
    return min(max(rho, 0.0), 0.9)


def _worth(shape: Floats, memory: float) -> float:
    """Return how much each value says of a shape when neighbours resemble each other.

    1 if they do not; (1 - rho) / (1 + rho) of what lasts, more of what is short: noise with a
    memory does not go away and back at once. That is the form of the inverse covariance of an
    autoregression, over the sum of squares. Half of the difference is taken, since the memory
    is only estimated, and what is short would gain most from one that is too large.
    """
    whole, lasting = float(shape @ shape), (1 - memory) / (1 + memory)
    if not whole > _NOTHING**2 * shape.size:
        return lasting
    ends = float(shape[0] ** 2 + shape[-1] ** 2)
    form = (1 + memory**2) * whole - memory**2 * ends - 2 * memory * float(shape[1:] @ shape[:-1])
    return (lasting + form / (1 - memory**2) / whole) / 2


def _chosen(models: list[_Model], scale: float) -> Change:
    simplest = models[0]
    best = min(models, key=lambda m: m.score(simplest, 0.0))
    memory = _memory(best.rest, best.cost)
    scores = [m.score(simplest, memory) for m in models]
    best = models[int(np.argmin(scores))]
    rough = _roughness(best.rest)
    if rough > (_ROUGH if best.departures else _WANDERS):
        what = "it" if best.departures == 0 else f"what {best.kind} leaves"
        return Change(kind="unknown", why=f"{what} wanders, {rough:.1f} times too much for noise")
    if best.departures == 0:
        return Change(kind="none", size=0.0, why="no kind of change says more than a level does")
    lead = scores[0] - min(scores)
    rivals = zip(models, scores, strict=True)
    others = [score for m, score in rivals if m.kind not in (best.kind, "none")]
    ahead = min(others, default=math.inf) - min(scores)
    if ahead < _CLOSE:
        return Change(kind="unknown", why=f"{best.kind} and another kind say about as much")
    why = f"says more than no change by {lead:.1f} and the next by {ahead:.1f}"
    return _told(best, scale, (1 - memory) / (1 + memory), why)


def _roughness(rest: Floats) -> float:
    """Return the variance of what is left over that of its steps."""
    steps = np.diff(rest)
    steps = steps[np.isfinite(steps)]
    whole = float(np.nanmean(np.square(rest)))
    half = float(np.square(steps).mean()) / 2 if steps.size else whole
    return whole / half if half > _NOTHING**2 else 1.0


def _told(model: _Model, scale: float, worth: float, why: str) -> Change:
    shape = model.shape
    if shape is None or model.kind == "periodic":
        swing = model.swing if shape is None else shape.size
        return Change(kind="periodic", size=swing * scale, why=f"periodic {why}")
    many = model.rest.size
    began = onset_of(model.series, model.kind, worth=worth)
    ended = model.kind != "sudden" and shape.end < many - (model.kind == "gradual")
    return Change(
        kind=model.kind,
        onset=began.middle if model.kind == "gradual" else shape.start,
        earliest=began.earliest,
        latest=began.latest,
        end=shape.end if ended else None,
        size=shape.size * scale,
        why=f"{model.kind} {why}",
    )
