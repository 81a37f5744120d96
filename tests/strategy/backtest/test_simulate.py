"""The mills of a replay turn as a real one does: gates, time that training takes, one at a time."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tidemill import AtLeast, Newest
from tidemill.loop.triggers import At, Every, Manual
from tidemill.measures import Accuracy
from tidemill.strategy.backtest.answers import fronts_of
from tidemill.strategy.backtest.simulate import lived, simulate
from tidemill.strategy.replay import decisions

sys.path.insert(0, str(Path(__file__).parents[2] / "scenarios"))

import backtest_worlds as tiny

TESTED: dict[str, Any] = {
    "holdout": Newest(at_least=20, days=4),
    "offline": [AtLeast(Accuracy(), 0.6)],
}


def turned(weeks: int = 8, flip: int = 4) -> Any:
    """Make a world whose labels are chance from some week on: gates refuse what learns them."""
    rng = np.random.default_rng(0)
    at = tiny.spread(weeks, 120, rng)
    x = rng.normal(size=at.size)
    week = (at - at[0]) // tiny.micro(tiny.WEEK)
    label = np.where(week < flip, x > 0, rng.random(at.size) < 0.5).astype(float)
    return tiny.history_of(at, {"f_x": x}, label, delay=tiny.micro(tiny.DAY))


def second(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(microsecond=0)


def test_a_refused_candidate_leaves_the_old_model_in_front():
    found, fronts = tiny.driven(
        turned(),
        tiny.strategy_of(trigger=Every("7d"), **TESTED),
        look=lambda runs, bench: (lived(runs[0]), fronts_of(runs[0].world)),
    )
    became = [one.became for one in found]
    assert "live" in became
    assert any(state in ("refused", "inconclusive") for state in became[-2:])
    live = [one for one in found if one.live_at is not None]
    assert [model for _, model in fronts] == [one.model for one in live]
    assert all(one.live_at is None for one in found if one.became in ("refused", "inconclusive"))


@pytest.mark.parametrize("hours", [0, 1, 30, 24 * 5])
def test_a_model_meets_users_exactly_as_long_after_its_fit_began_as_training_takes(hours):
    latency = timedelta(hours=hours)
    found = tiny.driven(
        tiny.turning(0, weeks=6, per_week=40),
        tiny.strategy_of(),
        latency=latency,
        look=lambda runs, bench: lived(runs[0]),
    )
    assert len(found) == 4
    for one in found:
        assert second(one.live_at) == second(one.triggered_at + latency)


def test_latency_shifts_who_answers_by_exactly_that_long():
    history = tiny.turning(0, weeks=6, per_week=40)

    def switches(latency: timedelta) -> Any:
        return tiny.driven(
            history,
            tiny.strategy_of(),
            latency=latency,
            look=lambda runs, bench: fronts_of(runs[0].world),
        )

    at_once, later = switches(timedelta(0)), switches(timedelta(hours=30))
    assert [model for _, model in at_once] == [model for _, model in later]
    waits = {second(b) - second(a) for (a, _), (b, _) in zip(at_once, later, strict=True)}
    assert waits == {timedelta(hours=30)}


def test_no_retrain_begins_while_one_is_on_its_way():
    latency = timedelta(days=10)
    found = tiny.driven(
        tiny.turning(0, weeks=10, per_week=30),
        tiny.strategy_of(trigger=Every("7d")),
        latency=latency,
        look=lambda runs, bench: lived(runs[0]),
    )
    assert len(found) > 2
    for before, after in pairwise(found):
        assert before.live_at is not None
        assert after.triggered_at >= before.live_at
        assert after.triggered_at - before.triggered_at >= latency


def test_a_retrain_of_a_moment_written_down_happens_at_it():
    moments = tiny.weekly(tiny.turning(0, weeks=7, per_week=30))
    found = tiny.driven(
        tiny.turning(0, weeks=7, per_week=30),
        tiny.strategy_of(trigger=At([moments[0], moments[3]])),
        look=lambda runs, bench: [second(one.triggered_at) for one in lived(runs[0])],
    )
    assert found == [moments[0], moments[3]]


def test_runs_beside_each_other_decide_as_each_does_alone():
    history = turned()
    asked = [
        tiny.strategy_of("gated", **TESTED),
        tiny.strategy_of("calendar", trigger=Every("14d")),
        tiny.strategy_of("never", trigger=Manual()),
    ]
    together = tiny.driven(
        history, *asked, look=lambda runs, bench: [decisions(r.world) for r in runs]
    )
    for strategy, theirs in zip(asked, together, strict=True):
        alone = tiny.driven(history, strategy, look=lambda runs, bench: decisions(runs[0].world))
        assert alone == theirs
    assert not any(key.startswith("release") for key in together[2])


def test_a_replay_without_moments_does_nothing():
    history = tiny.turning(0, weeks=3, per_week=20)
    with tiny.benched(history, tiny.weekly(history)) as bench:
        run = bench.run("one", tiny.strategy_of())
        simulate([run], [])
        assert run.turns == 0


def test_who_follows_is_told_each_moment_once_all_have_passed_it():
    history = tiny.turning(0, weeks=5, per_week=30)
    seen: list[tuple[datetime, set[datetime]]] = []
    moments = tiny.weekly(history)
    with tiny.benched(history, moments) as bench:
        runs = [bench.run(f"{k}", tiny.strategy_of(trigger=Every(f"{7 * k}d"))) for k in (1, 2)]
        simulate(
            runs, moments[:-1], told=lambda now: seen.append((now, {r.clock.now() for r in runs}))
        )
    assert [now for now, _ in seen] == moments[:-1]
    assert all(clocks == {now} for now, clocks in seen)
