"""Tuning searches the early part only, and recommends what the late part bears out."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tidemill import Recent
from tidemill.adapters.stores.history import History
from tidemill.adapters.stores.memory_state import MemoryState
from tidemill.core.errors import BadInput, BadValue, Damaged, NotFound
from tidemill.loop.datasets import Latest
from tidemill.loop.triggers import Cusum, Once
from tidemill.measures import Accuracy
from tidemill.strategy.backtest.tune import tune
from tidemill.strategy.backtest.tuned_openings import FileOpenings, StateOpenings, confidence
from tidemill.strategy.backtest.tuned_part import known_at
from tidemill.strategy.backtest.tuned_space import applied, checked, triggers, usual_space

sys.path.insert(0, str(Path(__file__).parent))

import tuned_worlds as worlds

PERIODS = {"trigger.period": ["7d", "14d", "21d", "28d", "35d", "42d"]}
WEEK = timedelta(days=7)
Json = dict[str, Any]


def trial_list(found: Json) -> list[tuple[Any, ...]]:
    return [(str(t["tried"]), t["value"], t["retrains"]) for t in found["trials"]]


# What it recommends


@pytest.mark.parametrize("price", [2.0, 8.0])
def test_linear_decay_without_noise_gives_the_cadence_of_brute_force(price):
    given, strategy = worlds.aging_world(0, weeks=18, per_week=50, slope=0.02, price=price)
    found = tune(given, strategy, setting=worlds.setting(), space=PERIODS)
    best = min(range(1, 7), key=lambda p: (worlds.rate(p, lost=1.0, price=price), -p))
    assert found["search"] == "cadence"
    assert found["recommendation"]["strategy"] == "tuned"
    assert found["recommendation"]["words"] == f"trigger=Every('{7 * best}d')"
    assert found["tried"] == len(PERIODS["trigger.period"]) + 1


def test_a_retrain_dearer_than_what_is_lost_is_never_worth_it():
    given, strategy = worlds.aging_world(0, weeks=12, per_week=50, slope=0.02, price=500.0)
    found = tune(given, strategy, setting=worlds.setting(), space=PERIODS)
    assert found["recommendation"]["strategy"] == "never"
    assert "trigger=Once()" in found["recommendation"]["rules"]


def test_linear_decay_with_noise_costs_little_more_than_the_best_cadence():
    # Chance moves a model on a step by 3 times what it loses in a step, and more with age.
    price, per_week = 9.0, 100
    excess = []
    for seed in range(2):
        given, strategy = worlds.aging_world(
            seed, weeks=22, per_week=per_week, slope=0.01, price=price, noise=True
        )
        found = tune(given, strategy, setting=worlds.setting(), space=PERIODS)
        assert found["recommendation"]["strategy"] == "tuned"
        period = int(found["recommendation"]["words"].split("'")[1][:-1]) // 7
        best = min(worlds.rate(p, lost=1.0, price=price) for p in range(1, 7))
        excess.append(worlds.rate(period, lost=1.0, price=price) / best - 1)
    assert np.mean(excess) <= 0.1  # two worlds; benchmarks/tune.py holds the mean to 0.02


def test_where_nothing_drifts_never_is_recommended():
    said = []
    for seed in range(3):
        given, strategy = worlds.still_world(seed, weeks=10)
        space = {"trigger.period": ["7d", "14d"]}
        found = tune(given, strategy, setting=worlds.setting(), space=space)
        said.append(found["recommendation"]["strategy"])
    assert said == ["never"] * 3


# What the search may see


@pytest.fixture(scope="module")
def still():
    return worlds.still_world(5, weeks=10, turn=0.2)


@pytest.fixture(scope="module")
def searched(still):
    given, strategy = still
    terms = worlds.setting()
    return tune(given, strategy, setting=terms, space=_WIDE, search="random", trials=5, seed=3)


_WIDE = {"trigger.period": ["7d", "14d", "21d"], "dataset.n": [40, 80, 120]}


def test_nothing_of_the_late_part_changes_the_search(still, searched):
    given, strategy = still
    late_from = np.datetime64(searched["split"]["late_from"][:-6], "us").astype(np.int64)
    history = given.history
    labels, late = history.tables["labels"], history.label_available >= late_from
    assert late.any()
    when = labels["available_at"].cast(pa.int64()).to_numpy()
    y = labels["label"].to_numpy()
    turned = pa.array(np.where(when >= late_from, 1.0 - y, y))
    labels = labels.set_column(labels.column_names.index("label"), "label", turned)
    records, x = history.tables["records"], history.records["f_x"].to_numpy()
    other = pa.array(np.where(history.at >= late_from, x + 9.0, x))
    records = records.set_column(records.column_names.index("f_x"), "f_x", other)
    changed = replace(given, history=History(records, labels))
    found = tune(
        changed,
        strategy,
        setting=worlds.setting(),
        space=_WIDE,
        search="random",
        trials=5,
        seed=3,
    )
    assert trial_list(found) == trial_list(searched)
    assert found["pbo"] == searched["pbo"]
    assert found["tuned"] == searched["tuned"]
    assert found["late"] != searched["late"]


def test_what_came_after_the_border_is_not_in_the_early_part(still):
    given, _ = still
    border = worlds.START + 5 * WEEK
    early = known_at(given, border)
    cut = int(np.datetime64(border.replace(tzinfo=None), "us").astype(np.int64))
    assert early.history.at.max() < cut
    assert early.history.label_available.max() <= cut
    assert 0 < len(early.history) < len(given.history)


def test_a_label_that_came_late_is_not_known_at_the_border(still):
    given, _ = still
    labels = given.history.tables["labels"]
    late = pa.array(
        labels["available_at"].cast(pa.int64()).to_numpy() + WEEK // timedelta(microseconds=1)
    ).cast(labels.schema.field("available_at").type)
    place = labels.column_names.index("available_at")
    history = History(
        given.history.tables["records"], labels.set_column(place, "available_at", late)
    )
    early = known_at(replace(given, history=history), worlds.START + 5 * WEEK).history
    # Of the last week's labels one comes just at the border.
    assert early.tables["labels"].num_rows == len(early) - 40 + 1
    assert early.tables["records"].num_rows == 5 * 40


# What it says


def test_the_report_is_plain_json_with_every_trial_once(searched):
    assert json.loads(json.dumps(searched, allow_nan=False)) == searched
    assert searched["schema"] == "tidemill.tune/1"
    assert searched["tried"] == len(searched["trials"]) == len(set(trial_list(searched)))
    assert 5 <= searched["tried"] <= 7  # the incumbent and never besides
    costs = [t["value"] for t in searched["trials"]]
    assert costs == sorted(costs)
    assert 0 <= searched["pbo"] <= 1
    assert searched["early"]["tuned"] == costs[0] <= searched["early"]["never"]
    lost = searched["late"]["tuned"] - searched["early"]["tuned"]
    assert searched["optimism"]["lost"] == pytest.approx(lost)
    pairs = [(c["name"], c["against"]) for c in searched["comparisons"]]
    assert pairs == [("tuned", "never"), ("incumbent", "never"), ("tuned", "incumbent")]
    assert searched["openings"]["count"] is None
    assert "cannot be counted" in searched["openings"]["words"]
    assert any("PBO" in line for line in searched["conclusion"])


def test_gains_add_up(searched):
    gain = {(c["name"], c["against"]): c["value"] for c in searched["comparisons"]}
    rest = gain["tuned", "incumbent"] + gain["incumbent", "never"]
    assert gain["tuned", "never"] == pytest.approx(rest)
    late = searched["late"]
    assert gain["tuned", "never"] == pytest.approx(late["never"] - late["tuned"])


def test_without_prices_the_metric_counts_and_ties_retrain_less():
    given, strategy = worlds.aging_world(0, weeks=14, per_week=20, slope=0.0, price=1.0)
    free = replace(strategy, costs=None)
    found = tune(given, free, setting=worlds.setting(), space={"trigger.period": ["7d", "21d"]})
    assert found["unit"] == "accuracy"
    assert found["tuned"]["words"] == "trigger=Once()"
    assert found["recommendation"]["strategy"] == "never"


# Openings


def test_every_further_opening_widens_the_intervals(tmp_path):
    given, strategy = worlds.still_world(1, weeks=10, per_week=20)
    kept = FileOpenings(tmp_path / "cache")
    terms = worlds.setting()
    found = [
        tune(given, strategy, setting=terms, space={"trigger.period": ["7d", days]}, openings=kept)
        for days in ("14d", "21d")
    ]
    assert [f["openings"]["count"] for f in found] == [1, 2]
    assert [f["openings"]["confidence"] for f in found] == [0.95, 0.975]
    first, second = ({c["name"] + c["against"]: c for c in f["comparisons"]} for f in found)
    a, b = first["incumbentnever"], second["incumbentnever"]
    assert a["value"] == pytest.approx(b["value"])
    assert b["low"] < a["low"] < a["high"] < b["high"]
    assert b["limit"] < a["limit"]


@pytest.mark.parametrize("kind", ["file", "state"])
def test_openings_of_another_late_part_do_not_count(tmp_path, kind):
    kept = FileOpenings(tmp_path) if kind == "file" else StateOpenings(MemoryState())
    assert [kept.add({"late": name}) for name in "aba"] == [1, 1, 2]
    other = FileOpenings(tmp_path) if kind == "file" else kept
    assert other.add({"late": "a"}) == 3
    assert [confidence(k) for k in (1, 2, 10)] == [0.95, 0.975, 0.995]
    assert confidence(10**9) < 1


def test_a_damaged_line_of_openings_is_named(tmp_path):
    kept = FileOpenings(tmp_path)
    kept.add({"late": "a"})
    with kept.path.open("a") as file:
        file.write('{"late": \n')
    with pytest.raises(Damaged, match="line 2"):
        kept.add({"late": "a"})


# What may be tried


def test_the_usual_space_follows_the_limits(still):
    _, strategy = still
    strategy = replace(strategy, trigger=Cusum(Accuracy()), dataset=Recent("30d"))
    space = usual_space(strategy, step=WEEK, span=8 * WEEK, rows=10)
    assert space["trigger.threshold"] == [1.25, 2.5, 5.0, 10.0, 20.0]
    assert space["trigger.reference"] == [2, 4, 7]
    assert space["dataset.past"] == ["7d", "14d", "21d", "28d", "30d", "42d", "56d"]


def test_triggers_to_choose_from_have_values_of_their_own(still):
    _, strategy = still
    choices = triggers(["never", "performance", "drift"], Accuracy(), "7d")
    space = usual_space(strategy, step=WEEK, span=8 * WEEK, rows=480, choices=choices)
    assert [type(t).__name__ for t in space["trigger"]] == [
        "Every",
        "Once",
        "Cusum",
        "OutputDrift",
    ]
    assert {"trigger.Every.period", "trigger.Cusum.threshold", "dataset.n"} <= set(space)
    tried = {name: values[0] for name, values in space.items()} | {"trigger": Cusum(Accuracy())}
    made = applied(strategy, tried)
    assert made.trigger == Cusum(Accuracy(), reference=2, slack=0.125, threshold=1.25)
    assert isinstance(applied(strategy, tried | {"trigger": Once()}).trigger, Once)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({}, "without values"),
        ({"trigger.period": []}, "without values"),
        ({"trigger.perod": ["7d"]}, "trigger.perod is no field"),
        ({"trigger.period": ["soon"]}, "trigger.period: Every"),
        ({"dataset.n": [0]}, "dataset.n: Latest"),
    ],
)
def test_a_space_that_cannot_be_meant_is_refused_at_once(still, space, words):
    _, strategy = still
    with pytest.raises(BadValue, match=words):
        checked(space, strategy)


def test_what_cannot_be_meant_is_refused(still):
    given, strategy = still
    terms = worlds.setting()
    with pytest.raises(NotFound, match="unknown search 'optun'"):
        tune(given, strategy, setting=terms, search="optun")
    with pytest.raises(NotFound, match="unknown trigger"):
        triggers(["perfomance"], Accuracy(), "7d")
    with pytest.raises(BadInput, match="late part 0"):
        tune(given, strategy, setting=terms, late_from=worlds.START + 99 * WEEK)
    with pytest.raises(BadInput, match="9 combinations, more than 4"):
        tune(given, strategy, setting=terms, space=_WIDE, search="grid", trials=4)


class Told:
    """A searcher that asks for a list, and remembers what it was told."""

    def __init__(self, wanted: list[Json]) -> None:
        self.wanted, self.told = list(wanted), list[tuple[Json, float]]()

    def ask(self) -> Json | None:
        return self.wanted.pop(0) if self.wanted else None

    def tell(self, tried: Json, value: float) -> None:
        self.told.append((dict(tried), value))


def test_a_searcher_of_ones_own_is_told_each_value(still):
    given, strategy = still
    twice = {"trigger.period": "14d"}
    own = Told([twice, {"dataset.n": 0}, twice, {"dataset": Latest(40)}])
    found = tune(
        given, strategy, setting=worlds.setting(), space={"trigger.period": ["14d"]},
        search=lambda _space: own,
    )  # fmt: skip
    assert found["search"] == "own"
    assert [t for t, _ in own.told] == [twice, {"dataset.n": 0}, twice, {"dataset": Latest(40)}]
    assert own.told[0][1] == own.told[2][1] < 0
    assert np.isnan(own.told[1][1])
    assert found["tried"] == 4  # the incumbent, never, and two others
