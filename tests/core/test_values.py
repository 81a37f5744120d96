"""Durations, clocks, limits, errors, machines, failpoints: the small values all else stands on."""

from __future__ import annotations

import pickle
import subprocess
import sys
import timeit
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.core.clock import ReplayedClock, SystemClock, instant
from tidemill.core.durations import duration, words
from tidemill.core.errors import BadValue, NotAllowed, NotFound, TidemillError, unknown
from tidemill.core.failpoints import failpoint
from tidemill.core.limits import Between, Call, Has, OneOf, Span, Text, Texts, Whole
from tidemill.core.machines import OPEN, PENDING, RELEASE, STEPS, check_step
from tidemill.core.rule import limits, rule
from tidemill.core.verdict import Verdict, at_look, worst

LIMITS = [
    Between(),
    Between(0, 1),
    Between(0, open_low=True),
    Whole(1),
    Span(),
    Span(zero=True),
    OneOf(("a", "b")),
    Text(),
    Texts("a list of texts"),
    Has("fit", "an estimator"),
    Call(),
]


@given(st.integers(0, 10**9))
def test_a_duration_reads_back(seconds: int) -> None:
    span = timedelta(seconds=seconds)
    assert duration(words(span)) == span


@pytest.mark.parametrize(
    ("text", "hours"), [("1w", 168), ("7d", 168), ("36h", 36), ("1d12h", 36), (" 90m ", 1.5)]
)
def test_durations_as_people_write_them(text: str, hours: float) -> None:
    assert duration(text) == timedelta(hours=hours)


@pytest.mark.parametrize(
    "text",
    ["", "7", "d", "-1d", "1.5h", "7 d", "7D", "1y", None, 7, "9" * 30 + "w", "9" * 5000 + "d"],
)
def test_what_is_no_duration_says_how_to_write_one(text: str) -> None:
    with pytest.raises(BadValue, match="Fix:"):
        duration(text)


def test_a_moment_needs_its_zone() -> None:
    assert instant("2013-01-07") == datetime(2013, 1, 7, tzinfo=UTC)
    assert instant("2013-01-07T06:00:00+09:00") == datetime(2013, 1, 6, 21, tzinfo=UTC)
    assert instant("2013-01-07T06:00:00+09:00").tzinfo is UTC
    for text in ("2013-01-07T06:00", "soon", "", datetime(2013, 1, 7)):  # noqa: DTZ001
        with pytest.raises(BadValue, match=r"Fix: write it like 2013-01-07"):
            instant(text)


def test_a_replayed_clock_stands_still_and_never_goes_back() -> None:
    clock = ReplayedClock(instant("2013-01-07"))
    assert clock.now() == clock.now()
    clock.move_to(instant("2013-01-07"))
    with pytest.raises(NotAllowed, match="cannot go back"):
        clock.move_to(instant("2013-01-06"))
    assert clock.now() == instant("2013-01-07")


def test_the_system_clock_tells_utc() -> None:
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert abs(now - datetime.now(timezone(timedelta(hours=5)))) < timedelta(minutes=1)


@pytest.mark.parametrize("limit", LIMITS, ids=repr)
def test_a_limit_refuses_what_it_calls_bad(limit: object) -> None:
    bad = list(limit.bad())
    assert bad
    for value in bad:
        assert limit.broken(value), f"{value!r} passes"


@pytest.mark.parametrize(
    ("limit", "good"),
    [
        (Between(0, 1), [0, 1, 0.5]),
        (Between(0, open_low=True), [1e-300, 10**400]),
        (Whole(1), [1, 10**400]),
        (Span(), ["1s", "7d", "36500d"]),
        (Span(zero=True), ["0s", "0d"]),
        (OneOf(("a", "b")), ["a", "b"]),
        (Text(), ["x", "ü"]),
        (Texts("texts"), [["a"], ("a", "b")]),
        (Has("append", "a list"), [[]]),
        (Call(), [len, lambda: 0]),
    ],
    ids=lambda v: repr(v)[:30],
)
def test_a_limit_lets_through_what_it_should(limit: object, good: list[object]) -> None:
    assert [v for v in good if limit.broken(v)] == []


def test_a_limit_beside_another_type_counts() -> None:
    @rule
    class Maybe:
        """At most ``n``, if any."""

        n: Annotated[int, Whole(1)] | None = None

    assert [name for name, _ in limits(Maybe)] == ["n"]


def test_a_rule_made_in_a_function_knows_its_limits() -> None:
    from tidemill.core.limits import Whole as Local

    @rule
    class Few:
        """At most ``n``."""

        n: Annotated[int, Local(1)]

    assert Few(1).n == 1
    with pytest.raises(BadValue, match=r"Few\(n=0\).*Fix: pass n as a whole number, at least 1"):
        Few(0)


def test_errors_travel_and_suggest() -> None:
    error = pickle.loads(pickle.dumps(unknown("metric", "acuracy", ["accuracy", "auc"])))
    assert isinstance(error, NotFound)
    assert "did you mean 'accuracy'?" in str(error)
    assert "none yet" in str(unknown("metric", "x", []))
    assert issubclass(BadValue, ValueError)
    assert error.fix == "did you mean 'accuracy'? Known: accuracy, auc."


def test_machines_only_go_where_their_table_says() -> None:
    states = {RELEASE: set(STEPS[RELEASE]) | {t for ts in STEPS[RELEASE].values() for t in ts}}
    for source in states[RELEASE]:
        for target in states[RELEASE] - {None}:
            legal = target in STEPS[RELEASE].get(source, ())
            if legal:
                check_step(RELEASE, source, target)
            else:
                with pytest.raises(NotAllowed, match="Fix: allowed next:"):
                    check_step(RELEASE, source, target)
    with pytest.raises(TidemillError, match="unknown machine"):
        check_step("realease", None, "triggered")


def test_every_state_can_be_reached_and_what_is_pending_can_end() -> None:
    for steps in STEPS.values():
        reached, edge = {None}, [None]
        while edge:
            new = [t for t in steps.get(edge.pop(), ()) if t not in reached]
            reached |= set(new)
            edge += new
        assert set(steps) <= reached
    assert set(OPEN) <= set(PENDING) <= set(STEPS[RELEASE])
    assert all(STEPS[RELEASE][state] for state in PENDING)


def test_verdicts_join_to_the_worst() -> None:
    assert worst([Verdict.OK, Verdict.WARN]) == Verdict.WARN
    assert worst([Verdict.NO_VERDICT, Verdict.WARN]) == Verdict.NO_VERDICT
    assert worst(list(Verdict)) == Verdict.ALERT
    assert worst([Verdict.OK]) == Verdict.OK
    assert worst([]) == Verdict.NO_VERDICT


def test_all_looks_together_err_at_most_twice() -> None:
    assert sum(1 - at_look(0.95, k) for k in range(1, 60)) <= 2 * 0.05 + 1e-12


def test_a_failpoint_costs_nothing_when_it_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIDEMILL_FAILPOINT", raising=False)
    monkeypatch.delenv("TIDEMILL_FAILPOINT_LOG", raising=False)
    best = min(timeit.repeat(lambda: failpoint("x"), number=1000, repeat=5)) / 1000
    assert best < 50e-6  # seconds; some hundred are passed in a turn


def test_a_failpoint_kills_at_its_turn() -> None:
    code = (
        "from tidemill.core.failpoints import failpoint\n"
        "for k in range(3):\n    print(k, flush=True)\n    failpoint('here')\n    failpoint('there')"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"TIDEMILL_FAILPOINT": "here@2", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert (run.returncode, run.stdout.split()) == (-9, ["0", "1"])
