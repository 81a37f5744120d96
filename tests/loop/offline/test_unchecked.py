"""A strategy may decide not to test; nothing else passes unmeasured."""

from __future__ import annotations

import numpy as np

from tidemill.core.rules import TestSet
from tidemill.core.verdict import Finding, Verdict
from tidemill.loop.offline import AtLeast, Unchecked
from tidemill.loop.offline.report_card import report_card
from tidemill.measures import Accuracy

NOTHING = TestSet(
    label=np.zeros(0),
    weight=np.zeros(0),
    day=np.zeros(0),
    answers={"candidate": {"output": np.zeros(0), "score": np.zeros(0)}},
)
PAYLOAD = {"champion": None, "dataset": {}, "model": {"digest": "d"}, "strategy": "s"}


def card(*findings):
    return report_card("v1", PAYLOAD, NOTHING, list(findings))


def test_unchecked_passes_with_nothing_measured_and_says_so():
    found = card(Unchecked()(NOTHING))
    assert found["verdict"] == Verdict.OK
    assert found["why"] == "unchecked: not tested, as the strategy decided"


def test_without_it_an_ok_that_measured_nothing_is_no_verdict():
    assert card(Finding(gate="g", verdict=Verdict.OK, why="w"))["verdict"] == Verdict.NO_VERDICT
    assert card()["verdict"] == Verdict.NO_VERDICT


def test_beside_a_gate_that_measures_it_changes_nothing():
    strict = AtLeast(Accuracy(), 0.5)(NOTHING)
    assert card(Unchecked()(NOTHING), strict)["verdict"] == Verdict.NO_VERDICT
