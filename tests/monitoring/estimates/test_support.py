"""Rows unlike the reference's: alarmed on when there are more than by chance, not before."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from tidemill.core.verdict import Verdict
from tidemill.monitoring.estimates import Answered, Estimated, judge, support
from tidemill.monitoring.estimates.support import Support


def found(outside: Support, value: float = 0.9) -> Estimated:
    return Estimated(
        metric="accuracy",
        method="cbpe",
        value=value,
        low=value - 0.01,
        high=value + 0.01,
        n=300,
        n_effective=300.0,
        why="a reason",
        support=outside,
    )


def test_what_is_outside_by_chance_is_known_from_the_reference_and_rarely_alarmed_on() -> None:
    rng = np.random.default_rng(1)
    runs, fired, shares, usual = 400, 0, [], []
    for _ in range(runs):
        words = rng.geometric(0.2, size=(700, 1)).astype(str)
        x = rng.normal(size=(700, 10))
        old = Answered(features=x[:200], categories=words[:200])
        seen = support(old, Answered(features=x[200:], categories=words[200:]))
        fired += seen.p <= 0.05
        shares.append(seen.share)
        usual.append(seen.usual)
    assert np.mean(usual) == pytest.approx(np.mean(shares), rel=0.05)
    assert 0.01 < fired / runs < 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize("what", ["features", "categories", "cohorts", "score"])
def test_rows_where_the_reference_had_none_are_an_alert_that_names_the_column(what: str) -> None:
    rng = np.random.default_rng(2)
    columns = {
        "features": rng.normal(size=(2000, 3)),
        "categories": rng.choice(["a", "b"], size=(2000, 2)).astype(object),
        "cohorts": np.zeros((2000, 2), dtype=bool),
        "score": rng.uniform(0.2, 0.8, 2000),
    }
    new = {k: v.copy() for k, v in columns.items()}
    strange = {"features": 99.0, "categories": "zzz", "cohorts": True, "score": 0.99}[what]
    new[what][:60] = strange
    old = Answered(**columns)
    assert judge(found(support(old, old))).verdict is Verdict.OK
    seen = support(old, Answered(**new))
    assert seen.share == pytest.approx(0.03, abs=1e-9)
    verdict = judge(found(seen))
    assert verdict.verdict is Verdict.ALERT
    assert {"features": "feature", "categories": "category", "cohorts": "cohort"}.get(
        what, what
    ) in verdict.why
    assert judge(found(seen, math.nan)).verdict is Verdict.ALERT  # seen, estimate or not


def test_missing_values_are_outside_only_where_the_reference_never_had_them() -> None:
    x = np.arange(100.0)[:, None]
    gaps = np.where(np.arange(100) % 10 == 0, np.nan, 50.0)[:, None]
    assert support(Answered(features=x), Answered(features=gaps)).share == 0.1
    assert support(Answered(features=gaps), Answered(features=gaps)).share == 0.0
    everything = np.full((100, 1), np.nan)
    assert support(Answered(features=everything), Answered(features=x)).share == 1.0


def test_a_low_estimate_is_no_alert_and_too_few_rows_no_verdict() -> None:
    calm = Support(share=0.0, usual=0.001, n=3000.0, n_reference=2000.0)
    assert judge(found(calm, 0.1)).verdict is Verdict.OK
    assert judge(found(calm, math.nan)).verdict is Verdict.NO_VERDICT
    few = dataclasses.replace(calm, n=30.0)
    assert judge(found(few)).verdict is Verdict.NO_VERDICT
    assert "too few" in judge(found(few)).why
    none = dataclasses.replace(calm, n=0.0, share=math.nan)
    assert judge(found(none)).verdict is Verdict.NO_VERDICT


def test_under_the_floor_there_is_no_alert_however_sure() -> None:
    sure = Support(share=0.009, usual=0.0, n=1e6, n_reference=1e6)
    assert sure.p < 1e-9
    assert judge(found(sure)).verdict is Verdict.OK
    assert judge(found(sure), floor=0.005).verdict is Verdict.ALERT


def test_weights_of_no_row_are_refused_nowhere() -> None:
    old = Answered(features=np.ones((3, 1)), weight=np.zeros(3))
    assert math.isnan(support(old, old).share)
    assert math.isnan(support(old, old).p)
