"""What gates answer, and how often they are wrong."""

from __future__ import annotations

import numpy as np
import pytest

from tidemill import AUC, MAE, Accuracy, AtLeast, Brier, NoWorseThan
from tidemill.core.rules import TestSet
from tidemill.core.verdict import Finding, Verdict, at_look
from tidemill.loop.offline.report_card import report_card
from tidemill.statistics.share import share_bounds

OK, ALERT, NO_VERDICT = Verdict.OK, Verdict.ALERT, Verdict.NO_VERDICT


def rows_with(label, candidate, champion=None, *, days=10, look=1, weight=None):
    n = len(label)
    answers = {"candidate": {"output": np.asarray(candidate), "score": np.asarray(candidate)}}
    if champion is not None:
        answers["champion"] = {"output": np.asarray(champion), "score": np.asarray(champion)}
    return TestSet(label=np.asarray(label), weight=np.ones(n) if weight is None else weight,
                   day=np.arange(n) * days // n, answers=answers, look=look)  # fmt: skip


def with_errors(share, *, n=1000, seed=0, **more):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, n).astype(float)
    return rows_with(label, np.where(rng.random(n) < share, 1 - label, label), **more)


@pytest.mark.parametrize(("floor", "verdict"), [(0.5, OK), (0.8, NO_VERDICT), (0.95, ALERT)])
def test_at_least_is_ok_above_the_floor_alert_below_and_says_so_when_it_cannot_tell(floor, verdict):
    finding = AtLeast(Accuracy(), floor)(with_errors(0.2))
    assert finding.verdict == verdict
    assert f"{floor:g}" in finding.why


def test_for_a_metric_where_lower_is_better_the_floor_is_a_ceiling():
    rng = np.random.default_rng(0)
    label = rng.normal(size=500)
    test = rows_with(label, label + rng.normal(size=500))
    assert AtLeast(MAE(), 1.0)(test).verdict == OK
    assert AtLeast(MAE(), 0.5)(test).verdict == ALERT


@pytest.mark.parametrize("days", [1, 4])
def test_too_few_days_give_no_verdict_whatever_the_number_of_rows(days):
    test = with_errors(0.2, n=5000, days=days)
    assert AtLeast(Accuracy(), 0.1)(test).verdict == NO_VERDICT
    assert "too few to tell" in AtLeast(Accuracy(), 0.1)(test).why


def test_no_rows_give_no_verdict():
    empty = np.zeros(0)
    test = rows_with(empty, empty, empty)
    for gate in (AtLeast(Accuracy(), 0.1), NoWorseThan("champion", AUC(), margin=0.1)):
        assert gate(test).verdict == NO_VERDICT


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_days_that_are_all_alike_give_at_least_no_verdict_since_they_say_nothing_of_others(share):
    finding = AtLeast(Accuracy(), 0.5)(with_errors(share))
    assert finding.verdict == NO_VERDICT
    assert "no variation to judge by" in finding.why


def test_days_that_are_alike_but_for_rounding_are_alike():
    label = np.tile([0.1, 0.2, 0.3, 0.4], 50)
    finding = AtLeast(MAE(), 9.0)(rows_with(label, label + 0.7))
    assert "no variation to judge by" in finding.why


def test_few_errors_widen_the_interval_of_a_share_to_the_exact_one():
    test = with_errors(0.0)
    output = test.answers["candidate"]["output"]
    output[:2] = 1 - test.label[:2]
    (_, estimate), *_ = AtLeast(Accuracy(), 0.99)(test).estimates
    low, _ = share_bounds(0.998, 1000)
    assert estimate.low == pytest.approx(low)


def test_at_least_passes_a_rarely_wrong_model_at_its_floor_in_at_most_5_percent():
    rng, passes, runs, n, truth = np.random.default_rng(7), 0, 600, 400, 0.99
    for _ in range(runs):
        output = (rng.random(n) < truth).astype(float)
        finding = AtLeast(Accuracy(), truth)(rows_with(np.ones(n), output, days=8))
        passes += finding.verdict == OK
    assert passes / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize("metric", [Accuracy(), Brier(), MAE()])
def test_identical_answers_are_no_worse_at_any_margin(metric):
    rng = np.random.default_rng(0)
    label, answer = rng.integers(0, 2, 500).astype(float), rng.random(500)
    for margin in (0.0, 0.01):
        finding = NoWorseThan("champion", metric, margin=margin)(rows_with(label, answer, answer))
        assert finding.verdict == OK
        assert "0.0000 [0.0000, 0.0000]" in finding.why


