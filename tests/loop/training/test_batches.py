"""Online batch selection: which rows are visited, in which batches."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from tidemill.core.errors import BadInput, BadValue
from tidemill.core.rules import TrainingData
from tidemill.loop.training import Batches
from tidemill.loop.training.estimator import Majority


class Diary(Majority):
    """Writes down which rows it is shown."""

    def partial_fit(self, features, label, sample_weight=None, classes=None):
        pages = [*getattr(self, "pages_", []), (features["row"].tolist(), sample_weight, classes)]
        self.pages_ = pages
        return super().partial_fit(features, label, sample_weight)


def dataset(n=100, *, weight=None):
    rng = np.random.default_rng(3)
    features = pa.table({"row": np.arange(n, dtype=float), "x": rng.normal(size=n)})
    label = (rng.random(n) < 0.5).astype(float)
    return TrainingData(features=features, label=label, weight=np.ones(n) if weight is None else weight)  # fmt: skip


def pages(training, data=None):
    return [rows for rows, _, _ in training(data or dataset(), None).pages_]


def test_each_round_visits_a_fresh_uniform_subset_in_batches():
    shown = pages(Batches(Diary(), size=15, share=0.4, rounds=3))
    assert [len(p) for p in shown] == [15, 15, 10] * 3
    rounds = [[row for page in shown[k : k + 3] for row in page] for k in (0, 3, 6)]
    assert all(len(set(one)) == 40 for one in rounds), "no row twice in a round"
    assert len({tuple(sorted(one)) for one in rounds}) == 3


def test_every_row_is_as_likely_to_be_visited():
    visits = np.zeros(20)
    for row in chain(*pages(Batches(Diary(), size=10, share=0.5, rounds=600), dataset(20))):
        visits[int(row)] += 1
    error = np.sqrt(600 * 0.25)
    assert abs(visits - 300).max() < 4.5 * error
    assert visits.std() > error / 4, "visits are drawn, not dealt out"


def test_the_seed_decides_and_the_whole_share_is_a_permutation():
    one, again, other = (pages(Batches(Diary(), size=30, share=1.0, seed=k)) for k in (1, 1, 2))
    assert one == again != other
    assert sorted(chain(*one)) == list(range(100))
    assert [len(p) for p in pages(Batches(Diary(), size=30, share=0.001))] == [1]


def test_classes_are_told_once_and_weights_belong_to_their_rows():
    weight = np.arange(1, 101, dtype=float)
    model = Batches(Diary(), size=30, share=1.0)(dataset(weight=weight), None)
    told = [classes for _, _, classes in model.pages_]
    np.testing.assert_array_equal(told[0], [0.0, 1.0])
    assert told[1:] == [None] * 3
    for rows, weights, _ in model.pages_:
        np.testing.assert_allclose(weights, weight[np.int64(rows)] / weight.mean())


@pytest.mark.parametrize("answer", [lambda r: r % 2 == 0, lambda r: np.flatnonzero(r % 2 == 0)])
def test_a_rule_of_selection_is_asked_of_each_batch_but_the_first(answer):
    asked = []

    def even(model, features, label):
        asked.append((len(model.pages_), features["row"].tolist()))
        np.testing.assert_array_equal(label, dataset().label[features["row"].astype(int)])
        return answer(features["row"].to_numpy())

    shown = pages(Batches(Diary(), size=25, share=1.0, select=even))
    assert [n for n, _ in asked] == [1, 2, 3]
    assert len(shown[0]) == 25
    assert shown[1:] == [[r for r in batch if r % 2 == 0] for _, batch in asked]


def test_a_batch_of_which_nothing_is_selected_is_skipped():
    for nothing in ([], np.zeros(25, dtype=bool)):
        shown = pages(Batches(Diary(), size=25, share=1.0, select=lambda m, f, y, n=nothing: n))
        assert [len(p) for p in shown] == [25]


@pytest.mark.parametrize("answer", [[True], [25], [-1], [0.5], [[0]], None])
def test_what_is_no_selection_is_refused(answer):
    with pytest.raises(BadInput, match="select returned"):
        Batches(Diary(), size=25, share=1.0, select=lambda m, f, y: answer)(dataset(), None)


def test_a_pipeline_is_transformed_once_on_all_rows():
    data = dataset()
    model = Batches(make_pipeline(StandardScaler(), SGDClassifier(random_state=0)), size=40,
                    share=1.0, rounds=2, seed=4)(data, None)  # fmt: skip
    scaler, hand = StandardScaler().fit(data.to_pandas()), SGDClassifier(random_state=0)
    seen, rng = scaler.transform(data.to_pandas()), np.random.default_rng(4)
    for _ in range(2):
        order = rng.permutation(100)
        for rows in (order[:40], order[40:80], order[80:]):
            hand.partial_fit(seen[rows], data.label[rows], classes=[0.0, 1.0])
    np.testing.assert_array_equal(model[-1].coef_, hand.coef_)
    thin = make_pipeline(FunctionTransformer(sparse.csr_matrix), SGDClassifier(random_state=0))
    assert Batches(thin)(data, None).predict(data.to_pandas()).shape == (100,)


def test_the_model_before_is_not_looked_at_and_a_share_is_a_share():
    training = Batches(Diary())
    assert not training.continues
    first = training(dataset(), None)
    assert [p[0] for p in training(dataset(), first).pages_] == [p[0] for p in first.pages_]
    for share in (0, 1.1):
        with pytest.raises(BadValue, match="share"):
            Batches(Diary(), share=share)
