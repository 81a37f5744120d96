"""Since when: as near as anybody can be, with intervals that hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from tidemill.statistics.changes import kind_of_change
from tidemill.statistics.shapes import Series
from tidemill.statistics.starts import onset_of

Floats = NDArray[np.float64]
MANY, AT = 90, np.arange(90)


def climb(start: int, long: int, height: float) -> Floats:
    return height * np.clip((AT - start) / long, 0, 1)


def least_sd(start: int, long: int, height: float) -> float:
    """Return the Cramer-Rao bound of the start: level, height, start and end are unknown."""
    by = height * ((start < AT) & (start + long > AT)) / long**2
    about = np.column_stack(
        [np.ones(MANY), climb(start, long, 1.0), by * (AT - start - long), by * (AT - start)]
    )
    return float(np.sqrt(np.linalg.inv(about.T @ about)[2, 2]))


@pytest.mark.parametrize(("height", "rho"), [(3.0, 0.0), (10.0, 0.0), (3.0, 0.3)])
def test_the_start_of_a_climb_is_found_as_well_as_it_can_be(height: float, rho: float) -> None:
    """Within a window in the median for a climb by ten sd; by three, no method does better than 3."""
    rng, off, held, least = np.random.default_rng([int(height), int(10 * rho)]), [], 0, []
    worth, runs = (1 - rho) / (1 + rho), 300
    for _ in range(runs):
        long = int(rng.integers(20, 51))
        start = int(rng.integers(5, MANY - long - 5))
        noise = lfilter([1.0], [1.0, -rho], rng.normal(size=MANY + 40))[40:] * np.sqrt(1 - rho**2)
        series = Series.of(np.asarray(noise) + climb(start, long, height))
        found = onset_of(series, "gradual", worth=worth)
        off.append(abs(found.middle - start - 1))
        held += found.earliest <= start + 1 <= found.latest
        least.append(abs(rng.normal()) * least_sd(start, long, height) / np.sqrt(worth))
    assert held / runs >= 0.87  # 90 % less two standard errors
    assert np.median(off) <= (1 if height > 3 else 1.3 * np.median(least))
    if height == 3.0:
        assert np.median(least) > 2.5


def test_intervals_of_steps_and_bumps_hold_their_start_and_are_short() -> None:
    rng, held, wide = np.random.default_rng(5), 0, []
    for k in range(100):
        start = int(rng.integers(15, 60))
        end = MANY if k % 2 else start + 12
        x = rng.normal(size=MANY) + 3 * ((start <= AT) & (end > AT))
        found = onset_of(Series.of(x), "sudden" if k % 2 else "temporary", worth=1.0)
        held += found.earliest <= start <= found.latest
        wide.append(found.latest - found.earliest)
    assert held >= 84
    assert np.median(wide) <= 3


def test_what_began_with_the_series_or_without_noise() -> None:
    line = onset_of(Series.of(0.1 * AT + 1e-9 * np.sin(AT)), "gradual", worth=1.0)
    assert (line.earliest, line.middle, line.latest) == (1, 1, 1)
    exact = kind_of_change(np.repeat([0.0, 1.0], 20))
    assert (exact.earliest, exact.onset, exact.latest) == (20, 20, 20)
    none = kind_of_change(np.random.default_rng(0).normal(size=MANY))
    assert (none.kind, none.earliest, none.latest) == ("none", None, None)