def test_no_worse_than_is_ok_alert_or_undecided():
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 2000).astype(float)

    def answer(share):
        return np.where(rng.random(2000) < share, 1 - label, label)

    good, poor = answer(0.1), answer(0.3)
    gate = NoWorseThan("champion", Accuracy(), margin=0.02)
    assert gate(rows_with(label, good, poor)).verdict == OK
    assert gate(rows_with(label, poor, good)).verdict == ALERT
    assert gate(rows_with(label, answer(0.12), good)).verdict == NO_VERDICT
    wide = NoWorseThan("champion", Accuracy(), margin=0.25)
    assert wide(rows_with(label, poor, good)).verdict == OK


def test_without_a_champion_nothing_is_worse_but_that_alone_makes_no_report_card_ok():
    finding = NoWorseThan("champion", AUC(), margin=0.1)(with_errors(0.2))
    assert (finding.verdict, finding.why) == (OK, "there is no champion yet")
    payload = {"champion": None, "dataset": {}, "model": {"digest": "d"}, "strategy": "s"}
    card = report_card("v1", payload, with_errors(0.2), [finding])
    assert card["verdict"] == NO_VERDICT
    assert "add AtLeast" in card["why"]
    assert report_card("v1", payload, with_errors(0.2), [])["verdict"] == NO_VERDICT


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [((OK, OK), OK), ((OK, NO_VERDICT), NO_VERDICT), ((NO_VERDICT, ALERT), ALERT)],
)
def test_the_report_card_is_as_good_as_its_worst_gate(verdicts, expected):
    (_, estimate), *_ = AtLeast(Accuracy(), 0.5)(with_errors(0.2)).estimates
    findings = [Finding(gate=f"g{k}", verdict=v, why="because", estimates=(("x", estimate),))
                for k, v in enumerate(verdicts)]  # fmt: skip
    payload = {"champion": None, "dataset": {}, "model": {"digest": "d"}, "strategy": "s"}
    card = report_card("v1", payload, with_errors(0.2), findings)
    assert card["verdict"] == expected
    assert card["why"].startswith(f"g{verdicts.index(expected)}: because")


def test_each_further_look_asks_for_more_confidence_and_all_together_err_at_most_twice():
    assert sum(1 - at_look(0.95, k) for k in range(1, 40)) == pytest.approx(0.1)
    first, second = (AtLeast(Accuracy(), 0.5)(with_errors(0.2, look=k)) for k in (1, 2))
    assert second.estimates[0][1].low < first.estimates[0][1].low
    gate = NoWorseThan("champion", Accuracy(), margin=0.02)
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 1000).astype(float)
    pair = label, np.where(rng.random(1000) < 0.1, 1 - label, label)
    wide = [gate(rows_with(label, pair[1], label, look=k)).estimates[0][1] for k in (1, 2)]
    assert wide[1].low < wide[0].low


def pairs(rng, *, days, rows, champion, loss, spread):
    """Draw a test set on which the candidate is worse by ``loss``, with days that differ."""
    n = days * rows
    day = np.repeat(np.arange(days), rows)
    hard = np.clip(rng.normal(0, spread, days), -0.15, 0.15)[day]
    u, v = rng.random(n), rng.random(n)
    right = u < champion + hard
    # The candidate errs on other rows too, so that both differ on more than the loss.
    swap = 0.05
    lost, won = v < (swap + loss) / (champion + hard), v < swap / (1 - champion - hard)
    other = np.where(right, ~lost, won)
    return np.ones(n), other.astype(float), right.astype(float), day


@pytest.mark.parametrize(("days", "rows", "margin"), [(6, 100, 0.02), (8, 60, 0.05), (14, 40, 0.02)])  # fmt: skip
def test_a_candidate_worse_by_exactly_the_margin_passes_in_at_most_5_percent(days, rows, margin):
    rng, passes, runs = np.random.default_rng([days, rows]), 0, 400
    gate = NoWorseThan("champion", Accuracy(), margin=margin)
    for _ in range(runs):
        label, new, old, _ = pairs(rng, days=days, rows=rows, champion=0.75, loss=margin,
                                   spread=0.06)  # fmt: skip
        passes += gate(rows_with(label, new, old, days=days)).verdict == OK
    assert passes / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert passes / runs >= 0.02, "the test would be empty if nothing ever passed"


def test_figures_that_flatter_are_never_okay_and_the_card_says_what_is_assumed():
    finding = AtLeast(Accuracy(), 0.5)(with_errors(0.2))
    payload = {"champion": None, "dataset": {}, "model": {"digest": "d"}, "strategy": "s"}
    sure = report_card("v1", payload, with_errors(0.2), [finding])
    card = report_card("v1", payload, with_errors(0.2), [finding], assumed=["at once"], doubt="why")
    assert (sure["verdict"], sure["assumed"]) == (OK, [])
    assert (card["verdict"], card["assumed"]) == ("WARN", ["at once"])
    assert card["why"].endswith("; but why")
