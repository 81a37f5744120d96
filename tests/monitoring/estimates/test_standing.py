"""Which estimator is used: the one that has been right, on windows enough to know."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from tidemill.monitoring.estimates import (
    Estimated,
    Scored,
    Support,
    best,
    disagreement,
    standings,
)

START = datetime(2024, 1, 1, tzinfo=UTC)


def said(
    method: str, errors: list[float], *, realised: float = 0.8, width: float = 0.05
) -> list[Scored]:
    return [
        Scored(
            method=method,
            window=START + timedelta(days=k),
            estimated=realised + e,
            low=realised + e - width,
            high=realised + e + width,
            realised=realised,
        )
        for k, e in enumerate(errors)
    ]


def test_each_is_scored_against_the_baseline_on_the_same_windows() -> None:
    history = said("constant", [0.01] * 10 + [0.2] * 10) + said("cbpe", [0.1] * 10 + [0.04] * 10)
    late = [s for s in history if s.method == "constant" or s.window >= START + timedelta(days=10)]
    cbpe = {s.method: s for s in standings(history)}["cbpe"]
    assert (cbpe.windows, cbpe.of) == (20, 20)
    assert cbpe.error == pytest.approx(0.07)
    assert cbpe.constant == pytest.approx(0.105)
    assert cbpe.covered == 0.5
    only = {s.method: s for s in standings(late)}["cbpe"]
    assert (only.windows, only.of, only.ratio) == (10, 20, pytest.approx(0.2))


def test_the_best_so_far_is_used_only_when_it_is_proven_and_beats_the_baseline() -> None:
    base = said("constant", [0.1] * 8)
    assert best([]) == "constant"
    assert best(base + said("cbpe", [0.01] * 7)) == "constant"
    assert best(base + said("cbpe", [0.01] * 7), least=7) == "cbpe"
    assert best(base + said("cbpe", [0.02] * 8) + said("atc", [-0.01] * 8)) == "atc"
    assert best(base + said("cbpe", [0.11] * 8)) == "constant"
    assert best(said("cbpe", [0.01] * 20)) == "constant"  # with nothing to compare


def test_windows_without_labels_or_without_an_answer_do_not_count() -> None:
    base = said("constant", [0.1] * 9)
    waiting = said("cbpe", [0.01] * 9, realised=math.nan)
    mute = said("atc", [math.nan] * 9)
    assert best(base + waiting + mute) == "constant"
    found = {s.method: s for s in standings(base + waiting + mute)}
    assert (found["cbpe"].windows, found["atc"].windows, found["atc"].of) == (0, 0, 9)
    assert math.isnan(found["atc"].ratio)


def test_a_window_scored_again_with_late_labels_replaces_itself() -> None:
    first, later = said("constant", [0.2]), said("constant", [0.1])
    assert standings(first + later)[0].error == pytest.approx(0.1)


def test_disagreement_is_the_spread_of_those_that_look() -> None:
    calm = Support(share=0.0, usual=0.0, n=1.0, n_reference=1.0)

    def one(method: str, value: float) -> Estimated:
        return Estimated(
            metric="auc",
            method=method,
            value=value,
            low=value,
            high=value,
            n=1,
            n_effective=1.0,
            why="",
            support=calm,
        )

    spread = disagreement([one("cbpe", 0.8), one("doc", 0.7), one("constant", 0.1)])
    assert spread == pytest.approx(0.1)
    assert math.isnan(disagreement([one("cbpe", 0.8), one("atc", math.nan)]))
