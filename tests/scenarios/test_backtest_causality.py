"""No decision of a replay depends on what was not known yet."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tidemill import Newest, NoWorseThan, Uniform
from tidemill.loop.triggers import Cusum, Every, OutputDrift
from tidemill.measures import AUC, Accuracy
from tidemill.strategy.replay import decisions

sys.path.insert(0, str(Path(__file__).parent))

import backtest_worlds as tiny

HOUR = 3_600_000_000
GATE: dict[str, Any] = {
    "holdout": Newest(at_least=20, days=4),
    "offline": [NoWorseThan("champion", AUC(), margin=0.1)],
}
ASKED = [
    tiny.strategy_of("calendar", trigger=Every("14d"), curation=Uniform(40, per="7d")),
    tiny.strategy_of("performance", trigger=Cusum(Accuracy(), reference=4, threshold=2.0)),
    tiny.strategy_of("drift", trigger=OutputDrift(reference=3, patience=1)),
    tiny.strategy_of("gated", trigger=Every("7d"), curation=Uniform(45, per="7d"), **GATE),
]
MOMENTS = [tiny.START + k * tiny.WEEK for k in range(2, 11)]
CUT = tiny.START + 7 * tiny.WEEK


class World:
    """What a history is made of, to be made again with another future."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.at = tiny.spread(10, 50, rng)
        n = self.at.size
        x, w = rng.normal(size=(2, n))
        week = (self.at - self.at[0]) / tiny.micro(tiny.WEEK)
        turn = np.where(week < 4, 0.0, 1.5)
        drift = np.where(week < 4, 0.0, 0.6)
        truth = x * np.cos(turn) + w * np.sin(turn) + drift + 0.4 * rng.normal(size=n)
        self.x, self.w, self.label = x + drift, w, (truth > 0).astype(float)
        self.delay = rng.integers(1, 20 * 24, n) * HOUR
        self.arrives = rng.integers(0, 24, n) * HOUR

    def made(self, **changes: Any) -> Any:
        parts = vars(self) | changes
        return tiny.history_of(
            parts["at"],
            {"f_x": parts["x"], "f_w": parts["w"]},
            parts["label"],
            delay=parts["delay"],
            arrives=parts["arrives"],
            order=changes.get("order"),
        )

    @property
    def unseen(self) -> Any:
        """Which records have not arrived by the cut; and which labels."""
        cut = int(CUT.timestamp() * 1e6)
        late = self.at + self.arrives > cut
        return late, np.maximum(self.at + self.delay, self.at + self.arrives) > cut


def journals(history: Any) -> Any:
    """Return what each strategy decided up to the cut, and in all."""
    return tiny.driven(
        history,
        *ASKED,
        at=MOMENTS,
        latency=timedelta(hours=5),
        look=lambda runs, bench: [
            [decisions(r.world, until=until) for r in runs] for until in (CUT, None)
        ],
    )


WORLD = World(1)


@pytest.fixture(scope="module")
def decided() -> Any:
    return journals(WORLD.made())


def test_the_strategies_decide_something_before_and_after(decided):
    for before, after in zip(*decided, strict=True):
        assert sum(k.startswith("release") for k in before) > 1
        assert before != after


def other_values(world: World, rng: Any) -> Any:
    late, unlabelled = world.unseen
    x = np.where(late, rng.normal(size=late.size) - 3.0, world.x)
    label = np.where(unlabelled, 1 - world.label, world.label)
    return world.made(x=x, label=label)


def no_future(world: World, rng: Any) -> Any:
    _, unlabelled = world.unseen
    return world.made(label=np.where(unlabelled, np.nan, world.label))


def later(world: World, rng: Any) -> Any:
    late, unlabelled = world.unseen
    arrives = world.arrives + np.where(late, rng.integers(0, 200, late.size) * HOUR, 0)
    delay = world.delay + np.where(unlabelled, rng.integers(0, 400, late.size) * HOUR, 0)
    return world.made(arrives=arrives, delay=delay)


def permuted(world: World, rng: Any) -> Any:
    late, unlabelled = world.unseen
    hidden = np.flatnonzero(late & unlabelled)
    order = np.arange(late.size)
    order[hidden] = rng.permutation(hidden)
    return world.made(x=world.x[order], w=world.w[order], label=world.label[order])


FUTURES = [other_values, no_future, later, permuted]


@pytest.mark.parametrize("future", FUTURES)
def test_another_future_changes_no_decision_of_the_past(future, decided):
    past, whole = journals(future(WORLD, np.random.default_rng(5)))
    assert past == decided[0]
    assert whole != decided[1]


def test_the_order_of_the_rows_handed_over_changes_nothing(decided):
    order = np.random.default_rng(6).permutation(WORLD.at.size)
    assert journals(WORLD.made(order=order)) == decided


# A feature that is the label itself, written down later.


def canary(late: int | None) -> Any:
    rng = np.random.default_rng(9)
    at = tiny.spread(8, 150, rng)
    label = (rng.random(at.size) < 0.5).astype(float)
    columns: dict[str, Any] = {"f_leak": label, "f_x": rng.normal(size=at.size)}
    if late is not None:
        columns["k_leak"] = tiny.moments(at + late)
    return tiny.history_of(at, columns, label, delay=48 * HOUR)


def test_a_feature_that_knows_the_label_gives_chance_when_it_is_known_late():
    strategies = [tiny.strategy_of("weekly"), tiny.strategy_of("monthly", trigger=Every("28d"))]
    late = tiny.report_of(canary(HOUR), *strategies)
    for told in late["strategies"]:
        assert abs(told["value"] - 0.5) < 4 * 0.5 / np.sqrt(6 * 150)
    at_once = tiny.report_of(canary(None), *strategies)
    assert all(told["value"] > 1 - 1e-9 for told in at_once["strategies"])
