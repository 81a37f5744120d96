"""Who answered which records, and that nobody is asked twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from tidemill.core.ports import JobResult
from tidemill.strategy.backtest.answers import Answers, Segment, Steps, nothing, segments

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def steps_of(count: int = 3, each: int = 4) -> Steps:
    """Three steps of four hours, a record each hour, and four records before them."""
    at = [START + k * HOUR for k in range(-each, count * each)]
    micro = np.array([int(a.timestamp() * 1e6) for a in at])
    return Steps([START + k * each * HOUR for k in range(count + 1)], micro)


class Asked:
    """Models that answer their own name's number, and are counted."""

    def __init__(self, steps: Steps, *, bad: str = "") -> None:
        self.steps, self.bad, self.calls = steps, bad, list[tuple[str, int]]()

    def __call__(self, model: str, step: int) -> JobResult:
        self.calls.append((model, step))
        if model == self.bad:
            return JobResult(ok=False, why="ValueError: no")
        low, high = self.steps.rows(step)
        value = pa.array(np.full(high - low, float(model)))
        table = nothing(high - low).set_column(0, "output", value).set_column(2, "score", value)
        return JobResult(ok=True, tables={"candidate": table})


def output(answers: Answers, by: Any) -> list[float | None]:
    return answers.on(by)["output"].to_pylist()


def test_a_record_of_the_border_belongs_to_the_step_that_begins():
    steps = steps_of()
    assert [steps.rows(k) for k in range(3)] == [(4, 8), (8, 12), (12, 16)]
    assert [steps.of(place) for place in (0, 3, 4, 7, 8, 15)] == [-1, -1, 0, 0, 1, 2]
    assert steps.first_after(START) == 4
    assert steps.first_after(START + timedelta(microseconds=1)) == 5


def test_segments_follow_the_fronts_and_begin_with_nobody():
    steps = steps_of()
    fronts = [(START + 2 * HOUR, "1"), (START + 5 * HOUR, "2"), (START + 5 * HOUR, "3")]
    assert segments(fronts, steps, 4, 12) == (
        Segment(4, 6, None),
        Segment(6, 9, "1"),
        Segment(9, 12, "3"),
    )
    assert segments(fronts, steps, 10, 12) == (Segment(10, 12, "3"),)
    assert segments([], steps, 4, 6) == (Segment(4, 6, None),)
    assert segments(fronts, steps, 6, 6) == ()


def test_a_front_taken_away_answers_nothing_from_then_on():
    steps = steps_of()
    fronts = [(START, "1"), (START + 3 * HOUR, None)]
    assert segments(fronts, steps, 4, 12) == (Segment(4, 7, "1"), Segment(7, 12, None))


def test_answers_are_put_together_across_steps_and_models():
    steps = steps_of()
    answers = Answers(Asked(steps), steps, given={})
    by = [Segment(6, 9, "1"), Segment(9, 10, None), Segment(10, 14, "2")]
    assert output(answers, by) == [1.0, 1.0, 1.0, None, 2.0, 2.0, 2.0, 2.0]
    assert output(answers, []) == []


def test_a_model_is_asked_once_about_a_step():
    steps = steps_of()
    asked = Asked(steps)
    answers = Answers(asked, steps, given={})
    for _ in range(3):
        answers.on([Segment(4, 12, "1")])
        answers.of("1", 0)
    assert asked.calls == [("1", 0), ("1", 1)]
    assert answers.has("1", 1)
    assert not answers.has("1", 2)


def test_a_model_that_cannot_answer_is_noted_and_says_nothing():
    steps = steps_of()
    answers = Answers(Asked(steps, bad="7"), steps, given={})
    assert output(answers, [Segment(4, 8, "7")]) == [None] * 4
    assert answers.failed == {"7": "ValueError: no"}


def test_answers_that_are_there_already_are_not_asked_for():
    steps = steps_of()
    asked = Asked(steps)
    logged = nothing(16).set_column(0, "output", pa.array(np.arange(16.0)))
    answers = Answers(asked, steps, given={"yours": logged})
    assert output(answers, [Segment(6, 10, "yours")]) == [6.0, 7.0, 8.0, 9.0]
    assert answers.has("yours", 2)
    assert not asked.calls


def test_records_before_the_first_step_were_answered_by_nobody():
    steps = steps_of()
    answers = Answers(Asked(steps), steps, given={})
    assert output(answers, [Segment(2, 6, "1")]) == [None, None, 1.0, 1.0]
