"""How much of a series a change of each shape explains, wherever it may lie."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
Grid = tuple[Places, Places, Floats, Floats]
SHORTEST_RAMP = 5
"""A climb within fewer windows is a step."""

_MOST_PLACES = 240
_PLACE = 0.7
"""Where a ramp starts or ends is less of a choice than where a step is: its neighbours fit as well."""

_NONE = 1e-9
_HARMONICS = (1, 2)
_CYCLES = 3.0
"""Fewer turns than this are no period."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The change of one kind that explains most.

    ``gain`` is the sum of squares it takes away, ``cost`` how many numbers it took to say,
    ``fitted`` what it adds to the level; ``start`` and ``end`` are places in the series.
    """

    kind: str
    gain: float
    cost: float
    size: float
    fitted: Floats
    start: int = 0
    end: int = 0


@dataclass(frozen=True, kw_only=True)
class Series:
    """A series with its level, and maybe its season, taken out.

    Parameters
    ----------
    rest
        What is left, 0 where the value is missing; shape (T,).
    seen
        1 where there is a value, else 0; shape (T,).
    basis
        Orthonormal columns that were taken out, 0 where the value is missing; shape (T, q).
    """

    rest: Floats
    seen: Floats
    basis: Floats

    @classmethod
    def of(cls, values: Floats, season: int = 0) -> Series:
        """Take out the level of values that may be NaN, and the mean of each place in season."""
        seen = np.isfinite(values)
        place = np.arange(values.size) % season if season else np.zeros(values.size, dtype=int)
        columns = (place[:, None] == np.unique(place[seen])) & seen[:, None]
        basis = columns / np.sqrt(columns.sum(axis=0))
        rest = np.where(seen, values, 0.0)
        return cls(rest=rest - basis @ (basis.T @ rest), seen=seen.astype(np.float64), basis=basis)

    @property
    def columns(self) -> Floats:
        return np.column_stack([self.rest, self.seen, self.basis])

    def gains(self, products: Floats, squares: Floats) -> tuple[Floats, Floats]:
        """Return gain and size of shapes from their products with ``columns`` and themselves."""
        left = squares - np.square(products[..., 2:]).sum(axis=-1)
        # A shape that level and season explain already gains nothing.
        free = left > _NONE * np.maximum(squares, 1.0)
        size = np.where(free, products[..., 0] / np.where(free, left, 1.0), 0.0)
        return size * products[..., 0], size

    def shaped(self, shape: Floats) -> Floats:
        """Return a shape with what level and season explain of it taken out."""
        masked = shape * self.seen
        return masked - self.basis @ (self.basis.T @ masked)


def step_gains(series: Series) -> tuple[Floats, Floats]:
    """Return gain and size of a step at each place; the gain is -1 where there can be none."""
    sums = _sums(series.columns)
    tails = sums[-1] - sums[:-1]
    gain, size = series.gains(tails, tails[:, 1])
    gain[0] = -1.0
    return gain, size


def bump_gains(series: Series) -> Grid:
    """Return start and end of stretches, and gain and size of another level inside them."""
    sums = _sums(series.columns)
    places = _places(1, series.rest.size)
    i, j = np.meshgrid(places, places, indexing="ij")
    inside = sums[j] - sums[i]
    gain, size = series.gains(inside, inside[..., 1])
    return i, j, np.where(i < j, gain, -1.0), size


def ramp_gains(series: Series) -> Grid:
    """Return the last place before and the last place of climbs, and their gain and size."""
    many, columns = series.rest.size, series.columns
    at = np.arange(many, dtype=np.float64)
    sums, moved = _sums(columns), _sums(columns * at[:, None])
    twice = _sums((series.seen * at * at)[:, None])[:, 0]
    places = np.unique(np.append(_places(0, many), many - 1))
    i, j = np.meshgrid(places, places, indexing="ij")
    wide = np.maximum(j - i, 1).astype(np.float64)
    # 0 up to place i, (t - i) / (j - i) between, 1 from place j on.
    climb = (moved[j] - moved[i] - i[..., None] * (sums[j] - sums[i])) / wide[..., None]
    parts = (twice[j] - twice[i]) - 2 * i * (moved[j, 1] - moved[i, 1])
    parts += i * i * (sums[j, 1] - sums[i, 1])
    squares = parts / wide**2 + sums[-1, 1] - sums[j, 1]
    gain, size = series.gains(climb + sums[-1] - sums[j], squares)
    return i, j, np.where(j - i >= SHORTEST_RAMP, np.maximum(gain, 0.0), -1.0), size


def step(series: Series, *, before: int | None = None) -> Shape:
    """Find the place where the level changes for good.

    Parameters
    ----------
    before
        The last place where it may be; anywhere by default.
    """
    many, (gain, size) = series.rest.size, step_gains(series)
    gain[(many if before is None else before + 1) :] = -1.0
    k = int(gain.argmax())
    return Shape(
        kind="sudden",
        gain=max(float(gain[k]), 0.0),
        cost=2.0,
        size=float(size[k]),
        fitted=series.shaped((np.arange(many) >= k) * size[k]),
        start=k,
        end=many,
    )


def bump(series: Series) -> Shape:
    """Find the stretch inside the series whose level differs from that before and after."""
    i, j, gain, size = bump_gains(series)
    best = int(gain.argmax())
    start, end, at = int(i.flat[best]), int(j.flat[best]), np.arange(series.rest.size)
    return Shape(
        kind="temporary",
        gain=max(float(gain.flat[best]), 0.0),
        cost=3.0,
        size=float(size.flat[best]),
        fitted=series.shaped(((at >= start) & (at < end)) * size.flat[best]),
        start=start,
        end=end,
    )


def ramps(series: Series) -> list[Shape]:
    """Find the stretch along which the level moves evenly to another one.

    One with both ends inside the series, one each that starts or ends with it, and the line
    all along: the fewer ends there are to find, the less it takes to say.
    """
    many, (i, j, gain, size) = series.rest.size, ramp_gains(series)
    found: list[Shape] = []
    for starts in (i > 0, i == 0):
        for ends in (j < many - 1, j == many - 1):
            fits = starts & ends & (gain >= 0)
            if fits.any():
                best = int(np.where(fits, gain, -1.0).argmax())
                shape = _ramp(series, int(i.flat[best]), int(j.flat[best]), float(size.flat[best]))
                found.append(replace(shape, gain=max(float(gain.flat[best]), 0.0)))
    return found


def _ramp(series: Series, start: int, end: int, height: float) -> Shape:
    many = series.rest.size
    climb = np.clip((np.arange(many) - start) / (end - start), 0.0, 1.0) * height
    return Shape(
        kind="gradual",
        gain=0.0,
        cost=1.0 + _PLACE * ((start > 0) + (end < many - 1)),
        size=height,
        fitted=series.shaped(climb),
        start=start,
        end=end,
    )


def waves(series: Series) -> list[Shape]:
    """Find the period of a wave, with one and with two harmonics."""
    many = series.rest.size
    slow, fast = _CYCLES / many, 1 / 3
    if fast <= slow:
        return []
    rates = np.arange(slow, fast, 1 / (8 * many))
    turns = 2 * np.pi * np.outer(rates, np.arange(many))
    return [_wave(series, turns, harmonics) for harmonics in _HARMONICS]


def _wave(series: Series, turns: Floats, harmonics: int) -> Shape:
    parts = [f(k * turns) for k in range(1, harmonics + 1) for f in (np.cos, np.sin)]
    shapes = np.stack(parts, axis=2) * series.seen[None, :, None]
    shapes -= np.einsum("tq,fqk->ftk", series.basis, np.einsum("tq,ftk->fqk", series.basis, shapes))
    inner = np.einsum("ftk,ftl->fkl", shapes, shapes) + _NONE * np.eye(2 * harmonics)
    toward = np.einsum("ftk,t->fk", shapes, series.rest)
    weight: Floats = np.asarray(np.linalg.solve(inner, toward[..., None]), dtype=np.float64)[..., 0]
    gain = (weight * toward).sum(axis=1)
    best = int(gain.argmax())
    fitted = shapes[best] @ weight[best]
    return Shape(
        kind="periodic",
        gain=float(gain[best]),
        cost=2.0 * harmonics + 1,
        size=float(np.ptp(fitted[series.seen > 0])),
        fitted=np.asarray(fitted, dtype=np.float64),
    )


def _sums(columns: Floats) -> Floats:
    """Return the sums up to, and without, each place."""
    return np.concatenate([np.zeros((1, columns.shape[1])), np.cumsum(columns, axis=0)])


def _places(first: int, end: int) -> NDArray[np.int64]:
    """Return places from the first on, every one unless the series is very long."""
    return np.arange(first, end, max(1, -(-(end - first) // _MOST_PLACES)))
