"""Since when: within a window of the truth, and not distracted by what is over."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tidemill.core.errors import BadInput
from tidemill.statistics.onsets import onset, since


def test_both_find_the_onset_within_a_window_in_the_median() -> None:
    rng, split, known = np.random.default_rng(1), [], []
    for _ in range(300):
        start, x = int(rng.integers(20, 50)), rng.normal(size=60)
        x[start:] -= 3
        alarm = min(59, start + int(rng.integers(0, 10)))
        x[alarm] = min(x[alarm], -2.5)
        split.append(abs(onset(x, alarm) - start))
        known.append(abs(since(x, alarm) - start))
    assert np.median(split) <= 1
    assert np.median(known) <= 1
    assert np.mean(known) <= 2


def test_an_incident_that_is_over_is_not_the_onset() -> None:
    x = 0.3 * np.random.default_rng(2).normal(size=40)
    x[5:9] -= 10
    x[38:] -= 4
    assert since(x, 39) == 38


def test_gaps_and_nothing_to_tell() -> None:
    x = np.array([0.0, 0.1, math.nan, -0.1, 5.0, math.nan, 5.1, 99.0])
    assert onset(x, 6) == since(x, 6) == 4
    assert onset(x, 5) == since(x, 5) == 5
    assert onset(np.ones(5), 3) == 3
    assert since(np.zeros(5), 3) == 3
    assert onset(np.array([1.0]), 0) == since(np.array([1.0]), 0) == 0
    assert since(np.array([1e-300, 1e300, 1e300]), 2) == 1
    for find in (onset, since):
        with pytest.raises(BadInput, match="not in 3 values"):
            find(np.ones(3), 3)
