"""Train a scikit-learn estimator, or anything with its ``fit``."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated, Any

import numpy as np

from tidemill.core.limits import Between, Has, Whole
from tidemill.core.rule import rule
from tidemill.core.rules import TrainingData


@rule
class Estimator:
    """Train a copy of a scikit-learn estimator or pipeline from scratch.

    Weights are handed to ``fit`` when they differ, to the last step of a pipeline.

    Parameters
    ----------
    estimator
        Anything with scikit-learn's ``fit(X, y)`` and ``predict(X)``; X is a DataFrame.
    seconds, memory_mb
        Limits of one fit. A fit beyond them fails its candidate, never the mill.

    Examples
    --------
    >>> Estimator(estimator=object())
    Traceback (most recent call last):
    ...
    tidemill.core.errors.BadValue: Estimator(estimator=...): estimator must be an estimator with fit and predict. Fix: ...
    """

    estimator: Annotated[Any, Has("fit", "an estimator with fit and predict")]
    _: KW_ONLY
    seconds: Annotated[float, Between(0, open_low=True)] = 3600
    memory_mb: Annotated[int, Whole(16)] = 4096

    @property
    def continues(self) -> bool:
        return False

    def __call__(self, dataset: TrainingData, previous: object | None, /) -> object:
        model = copy.deepcopy(self.estimator)
        extra = {}
        if len(dataset.weight) and not np.allclose(dataset.weight, dataset.weight[0]):
            steps = getattr(model, "steps", None)
            extra = {f"{steps[-1][0]}__sample_weight" if steps else "sample_weight": dataset.weight}
        model.fit(dataset.to_pandas(), dataset.label, **extra)
        return model

    @classmethod
    def examples(cls) -> Iterator[Estimator]:
        yield cls(Majority())


class Majority:
    """An estimator that answers the most frequent label; for tests and examples."""

    def get_params(self, *, deep: bool = True) -> dict[str, Any]:
        return {}

    def fit(self, features: object, label: Any, sample_weight: Any = None) -> Majority:
        self.seen_: dict[Any, float] = {}
        return self.partial_fit(features, label, sample_weight)

    def partial_fit(self, features: object, label: Any, sample_weight: Any = None) -> Majority:
        weight = np.ones(len(label)) if sample_weight is None else np.asarray(sample_weight)
        names, codes = np.unique(np.asarray(label), return_inverse=True)
        self.seen_ = dict(getattr(self, "seen_", {}))
        for name, more in zip(names, np.bincount(codes, weights=weight), strict=True):
            self.seen_[name] = self.seen_.get(name, 0.0) + float(more)
        self.answer_ = max(sorted(self.seen_), key=self.seen_.__getitem__)
        return self

    def predict(self, features: Any) -> Any:
        return np.full(len(features), self.answer_)
