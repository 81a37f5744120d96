"""Density and autoencoder: their values are those of scikit-learn, and show what no column does."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from tidemill.adapters.projections import Autoencoder, Density
from tidemill.core.errors import BadInput, MissingExtra
from tidemill.measures.fitted_projection import FittedProjection, standardised
from tidemill.testing import check_rule

RULES = (Density("d", ("x", "y"), components=2), Autoencoder("a", ("x", "y"), middle=1))


def rows(n: int, *, flip: bool = False) -> np.ndarray:
    rng = np.random.default_rng(n)
    x = rng.normal(size=n)
    return np.stack([x, 0.95 * x * (-1 if flip else 1) + 0.3 * rng.normal(size=n)], axis=1)


@pytest.mark.parametrize("rule", RULES, ids=["density", "autoencoder"])
def test_a_flip_that_no_column_shows_moves_the_values(rule: Any) -> None:
    assert isinstance(rule, FittedProjection)
    learnt = json.loads(json.dumps(rule.fit(rows(1500)), allow_nan=False))
    usual, flipped = (rule.values(learnt, r)[:, 0] for r in (rows(1000), rows(1001, flip=True)))
    apart = (flipped.mean() - usual.mean()) / usual.std()
    assert abs(apart) > 1
    lost = rule.values(learnt, np.array([[np.nan, 1.0], [0.0, 0.0]]))
    assert np.isnan(lost[:, 0]).tolist() == [True, False]
    assert rule.fit(rows(1500)) == rule.fit(rows(1500))


def test_the_density_is_that_of_scikit_learn() -> None:
    rule, given = RULES[0], rows(800)
    learnt = rule.fit(given)
    model = GaussianMixture(2, reg_covar=1e-3, random_state=0).fit(standardised(learnt, given))
    exact = model.score_samples(standardised(learnt, given[:50]))
    assert rule.values(learnt, given[:50])[:, 0] == pytest.approx(exact, abs=1e-8)


@pytest.mark.parametrize("rule", RULES, ids=["density", "autoencoder"])
def test_too_few_rows_and_a_missing_extra_are_said(
    rule: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match="Fix: pass"):
        rule.fit(rows(5))
    for name in ("sklearn.mixture", "sklearn.neural_network"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=r"tidemill\[sklearn\]"):
        rule.fit(rows(500))


@pytest.mark.parametrize("rule", RULES, ids=["density", "autoencoder"])
def test_they_keep_the_promises_of_a_rule(rule: Any) -> None:
    check_rule(type(rule))
