"""The shapes of change are what least squares over all places would find."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tidemill.statistics.shapes import Series, bump, ramps, step, waves

Floats = NDArray[np.float64]


def series() -> tuple[Floats, Series]:
    x = np.random.default_rng(4).normal(size=24)
    x[[3, 4, 17]] = np.nan
    x[9:] += 1.0
    return x, Series.of(x, 7)


def gained(x: Floats, shape: Floats) -> float:
    """By how much the residual sum of squares falls when the shape joins the weekdays."""
    seen = np.isfinite(x)
    weekday = (np.arange(x.size)[:, None] % 7 == np.arange(7)).astype(float)[seen]
    both = np.column_stack([weekday, shape[seen]])
    left = [
        float(np.square(x[seen] - c @ np.linalg.lstsq(c, x[seen], rcond=None)[0]).sum())
        for c in (weekday, both)
    ]
    return left[0] - left[1]


def test_step_and_bump_are_the_best_of_all_places() -> None:
    x, made = series()
    at = np.arange(24)
    assert step(made).gain == pytest.approx(max(gained(x, 1.0 * (at >= k)) for k in range(1, 24)))
    best = max(
        gained(x, 1.0 * ((at >= i) & (at < j))) for i in range(1, 24) for j in range(i + 1, 24)
    )
    assert bump(made).gain == pytest.approx(best)
    assert step(made, before=6).start <= 6


def test_ramps_are_the_best_of_all_stretches() -> None:
    x, made = series()
    at = np.arange(24)
    best = {(i > 0, j < 23): 0.0 for i in range(24) for j in range(i + 5, 24)}
    for i in range(24):
        for j in range(i + 5, 24):
            gain = gained(x, np.clip((at - i) / (j - i), 0, 1))
            best[i > 0, j < 23] = max(best[i > 0, j < 23], gain)
    found = {(r.start > 0, r.end < 23): r.gain for r in ramps(made)}
    assert found == pytest.approx(best)


def test_what_is_fitted_takes_away_what_is_gained() -> None:
    _, made = series()
    before = float(np.square(made.rest).sum())
    for shape in (step(made), bump(made), *ramps(made), *waves(made)):
        after = float(np.square(made.rest - shape.fitted).sum())
        assert before - after == pytest.approx(shape.gain)


def test_a_long_series_is_searched_on_a_coarser_grid() -> None:
    x = np.random.default_rng(1).normal(size=1000)
    x[300:400] += 3
    found = bump(Series.of(x))
    assert (abs(found.start - 300) <= 5, abs(found.end - 400) <= 5) == (True, True)
