"""Continue the champion on new data, from scratch now and then."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from tidemill.core.errors import BadInput, BadValue
from tidemill.core.fingerprint import fingerprint, name_of
from tidemill.core.limits import Between, Whole
from tidemill.core.rule import rule
from tidemill.core.rules import TrainingData
from tidemill.loop.training.estimator import Majority
from tidemill.loop.training.partial import (
    LearnsOn,
    fit_transformers,
    last_of,
    learn,
    scaled,
    transform,
)


@rule
class Continued:
    """Continue the champion with ``partial_fit``: one pass over the dataset.

    Training starts from scratch when there is no champion, when it is another kind of model
    (another class, other parameters than ``random_state``), knows other features, or has been
    continued ``reset_after`` times; and, unless ``classes`` are given, when a class appears
    that it has never seen. Then the dataset is all it learns from: a dataset rule such as
    :class:`~tidemill.loop.datasets.new.New` should reach back far enough for that.

    In a pipeline the steps but the last are fitted from scratch only, and stay as they are
    while the last one learns on. Weights are scaled to a mean of 1 and handed over when they
    differ.

    Parameters
    ----------
    estimator
        Anything with scikit-learn's ``partial_fit`` and ``predict``, or a pipeline that ends
        in it; X is a DataFrame.
    reset_after
        How often a model is continued before the next starts from scratch, so that errors
        and what it must forget do not pile up.
    classes
        All labels there can be, for a classifier; None takes those of the first dataset.
    seconds, memory_mb
        Limits of one fit. A fit beyond them fails its candidate, never the mill.

    Examples
    --------
    >>> Continued(object())
    Traceback (most recent call last):
    ...
    tidemill.core.errors.BadValue: Continued(estimator=...): estimator must be an estimator with partial_fit, ...

    References
    ----------
    .. [1] Egg, "Online learning for recommendations at Grubhub", RecSys, 2021.
    """

    estimator: Annotated[Any, LearnsOn()]
    _: KW_ONLY
    reset_after: Annotated[int, Whole(1)] = 10
    classes: Sequence[Any] | None = None
    seconds: Annotated[float, Between(0, open_low=True)] = 3600
    memory_mb: Annotated[int, Whole(16)] = 4096

    def __post_init__(self) -> None:
        if self.classes is None:
            return
        if not isinstance(self.classes, list | tuple) or not self.classes:
            raise BadValue(
                f"Continued(classes={self.classes!r}): classes must be a list of labels.",
                fix="pass classes as a list such as [0, 1], or None.",
            )
        object.__setattr__(self, "classes", tuple(self.classes))

    @property
    def continues(self) -> bool:
        return True

    def __call__(self, dataset: TrainingData, previous: object | None, /) -> object:
        self._check(dataset.label)
        weight, frame = scaled(dataset.weight), dataset.to_pandas()
        times = self._times(dataset, previous)
        if times:
            model: Any = copy.deepcopy(previous)
            learn(model, transform(model, frame), dataset.label, weight=weight, classes=None)
        else:
            model = copy.deepcopy(self.estimator)
            seen = fit_transformers(model, frame, dataset.label)
            learn(model, seen, dataset.label, weight=weight, classes=self._classes(dataset.label))
        model.continued_times_ = times
        model.continued_features_ = tuple(dataset.features.column_names)
        return model

    def _times(self, dataset: TrainingData, previous: object | None) -> int:
        """Count how often the new model will have been continued; 0 is from scratch."""
        if previous is None or fingerprint(_recipe(previous)) != fingerprint(
            _recipe(self.estimator)
        ):
            return 0
        names = tuple(dataset.features.column_names)
        known = getattr(previous, "continued_features_", None)
        known = getattr(previous, "feature_names_in_", None) if known is None else known
        if known is not None and tuple(known) != names:
            return 0
        classes = getattr(last_of(previous), "classes_", None)
        if classes is not None and not _among(dataset.label, classes):
            return 0
        times = int(getattr(previous, "continued_times_", 0))
        return times + 1 if times < self.reset_after else 0

    def _classes(self, label: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if self.classes is None:
            return np.unique(label)
        return np.unique(np.array(self.classes, dtype=label.dtype))

    def _check(self, label: npt.NDArray[Any]) -> None:
        if self.classes is None or _among(label, self.classes):
            return
        strange = sorted(set(label.tolist()) - set(self.classes), key=str)
        raise BadInput(
            f"the label {strange[0]!r} is none of the classes {list(self.classes)}.",
            fix="add it to Continued(classes=...).",
        )

    @classmethod
    def examples(cls) -> Iterator[Continued]:
        yield cls(Majority())
        yield cls(Majority(), reset_after=3, classes=[0.0, 1.0])


def _among(label: npt.NDArray[Any], classes: Any) -> bool:
    return set(label.tolist()) <= set(np.asarray(classes).tolist())


def _recipe(value: Any) -> Any:
    """Say what an estimator is made of, whatever it has learnt; seeds do not count."""
    if hasattr(value, "get_params") and not isinstance(value, type):
        params = value.get_params(deep=False).items()
        return {"is": name_of(type(value))} | {
            k: _recipe(v) for k, v in params if k != "random_state"
        }
    if isinstance(value, list | tuple):
        return [_recipe(v) for v in value]
    return value if isinstance(value, str | int | float | None) else fingerprint(value)
