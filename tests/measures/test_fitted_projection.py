"""Projections fitted on a reference: what they learn is plain numbers, and enough to answer."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tidemill.core.errors import BadInput
from tidemill.measures.fitted_projection import PrincipalComponents, RandomDirections

RULES = (PrincipalComponents("p", ("x", "y", "z"), k=2), RandomDirections("r", ("x", "y", "z")))


@pytest.mark.parametrize("rule", RULES, ids=["pca", "random"])
def test_what_was_learnt_survives_json_and_missing_numbers(rule: Any) -> None:
    rows = np.random.default_rng(0).normal(size=(200, 3)) * [1, 10, 0] + [0, 5, 7]
    rows[3, 1] = np.nan
    learnt = rule.fit(rows)
    again = json.loads(json.dumps(learnt, allow_nan=False))
    values = rule.values(again, rows)
    assert values.shape == (200, 2)
    assert np.array_equal(values, rule.values(learnt, rows), equal_nan=True)
    assert np.isnan(values).any(axis=1).nonzero()[0].tolist() == [3]


@pytest.mark.parametrize("rule", RULES, ids=["pca", "random"])
def test_rows_that_teach_nothing_or_have_another_shape_are_refused(rule: Any) -> None:
    with pytest.raises(BadInput, match="Fix:"):
        rule.fit(np.full((9, 3), np.nan))
    with pytest.raises(BadInput, match="dimensions"):
        rule.values(rule.fit(np.random.default_rng(0).normal(size=(9, 3))), np.zeros((1, 2)))
