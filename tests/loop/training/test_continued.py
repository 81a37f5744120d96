"""Stateful training: the champion continued by partial_fit, from scratch now and then."""

from __future__ import annotations

import pickle

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression, SGDClassifier, SGDRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tidemill.core.errors import BadInput, BadValue
from tidemill.core.rules import TrainingData
from tidemill.loop.training import Command, Continued, Estimator, Function
from tidemill.loop.training.estimator import Majority
from tidemill.loop.training.function import always_the_mean


def dataset(seed, n=60, *, names=("x", "y"), classes=2, weight=None, text=False):
    rng = np.random.default_rng(seed)
    features = pa.table({name: rng.normal(size=n) for name in names})
    label = rng.integers(0, classes, n).astype(float)
    if text:
        label = np.array([f"class {k:g}" for k in label], dtype=object)
    return TrainingData(
        features=features, label=label, weight=np.ones(n) if weight is None else weight
    )


def sgd(**more):
    return SGDClassifier(random_state=0, **more)


def same(one, other):
    np.testing.assert_array_equal(one.coef_, other.coef_)
    np.testing.assert_array_equal(one.intercept_, other.intercept_)
    return True


def test_it_is_plain_partial_fit_by_hand():
    sets, training, model, hand = [dataset(k) for k in range(4)], Continued(sgd()), None, sgd()
    for k, one in enumerate(sets):
        model = training(one, model)
        hand.partial_fit(one.to_pandas(), one.label, classes=[0.0, 1.0])
        assert same(model, hand)
        assert model.continued_times_ == k
        model = pickle.loads(pickle.dumps(model))


def test_weights_are_scaled_to_a_mean_of_one():
    weight = np.random.default_rng(5).uniform(10, 200, 60)
    hand = sgd()
    hand.partial_fit(dataset(1).to_pandas(), dataset(1).label, [0.0, 1.0], weight / weight.mean())
    assert same(Continued(sgd())(dataset(1, weight=weight), None), hand)
    plain = Continued(sgd())(dataset(1), None)
    assert same(Continued(sgd())(dataset(1, weight=np.full(60, 9.0)), None), plain)
    assert not np.array_equal(plain.coef_, hand.coef_)


def test_a_pipeline_keeps_its_transformers_and_continues_its_last_step():
    estimator = make_pipeline(StandardScaler(), "passthrough", sgd())
    training = Continued(estimator)
    first, second = dataset(1), dataset(2)
    model = training(second, training(first, None))
    scaler, hand = StandardScaler().fit(first.to_pandas()), sgd()
    for one in (first, second):
        hand.partial_fit(scaler.transform(one.to_pandas()), one.label, classes=[0.0, 1.0])
    assert same(model[-1], hand)
    np.testing.assert_array_equal(model[0].mean_, scaler.mean_)
    assert model.predict(second.to_pandas()).shape == (60,)
    assert not hasattr(estimator[-1], "coef_"), "the strategy's own estimator stays unfitted"


def test_the_previous_model_is_left_as_it_was():
    training = Continued(sgd())
    first = training(dataset(1), None)
    before = first.coef_.copy()
    training(dataset(2), first)
    np.testing.assert_array_equal(first.coef_, before)
    assert first.continued_times_ == 0


def test_it_starts_from_scratch_after_so_many_times():
    training, model, times = Continued(sgd(), reset_after=2), None, []
    for k in range(7):
        model = training(dataset(k), model)
        times.append(model.continued_times_)
    assert times == [0, 1, 2, 0, 1, 2, 0]
    assert same(model, Continued(sgd())(dataset(6), None))


@pytest.mark.parametrize(
    "previous",
    [
        None,
        lambda frame: np.zeros(len(frame)),
        sgd(alpha=0.1).fit(dataset(1).to_pandas(), dataset(1).label),
        SGDRegressor().fit(dataset(1).to_pandas(), dataset(1).label),
        make_pipeline(sgd()).fit(dataset(1).to_pandas(), dataset(1).label),
        sgd().fit(dataset(1, names=("x", "z")).to_pandas(), dataset(1).label),
        sgd().fit(dataset(1, n=3).to_pandas(), np.array([0.0, 2.0, 2.0])),
    ],
    ids=["none", "function", "parameters", "class", "pipeline", "features", "classes"],
)
def test_what_cannot_be_continued_is_not(previous):
    model = Continued(sgd())(dataset(2), previous)
    assert model.continued_times_ == 0
    assert same(model, Continued(sgd())(dataset(2), None))


def test_a_champion_that_was_fitted_otherwise_is_continued_whatever_its_seed():
    champion = SGDClassifier(random_state=7).fit(dataset(1).to_pandas(), dataset(1).label)
    assert Continued(sgd())(dataset(2), champion).continued_times_ == 1


def test_classes_may_be_told_beforehand():
    training = Continued(sgd(), classes=[0, 1, 2])
    model = training(dataset(1, classes=2), None)
    assert model.classes_.tolist() == [0, 1, 2]
    assert training(dataset(2, classes=3), model).continued_times_ == 1
    with pytest.raises(BadInput, match=r"label 3\.0 is none of the classes"):
        training(dataset(3, classes=9), model)
    texts = Continued(sgd(), classes=["class 0", "class 1", "class 2"])
    model = texts(dataset(2, text=True), texts(dataset(1, text=True), None))
    assert (model.continued_times_, len(model.classes_)) == (1, 3)
    for wrong in ((), "abc", 3):
        with pytest.raises(BadValue, match="classes must be a list"):
            Continued(sgd(), classes=wrong)


def test_a_regressor_takes_no_classes():
    training = Continued(SGDRegressor(random_state=0))
    model = training(dataset(2), training(dataset(1), None))
    assert model.continued_times_ == 1


@pytest.mark.parametrize(
    "estimator", [LogisticRegression(), make_pipeline(StandardScaler(), LogisticRegression())]
)
def test_an_estimator_that_cannot_learn_on_is_refused_at_once(estimator):
    with pytest.raises(BadValue, match="an estimator with partial_fit"):
        Continued(estimator)


def test_a_model_that_takes_no_weights_says_so():
    class Plain(Majority):
        def partial_fit(self, features, label):
            return super().partial_fit(features, label)

    weight = np.linspace(1, 2, 60)
    with pytest.raises(BadInput, match="partial_fit of Plain takes none"):
        Continued(Plain())(dataset(1, weight=weight), None)
    assert Continued(Plain())(dataset(1), None).continued_times_ == 0


class Training:
    def with_previous(self, dataset, previous):
        return previous

    def alone(self, dataset, _previous):
        return _previous


def test_trainers_say_whether_they_look_at_the_model_before():
    assert Continued(sgd()).continues
    assert not Estimator(sgd()).continues
    assert not Command(["train"]).continues
    assert not Function(always_the_mean).continues
    looks = [Function(f).continues for f in (
        lambda dataset, previous: None, Training().with_previous, lambda *all_: None, max,
        lambda dataset, _: None, Training().alone,
    )]  # fmt: skip
    assert looks == [True, True, True, True, False, False]


def test_a_function_that_promises_not_to_look_is_called_with_none():
    assert Function(Training().alone)(dataset(1), "the champion") is None
    assert Function(Training().with_previous)(dataset(1), "the champion") == "the champion"
