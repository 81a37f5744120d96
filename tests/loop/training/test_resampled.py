"""Rows drawn anew: a bootstrap sample by seed, weights and labels beside their rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tidemill.core.rules import TrainingData
from tidemill.loop.training import Function, Resampled, Seeded

N = 1000
DATA = TrainingData(
    features=pa.table({"x": np.arange(float(N))}),
    label=np.arange(float(N)) * 2,
    weight=np.arange(float(N)) * 3,
)


class Kept:
    """A model that keeps what it was trained on."""

    def __init__(self, dataset, luck):
        self.x = dataset.features["x"].to_numpy()
        self.label, self.weight, self.luck = dataset.label, dataset.weight, luck


def keep(dataset, _previous):
    return Kept(dataset, np.random.random())  # noqa: NPY002 - what Seeded seeds


def test_rows_are_drawn_with_replacement_and_stay_whole_and_in_order():
    model = Resampled(Function(keep), 1)(DATA, None)
    assert len(model.x) == N
    assert np.all(np.diff(model.x) >= 0)
    assert np.array_equal(model.label, model.x * 2)
    assert np.array_equal(model.weight, model.x * 3)
    # Of n rows drawn n times 1 - 1/e are there.
    assert abs(len(np.unique(model.x)) / N - (1 - np.exp(-1))) < 0.04


def test_a_seed_says_which_rows_and_the_luck_of_the_fit():
    one, same, other = (Resampled(Function(keep), s)(DATA, None) for s in (1, 1, 2))
    assert np.array_equal(one.x, same.x)
    assert not np.array_equal(one.x, other.x)
    assert one.luck == same.luck != other.luck
    assert one.luck == Seeded(Function(keep), 1)(DATA, None).luck


def test_a_dataset_without_rows_stays_one():
    empty = TrainingData(features=DATA.features.slice(0, 0), label=np.zeros(0), weight=np.zeros(0))
    assert len(Resampled(Function(keep), 1)(empty, None).x) == 0
