"""A fingerprint changes with what a strategy does, and with nothing else."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tidemill.core.fingerprint import canonical, fingerprint
from tidemill.core.rule import rule
from tidemill.loop.training import Estimator, Function
from tidemill.loop.training.function import always_the_mean
from tidemill.loop.triggers import Every
from tidemill.strategy.loading import load
from tidemill.strategy.strategy import Strategy

FILE = '''
"""A strategy."""
from functools import partial

from sklearn.linear_model import LogisticRegression

import tidemill as tm
from tidemill.core.rule import rule
from tidemill.core.verdict import Decision

DEPTH = 3


def neighbour(x):
    """Help."""
    return x + DEPTH


def fit(dataset, previous, depth=1):
    """Train."""
    return neighbour(depth)


def make(depth):
    def inner(dataset, previous):
        return depth

    return inner


class Learner:
    def __init__(self, depth):
        self.depth = depth

    def __call__(self, dataset, previous):
        return self.depth

    def learn(self, dataset, previous):
        return self.depth


@rule
class Sometimes:
    """Fire sometimes."""

    def __call__(self, facts):
        return Decision(fire=True, why="so")


strategy = tm.Strategy(training=TRAINING, name="one")
'''


@pytest.fixture
def hash_of(tmp_path: Path) -> Iterator[Any]:
    path = tmp_path / "strategy.py"

    def hashed(training: str, *changes: tuple[str, str]) -> str:
        text = FILE.replace("TRAINING", training)
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
        return load(path).hash

    return hashed


TRAININGS = {
    "fit": "fit",
    "lambda": "lambda d, p: fit(d, p)",
    "partial": "partial(fit, depth=2)",
    "closure": "make(2)",
    "object": "Learner(2)",
    "method": "Learner(2).learn",
    "estimator": "LogisticRegression(C=2), trigger=Sometimes()",
}


@pytest.mark.parametrize("training", TRAININGS.values(), ids=TRAININGS)
def test_what_people_write_for_people_does_not_count(hash_of: Any, training: str) -> None:
    before = hash_of(training)
    assert hash_of(training) == before
    for change in (
        ("DEPTH = 3", "DEPTH = 3  # levels\n\n"),
        ('"""Help."""', '"""Help, as well as one can."""'),
        ('"""A strategy."""', ""),
        ('name="one"', 'name="two", comment="better"'),
        ("strategy = tm", "strategy: tm.Strategy = tm"),
    ):
        assert hash_of(training, change) == before, change


@pytest.mark.parametrize("training", TRAININGS.values(), ids=TRAININGS)
def test_what_the_file_does_counts(hash_of: Any, training: str) -> None:
    before = hash_of(training)
    for change in (
        ("return x + DEPTH", "return x - DEPTH"),
        ("DEPTH = 3", "DEPTH = 4"),
        ('name="one"', 'name="one", signing="approve"'),
        ('Decision(fire=True, why="so")', 'Decision(fire=False, why="so")'),
    ):
        assert hash_of(training, change) != before, change


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("lambda d, p: fit(d, p)", "lambda d, p: fit(d, p, 9)"),
        ("partial(fit, depth=2)", "partial(fit, depth=9)"),
        ("make(2)", "make(9)"),
        ("Learner(2)", "Learner(9)"),
        ("Learner(2).learn", "Learner(9).learn"),
        ("LogisticRegression(C=2)", "LogisticRegression(C=9)"),
        ("fit, dataset=tm.Recent('30d')", "fit, dataset=tm.Recent('31d')"),
    ],
)
def test_what_stands_in_the_strategy_itself_counts(hash_of: Any, old: str, new: str) -> None:
    assert hash_of(old) != hash_of(new)
    assert hash_of(old) == hash_of(old)


def test_cosmetic_fields_do_not_count() -> None:
    one = Strategy(training=always_the_mean, name="a", comment="x")
    other = Strategy(training=always_the_mean, name="b", comment="y")
    assert one.hash == other.hash
    assert one.hash != Strategy(training=always_the_mean, trigger=Every("7d")).hash


def test_order_counts_where_it_matters() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({"b", "a"}) == fingerprint({"a", "b"})
    assert fingerprint([1, 2]) != fingerprint([2, 1])
    assert fingerprint("1") != fingerprint(1)
    assert fingerprint(float("nan")) == fingerprint(float("nan")) != fingerprint(float("inf"))


def test_whatever_an_estimator_holds_can_be_hashed() -> None:
    class Holder:
        def __init__(self) -> None:
            self.me = self

    class Slotted:
        __slots__ = ()

    values = [
        np.int64(3),
        np.float32(0.5),
        np.arange(3),
        b"x",
        Path("x"),
        re.compile("x"),
        range(3),
    ]
    values += [
        Holder(),
        Slotted(),
        functools.partial(len),
        len,
        np.mean,
        str.upper,
        type,
        np.bool_(1),
    ]
    for value in values:
        assert fingerprint(value) == fingerprint(value), value
    assert fingerprint(np.arange(3)) != fingerprint(np.arange(4))
    assert fingerprint(np.int64(3)) == fingerprint(3)
    assert " at 0x" not in canonical([Slotted(), lambda: 0])


def test_two_objects_of_one_class_differ_by_what_they_hold() -> None:
    class Learner:
        def __init__(self, depth: int) -> None:
            self.depth = depth

        def __call__(self, dataset: object, previous: object) -> int:
            return self.depth

    one, other = (fingerprint(Function(Learner(k))) for k in (1, 2))
    assert one != other
    one, other = (fingerprint(Function(functools.partial(print, k))) for k in (1, 2))
    assert one != other


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    # Written down: a release of tidemill that changes it re-tests everybody's strategies.
    assert fingerprint(Every("7d")) == "b8cbe2970415f84b"
    assert canonical(Every("7d")) == '{"period":"7d","rule":"tidemill.loop.triggers.every.Every"}'


def test_an_estimator_counts_by_name_and_parameters() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def hashed(c: float) -> str:
        return fingerprint(Estimator(make_pipeline(StandardScaler(), LogisticRegression(C=c))))

    assert hashed(1.0) == hashed(1.0) != hashed(2.0)


def test_a_rule_of_ones_own_counts_by_its_name_and_fields() -> None:
    @rule
    class Own:
        """Mine, ``n`` times."""

        n: int

    assert fingerprint(Own(1)) != fingerprint(Own(2))
