"""The rows of a report say what a strategy did, and what kept it from doing it."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tidemill import AtLeast, Newest, Outcome, Uniform
from tidemill.loop.datasets import Recent
from tidemill.loop.triggers import Every, Manual, Once
from tidemill.measures import AUC, Accuracy
from tidemill.strategy.backtest.rows import halves, releases_of, words

sys.path.insert(0, str(Path(__file__).parents[2] / "scenarios"))

import backtest_worlds as tiny

WORLD = tiny.turning(1, weeks=7, per_week=50, turn=0.1)


def notes(history: Any, *strategies: Any, name: str = "asked", **changes: Any) -> tuple[Any, str]:
    row = tiny.row(tiny.report_of(history, *strategies, **changes), name)
    return row, "; ".join(row["notes"])


def test_a_strategy_that_never_fires_is_a_note():
    row, said = notes(WORLD, tiny.strategy_of(trigger=Manual()))
    assert "never fired: no model was ever trained" in said
    assert "no model in front for 5 of 5 steps" in said
    assert row["value"] is None
    assert row["retrains"] == 0


def fails_at_two(dataset: Any) -> bool:
    return 120 < len(dataset.label) < 220


def test_fits_that_fail_on_some_windows_are_a_note_and_the_old_model_stays():
    learner = tiny.failing(fails_at_two, tiny.line)
    row, said = notes(WORLD, tiny.strategy_of(training=learner))
    became = [d["became"] for d in row["decisions"]]
    failed = became.count("failed")
    assert failed == 2
    assert row["failed"] == 2
    assert f"{failed} of {len(became)} fits failed, the first:" in said
    assert "the matrix is singular" in said
    # The first model answers until the first one after the failures.
    ages = [c["age_days"] for c in row["curve"]]
    assert ages == pytest.approx([3.5, 10.5, 17.5, 3.5, 3.5], abs=0.1)
    assert all(c["now"] is not None for c in row["curve"])


def test_a_learner_that_always_fails_is_a_note():
    row, said = notes(WORLD, tiny.strategy_of(training=tiny.failing(lambda _: True, tiny.line)))
    assert "fits failed" in said
    assert "no model ever met users" in said
    assert row["value"] is None


def test_candidates_that_do_not_pass_are_counted():
    strategy = tiny.strategy_of(
        holdout=Newest(at_least=15, days=4), offline=[AtLeast(Accuracy(), 0.999)]
    )
    row, said = notes(WORLD, strategy)
    assert row["refused"] == len(row["decisions"])
    assert "candidates did not pass their gates" in said
    assert "no model ever met users" in said


def one_class(weeks: int = 6) -> Any:
    """A world in which one week has one class only, and another no label."""
    rng = np.random.default_rng(0)
    at = tiny.spread(weeks, 40, rng)
    x = rng.normal(size=at.size)
    week = (at - at[0]) // tiny.micro(tiny.WEEK)
    label = (x + rng.normal(size=at.size) > 0).astype(float)
    label[week == 3] = 1.0
    label[week == 4] = np.nan
    return tiny.history_of(at, {"f_x": x}, label, delay=tiny.micro(tiny.DAY))


def test_weeks_with_one_class_or_no_label_have_no_number_and_do_not_count():
    strategies = [tiny.strategy_of(), tiny.strategy_of("never", trigger=Once())]
    report = tiny.report_of(one_class(), *strategies, metric=AUC(), season="0s")
    now = [c["now"] for c in tiny.row(report, "asked")["curve"]]
    assert [v is None for v in now] == [False, True, True, False]
    labelled = [c["labelled"] for c in tiny.row(report, "asked")["curve"]]
    assert labelled[2] == 0
    known = [(v, n) for v, n in zip(now, labelled, strict=True) if v is not None]
    mean = sum(v * n for v, n in known) / sum(n for _, n in known)
    assert tiny.row(report, "asked")["value"] == pytest.approx(mean)
    assert report["conclusion"]


def test_the_first_training_sees_one_class_only():
    rng = np.random.default_rng(0)
    at = tiny.spread(6, 40, rng)
    x = rng.normal(size=at.size)
    week = (at - at[0]) // tiny.micro(tiny.WEEK)
    label = np.where(week < 2, 1.0, (x > 0)).astype(float)
    row, _ = notes(tiny.history_of(at, {"f_x": x}, label), tiny.strategy_of())
    assert row["curve"][0]["now"] is not None


class Modal:
    """A model that answers the text it saw most."""

    def __init__(self, answer: str) -> None:
        self.answer = answer

    def predict(self, frame: Any) -> Any:
        return np.array([self.answer] * len(frame), dtype=object)


def modal(dataset: Any, _previous: object) -> Modal:
    names, counts = np.unique(dataset.label.astype(str), return_counts=True)
    return Modal(str(names[np.argmax(counts)]))


def test_a_class_that_was_never_seen_before_is_wrong_and_no_crash():
    rng = np.random.default_rng(0)
    at = tiny.spread(6, 30, rng)
    week = (at - at[0]) // tiny.micro(tiny.WEEK)
    label = np.where(week < 3, rng.choice(["a", "b"], at.size, p=[0.8, 0.2]), "new").astype(object)
    history = tiny.history_of(at, {"f_x": rng.normal(size=at.size)}, label)
    report = tiny.report_of(
        history,
        tiny.strategy_of(training=modal, dataset=Recent("7d")),
        task="multiclass",
    )
    now = [c["now"] for c in tiny.row(report, "asked")["curve"]]
    assert now[0] > 0.6
    assert now[1] == 0.0
    assert now[2:] == [1.0, 1.0]


def test_only_labels_that_were_asked_for_and_came_are_counted():
    scarce = tiny.strategy_of("scarce", curation=Uniform(10, per="7d"))
    report = tiny.report_of(WORLD, scarce, tiny.strategy_of("all"))
    assert tiny.row(report, "scarce")["labels"] == 10 * 4
    assert tiny.row(report, "all")["labels"] == 50 * 4


def test_what_was_known_then_never_holds_a_label_that_came_later():
    waits = tiny.turning(1, weeks=7, per_week=50, delay=timedelta(days=3))

    class Then(tiny.Rows):
        def _rows(self) -> Any:
            rows, terms = super()._rows()
            self.known = dict(zip(rows.scored, rows._then, strict=True))
            return rows, terms

    ours = Then(tiny.given_of(waits), [tiny.strategy_of()], tiny.setting_of())
    report = ours.run()
    came = dict(zip(waits.label_place, waits.label_available, strict=True))
    shorter = 0
    for k, known in ours.known.items():
        end = int(ours.steps.moments[k + 1].timestamp() * 1e6)
        low, high = ours.steps.rows(k)
        expected = [p for p in range(low, high) if came[p] <= end]
        assert known.place.tolist() == expected
        shorter += len(expected) < high - low
    assert shorter
    curve = tiny.row(report, "asked")["curve"]
    assert any(c["then"] != c["now"] for c in curve)


def test_the_curve_of_then_does_not_move_when_the_labels_after_it_do():
    rng = np.random.default_rng(4)
    at = tiny.spread(7, 50, rng)
    x = rng.normal(size=at.size)
    label = (x > 0).astype(float)
    delay = rng.integers(1, 9 * 24, at.size) * 3_600_000_000
    end = int((tiny.START + 4 * tiny.WEEK).timestamp() * 1e6)
    hidden = at + delay > end
    worlds = [
        tiny.history_of(at, {"f_x": x}, np.where(hidden, y, label), delay=delay)
        for y in (label, 1 - label)
    ]
    once = tiny.strategy_of(trigger=Once())
    curves = [tiny.row(tiny.report_of(w, once), "asked")["curve"] for w in worlds]
    thens = [[c["then"] for c in curve[:2]] for curve in curves]
    nows = [[c["now"] for c in curve[:2]] for curve in curves]
    assert thens[0] == thens[1]
    assert nows[0] != nows[1]


def test_steps_whose_labels_still_come_are_marked_and_do_not_count():
    strategies = [tiny.strategy_of(), tiny.strategy_of("never", trigger=Once())]
    final = Outcome(final_after="10d")
    strategies = [replace(s, labels=final) for s in strategies]
    report = tiny.report_of(WORLD, *strategies, season="0s")
    row = tiny.row(report, "asked")
    settled = [c["settled"] for c in row["curve"]]
    assert settled == [True, True, True, False, False]
    known = [(c["now"], c["labelled"]) for c in row["curve"] if c["settled"]]
    mean = sum(v * n for v, n in known) / sum(n for _, n in known)
    assert row["value"] == pytest.approx(mean)
    other = tiny.row(report, "never")
    gap = [a["now"] - b["now"] for a, b in zip(row["curve"], other["curve"], strict=True)][:3]
    weights = [n for _, n in known]
    got = report["comparisons"][0]["this_history"]["value"]
    assert got == pytest.approx(np.average(gap, weights=weights))
    assert any(a["answer"] == "no" and "wait for labels" in a["why"] for a in report["validity"])


def test_what_happened_is_a_row_of_its_own():
    rng = np.random.default_rng(5)
    at = tiny.spread(6, 50, rng)
    x = rng.normal(size=at.size)
    label = (x + 0.2 * rng.normal(size=at.size) > 0).astype(float)
    said = (x > 0).astype(float)
    model = np.where(np.arange(at.size) < 130, "v1", "v2")
    columns = {"output": said, "score": 1 / (1 + np.exp(-x)), "model": pa.array(model)}
    history = tiny.history_of(at, {"f_x": x}, label, said=columns)
    given = tiny.given_of(history, answered=True)
    ours = tiny.Rows(given, [tiny.strategy_of("weekly")], tiny.setting_of())
    report = ours.run()
    yours = tiny.row(report, "yours")
    low = ours.steps.edges[0]
    assert yours["value"] == pytest.approx((said[low:] == label[low:]).mean())
    assert yours["retrains"] == 1
    assert report["comparisons"][0]["against"] == "yours"
    assert [m for _, m in releases_of(history)] == ["v1", "v2"]


def test_halves_are_by_the_stored_draw():
    assert halves(np.array([0.0, 0.49, 0.5, 0.99])).tolist() == [True, True, False, False]


def test_a_strategy_is_told_in_words():
    assert words(tiny.strategy_of()) == "retrain every 7d, on all labels so far"
    once = tiny.strategy_of(trigger=Once(), dataset=Recent("30d"))
    assert words(once) == "retrain once, at the start, on the last 30d"
    assert words(tiny.strategy_of(trigger=Every("1d"))).startswith("retrain every 1d")
