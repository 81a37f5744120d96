"""Seeded training: chance under control, and left as it was found."""

# ruff: noqa: NPY002 - the legacy generator is what is tested here

from __future__ import annotations

import random
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from tidemill.core.errors import BadValue
from tidemill.core.rules import TrainingData
from tidemill.loop.training import Batches, Continued, Estimator, Function, Seeded

rng = np.random.default_rng(0)
FEATURES = pa.table({"x": rng.normal(size=200), "y": rng.normal(size=200)})
DATA = TrainingData(
    features=FEATURES, label=(rng.random(200) < 0.5).astype(float), weight=np.ones(200)
)


def forest(**more):
    return RandomForestClassifier(n_estimators=5, **more)


def said(training, seed):
    return Seeded(training, seed)(DATA, None).predict_proba(DATA.to_pandas())


@pytest.mark.parametrize("state", [None, 3])
def test_equal_seeds_give_equal_forests_and_others_do_not(state):
    training = Estimator(forest(random_state=state))
    np.testing.assert_array_equal(said(training, 1), said(training, 1))
    assert not np.array_equal(said(training, 1), said(training, 2))
    assert training.estimator.random_state == state, "the strategy's own estimator is not touched"


def test_the_forest_is_the_one_with_that_random_state():
    plain = forest(random_state=5).fit(DATA.to_pandas(), DATA.label)
    np.testing.assert_array_equal(
        said(Estimator(forest()), 5), plain.predict_proba(DATA.to_pandas())
    )


def test_every_random_state_of_a_pipeline_is_set():
    steps = make_pipeline(QuantileTransformer(n_quantiles=10), SGDClassifier())
    for training in (Estimator(steps), Continued(steps), Batches(steps)):
        model = Seeded(training, 9)(DATA, None)
        assert [step.random_state for _, step in model.steps] == [9, 9]


def test_batches_are_drawn_with_the_seed_and_the_outer_seed_wins():
    steps = SGDClassifier(random_state=0)
    one, other = (Seeded(Batches(steps, size=20), k)(DATA, None).coef_ for k in (1, 2))
    assert not np.array_equal(one, other)
    nested = Seeded(Seeded(Batches(steps, size=20), 1), 2)(DATA, None).coef_
    np.testing.assert_array_equal(nested, other)


def draw(dataset, _previous):
    value = (random.random(), float(np.random.rand()))
    return lambda frame: [value] * len(frame)


def test_a_function_draws_from_seeded_generators_that_are_put_back():
    before = random.getstate(), np.random.get_state()
    one, again, other = (Seeded(Function(draw), k)(DATA, None)([0])[0] for k in (1, 1, 2))
    assert one == again
    assert {one[0], one[1]}.isdisjoint(other)
    assert random.getstate() == before[0]
    for then, now in zip(before[1], np.random.get_state(), strict=True):
        np.testing.assert_array_equal(then, now)


def fails(dataset, _previous):
    random.random()
    np.random.rand()
    raise RuntimeError("no fit")


def test_generators_are_put_back_when_a_fit_fails():
    before = random.getstate(), np.random.get_state()[1].tolist()
    with pytest.raises(RuntimeError, match="no fit"):
        Seeded(Function(fails), 1)(DATA, None)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


def test_torch_is_seeded_inside_a_fork_of_its_generator_when_it_is_there(monkeypatch):
    done = []

    @contextmanager
    def fork_rng():
        done.append("fork")
        yield
        done.append("back")

    torch = SimpleNamespace(random=SimpleNamespace(fork_rng=fork_rng), manual_seed=done.append)
    monkeypatch.setitem(sys.modules, "torch", torch)
    Seeded(Function(draw), 6)(DATA, None)
    assert done == ["fork", 6, "back"]


def test_what_the_rule_inside_says_passes_through():
    inside = Continued(SGDClassifier(), seconds=5, memory_mb=77)
    assert (Seeded(inside, 1).seconds, Seeded(inside, 1).memory_mb) == (5, 77)
    assert [Seeded(t, 1).continues for t in (inside, Estimator(forest()), Function(draw))] == [
        True,
        False,
        False,
    ]
    first = Seeded(inside, 1)(DATA, None)
    assert Seeded(inside, 2)(DATA, first).continued_times_ == 1


class Own:
    """A trainer that is no rule of ours."""

    seconds, memory_mb = 5, 77

    def __call__(self, dataset, previous):
        return random.random()


def test_a_trainer_of_ones_own_is_seeded_as_far_as_it_goes():
    training = Own()
    assert Seeded(training, 1)(DATA, None) == Seeded(training, 1)(DATA, None)
    assert Seeded(training, 1).continues, "it does not say that it does not look"


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5, True])
def test_a_seed_is_what_numpy_takes(seed):
    with pytest.raises(BadValue, match="seed"):
        Seeded(Function(draw), seed)
