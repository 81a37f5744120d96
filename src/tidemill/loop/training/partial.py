"""Models that learn on with ``partial_fit``, alone or at the end of a pipeline.

Only methods are asked for, so whatever has scikit-learn's shape will do.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tidemill.core.errors import BadInput


@dataclass(frozen=True)
class LearnsOn:
    """An estimator with ``partial_fit``, or a pipeline whose last step has one."""

    def broken(self, value: object) -> str | None:
        if isinstance(value, type) or not hasattr(last_of(value), "partial_fit"):
            return "an estimator with partial_fit, or a pipeline that ends in one"
        return None

    def bad(self) -> Iterator[object]:
        yield from (None, 1, object(), dict)


def last_of(model: Any) -> Any:
    """Return the last step of a pipeline, or the model itself."""
    steps = getattr(model, "steps", None)
    return steps[-1][1] if isinstance(steps, list) and steps else model


def fit_transformers(model: Any, features: Any, label: Any) -> Any:
    """Fit all steps of a pipeline but the last; return what the last one is to see."""
    for step in _earlier(model):
        if hasattr(step, "fit_transform"):
            features = step.fit_transform(features, label)
        else:
            features = step.fit(features, label).transform(features)
    return features


def transform(model: Any, features: Any) -> Any:
    """Return what the last step of a pipeline sees, its other steps as they are."""
    for step in _earlier(model):
        features = step.transform(features)
    return features


def _earlier(model: Any) -> list[Any]:
    steps = getattr(model, "steps", None)
    if not isinstance(steps, list):
        return []
    return [step for _, step in steps[:-1] if step is not None and step != "passthrough"]


def learn(
    model: Any,
    features: Any,
    label: npt.NDArray[Any],
    *,
    weight: npt.NDArray[np.float64] | None,
    classes: npt.NDArray[Any] | None,
) -> None:
    """Let the last step learn from what it is to see.

    Parameters
    ----------
    weight
        One a row; None when they are all alike.
    classes
        All classes there are, for the first time a classifier learns; else None.

    Raises
    ------
    BadInput
        If rows differ in weight and the model takes no weights.
    """
    last = last_of(model)
    takes = inspect.signature(last.partial_fit).parameters
    extra: dict[str, Any] = {}
    if weight is not None:
        if "sample_weight" not in takes:
            raise BadInput(
                f"rows differ in weight, and partial_fit of {type(last).__name__} takes none.",
                fix="use a model whose partial_fit takes sample_weight, or a dataset rule and "
                "a curation that give every row the same weight.",
            )
        extra["sample_weight"] = weight
    if classes is not None and "classes" in takes:
        extra["classes"] = classes
    last.partial_fit(features, label, **extra)


def scaled(weight: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """Scale weights to a mean of 1; None when they are all alike.

    A model that descends a gradient makes a step as long as the weight, so that weights of
    one over a small probability would throw it off; and all alike is as good as none.

    Examples
    --------
    >>> scaled(np.array([10.0, 30.0]))
    array([0.5, 1.5])
    >>> scaled(np.array([7.0, 7.0])) is None
    True
    """
    if not len(weight) or np.allclose(weight, weight[0]):
        return None
    return weight / weight.mean()
