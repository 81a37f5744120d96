"""The correlation of neighbours is found in spite of what fitting does to residuals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.signal import lfilter

from tidemill.statistics.lag_one import spread


def test_rho_is_right_on_average_after_seven_weekdays_were_fitted() -> None:
    rng, found = np.random.default_rng(1), []
    weekday = (np.arange(84)[:, None] % 7 == np.arange(7)) / math.sqrt(12)
    for _ in range(150):
        x = lfilter([1.0], [1.0, -0.5], rng.normal(size=124))[40:]
        rest = x - weekday @ (weekday.T @ x)
        contrast = weekday @ weekday[0]
        found.append(spread(rest, weekday, np.arange(85), contrast, 1.0).rho)
    assert np.mean(found) == pytest.approx(0.5, abs=0.04)


def test_sd_and_df_are_those_of_the_full_matrices_with_gaps() -> None:
    rng, steps = np.random.default_rng(2), np.array([0, 1, 2, 5, 6, 7, 9, 10, 11, 12, 13, 15])
    x = np.cumsum(rng.normal(size=11))
    basis = np.linalg.qr(np.stack([np.ones(11), np.arange(11.0)], axis=1))[0]
    rest, contrast = x - basis @ (basis.T @ x), np.full(11, 1 / 11)
    found = spread(rest, basis, steps, contrast, 2.0)
    assert 0.1 < found.rho < 0.9
    matrix = found.rho ** np.abs(np.subtract.outer(steps, steps)).astype(float)
    apart = np.eye(11) - basis @ basis.T
    product = apart @ matrix[:-1, :-1]
    factor = 4 + contrast @ matrix[:-1, :-1] @ contrast - 4 * contrast @ matrix[:-1, -1]
    assert found.sd == pytest.approx(math.sqrt(rest @ rest / np.trace(product) * factor))
    assert found.df == pytest.approx(np.trace(product) ** 2 / np.trace(product @ product))


def test_a_fit_without_residuals_has_no_spread() -> None:
    assert spread(np.zeros(5), np.full((5, 1), 5**-0.5), np.arange(6), np.full(5, 0.2), 1.0).sd == 0
