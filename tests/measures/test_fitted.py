"""Fitted projections: they find the plane, say what leaves it, and are plain numbers."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tidemill.core.errors import BadInput, BadValue
from tidemill.measures.fitted import PCA, RandomLinear


def plane(rng, n: int):
    """Draw points of ten dimensions that lie near a plane."""
    return rng.normal(size=(n, 2)) @ rng.normal(size=(2, 10)) + 0.01 * rng.normal(size=(n, 10))


def test_the_directions_are_those_of_the_singular_values() -> None:
    rows = plane(np.random.default_rng(0), 400)
    found = PCA.fit(rows, 2, standardise=False)
    _, sizes, ways = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    assert np.abs(np.array(found.directions) @ ways[:2].T) == pytest.approx(np.eye(2), abs=1e-8)
    assert found.variances == pytest.approx(sizes[:2] ** 2 / 399)
    assert 0.999 < found.explained <= 1
    assert np.cov(found(rows).T) == pytest.approx(np.diag(found.variances), abs=1e-8)


def test_what_leaves_the_plane_shows_in_the_error_alone() -> None:
    rng = np.random.default_rng(1)
    rows = plane(rng, 800)
    found = PCA.fit(rows[:400], 2)
    inside = found.error(rows[400:])
    shuffled = np.stack([rng.permutation(column) for column in rows[400:].T], axis=1)
    assert np.quantile(inside, 0.99) < 0.2
    assert np.median(found.error(shuffled)) > 1  # each column is as it was


def test_it_survives_json_and_gives_the_same_bits() -> None:
    rows = plane(np.random.default_rng(2), 50)
    found = PCA.fit(rows, 3)
    again = PCA.from_numbers(json.loads(json.dumps(found.numbers())))
    assert again == found
    assert hash(again) == hash(found)
    assert (again(rows) == found(rows)).all()


def test_missing_and_constant_numbers_are_neither_crash_nor_zero() -> None:
    rows = plane(np.random.default_rng(3), 50)
    rows[:, 4] = 5.0
    rows[0, 0], rows[1, 1] = math.nan, math.inf
    for projection in (PCA.fit(rows, 2), RandomLinear(2)):
        found = projection(rows)
        assert np.isnan(found[:2]).all()
        assert np.isfinite(found[2:]).all()
    assert np.isnan(PCA.fit(rows, 2).error(rows)[:2]).all()


@pytest.mark.parametrize("rows", [np.ones((1, 3)), np.full((5, 3), math.nan), np.ones(3)])
def test_what_cannot_be_fitted_is_refused(rows) -> None:
    with pytest.raises(BadInput):
        PCA.fit(rows, 2)


def test_what_is_not_a_projection_is_refused() -> None:
    numbers = PCA.fit(plane(np.random.default_rng(4), 20), 1).numbers()
    for name in numbers:
        with pytest.raises(BadInput):
            PCA.from_numbers({k: v for k, v in numbers.items() if k != name})
    with pytest.raises(BadInput):
        PCA.from_numbers({**numbers, "scale": [math.nan] * 10})
    with pytest.raises(BadInput):
        PCA.from_numbers(numbers)(np.ones((2, 3)))
    with pytest.raises(BadValue):
        RandomLinear(0)


def test_random_directions_keep_distances_on_average() -> None:
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(200, 50))
    short = RandomLinear(400, seed=3)(rows) * math.sqrt(50 / 400)
    ratio = np.linalg.norm(short, axis=1) / np.linalg.norm(rows, axis=1)
    assert np.abs(ratio - 1).max() < 0.2
