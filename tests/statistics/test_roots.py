"""Roots are those that scipy finds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from tidemill.core.errors import BadValue
from tidemill.statistics.roots import root


def test_roots_of_steep_and_flat_functions_are_scipys():
    rng = np.random.default_rng(0)
    for k in range(300):
        at, steep = rng.normal() * 10 ** rng.uniform(-5, 5), 10 ** rng.uniform(-3, 3)
        functions = (
            lambda x, at=at, c=steep: (x - at) * (1 + c * (x - at) ** 2),
            lambda x, at=at, c=steep: math.expm1(max(min((x - at) * c, 500), -500)),
            lambda x, at=at, c=steep: math.atan((x - at) * c) + 1e-3 * (x - at) * c,
        )
        low, high = at - 10 ** rng.uniform(-3, 6), at + 10 ** rng.uniform(-3, 6)
        found = root(functions[k % 3], low, high)
        assert found == pytest.approx(at, rel=1e-12, abs=1e-300)
        assert found == pytest.approx(brentq(functions[k % 3], low, high, xtol=1e-300), rel=1e-9)


def test_it_stops_when_it_is_near_enough():
    asked = []

    def function(x: float) -> float:
        asked.append(x)
        return x**3 - 2

    assert root(function, 0, 2, absolute=1e-2) == pytest.approx(2 ** (1 / 3), abs=1e-2)
    few = len(asked)
    root(function, 0, 2)
    assert few < len(asked) - few


def test_one_sign_at_both_ends_is_refused():
    with pytest.raises(BadValue, match="crosses 0"):
        root(lambda x: x * x + 1, -1, 1)
