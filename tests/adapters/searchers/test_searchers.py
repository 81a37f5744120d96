"""Searchers propose values of the space, the same for the same seed, and learn from what they are told."""

from __future__ import annotations

import importlib.util
import logging
import math
import sys

import pytest

from tidemill.adapters.searchers import OptunaSearch, RandomSearch
from tidemill.core.errors import BadValue, MissingExtra

SPACE = {
    "trigger.period": ["7d", "14d", "28d", "56d", "112d"],
    "trigger.threshold": [1.0, 2.0, 4.0, 8.0, 16.0],
    "dataset": ["all", "recent", "latest"],
}
OPTUNA = pytest.param(
    OptunaSearch,
    marks=pytest.mark.skipif(
        importlib.util.find_spec("optuna") is None, reason="optuna is not installed"
    ),
)
BOTH = [RandomSearch, OPTUNA]


def worth(tried):
    """The best is 28d, 8.0, recent."""
    period = abs(SPACE["trigger.period"].index(tried["trigger.period"]) - 2)
    threshold = abs(SPACE["trigger.threshold"].index(tried["trigger.threshold"]) - 3)
    return -period - threshold - (tried["dataset"] != "recent")


def asked(search, n):
    found = []
    for _ in range(n):
        tried = search.ask()
        found.append(tried)
        search.tell(tried, worth(tried))
    return found


@pytest.mark.parametrize("kind", BOTH)
def test_what_is_asked_for_is_in_the_space(kind):
    for tried in asked(kind(SPACE, seed=1), 20):
        assert list(tried) == list(SPACE)
        assert all(tried[name] in values for name, values in SPACE.items())


@pytest.mark.parametrize("kind", BOTH)
def test_the_same_seed_asks_the_same_and_another_does_not(kind):
    first, again, other = (asked(kind(SPACE, seed=seed), 20) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("kind", BOTH)
def test_several_may_be_asked_for_before_any_is_told(kind):
    search = kind(SPACE, seed=0)
    batch = [search.ask() for _ in range(8)]
    for tried in reversed(batch):
        search.tell(tried, worth(tried))
    assert search.ask() is not None


@pytest.mark.parametrize("kind", BOTH)
def test_a_value_that_is_not_known_may_be_told(kind):
    search = kind(SPACE, seed=0)
    for k in range(15):
        search.tell(search.ask(), math.nan if k % 2 else float(k))


def test_random_search_asks_for_everything_once():
    search = RandomSearch(SPACE, seed=0)
    found = [tuple(search.ask().values()) for _ in range(75)]
    assert len(set(found)) == 75
    assert search.ask() is None


def test_a_space_too_large_to_list_is_searched_without_asking_twice():
    space = {f"v{k}": list(range(10)) for k in range(8)}
    search = RandomSearch(space, seed=0)
    found = {tuple(search.ask().values()) for _ in range(500)}
    assert len(found) == 500


def test_a_space_without_values_is_refused():
    with pytest.raises(BadValue, match="'x' has no value"):
        RandomSearch({"x": []})


def test_without_optuna_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtra, match=r"tidemill\[tune\]"):
        OptunaSearch(SPACE)


def test_optuna_finds_better_ones_than_chance():
    pytest.importorskip("optuna")
    late = [
        sum(worth(t) for t in asked(kind(SPACE, seed=seed), 40)[20:])
        for kind in (OptunaSearch, RandomSearch)
        for seed in range(3)
    ]
    assert sum(late[:3]) > sum(late[3:]) + 20


def test_optuna_is_silent_and_its_logging_stays_as_it_was(capfd):
    optuna = pytest.importorskip("optuna")
    before, root = optuna.logging.get_verbosity(), logging.getLogger().level
    asked(OptunaSearch(SPACE, seed=0), 12)
    assert (optuna.logging.get_verbosity(), logging.getLogger().level) == (before, root)
    assert capfd.readouterr() == ("", "")


def test_optuna_refuses_what_it_did_not_ask_for():
    pytest.importorskip("optuna")
    with pytest.raises(BadValue, match="was not asked for"):
        OptunaSearch(SPACE).tell({"trigger.period": "7d"}, 1.0)
