"""Train with any function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY
from typing import Annotated

from tidemill.core.limits import Between, Call, Whole
from tidemill.core.rule import rule
from tidemill.core.rules import TrainingData


@rule
class Function:
    """Train with a function ``(dataset, previous) -> model``.

    Parameters
    ----------
    function
        Takes a :class:`~tidemill.core.rules.TrainingData` and the champion's model (None at
        first), and returns an object with ``predict``, or a function of a DataFrame.
    seconds, memory_mb
        Limits of one fit. A fit beyond them fails its candidate, never the mill.

    Examples
    --------
    >>> Function(always_the_mean, seconds=60).seconds
    60
    """

    function: Annotated[Callable[..., object], Call()]
    _: KW_ONLY
    seconds: Annotated[float, Between(0, open_low=True)] = 3600
    memory_mb: Annotated[int, Whole(16)] = 4096

    def __call__(self, dataset: TrainingData, previous: object | None, /) -> object:
        return self.function(dataset, previous)

    @classmethod
    def examples(cls) -> Iterator[Function]:
        yield cls(always_the_mean)


class Mean:
    """A model that always answers the mean label; the least a model must beat.

    For labels 0 and 1 the mean is a probability; ``classes_`` says so to a gate.
    """

    classes_ = (0.0, 1.0)

    def __init__(self, value: float) -> None:
        self.value = value

    def predict(self, features: object) -> list[float]:
        more_likely = self.value >= 1 - self.value
        return [float(more_likely)] * len(features)  # type: ignore[arg-type]

    def predict_proba(self, features: object) -> list[list[float]]:
        return [[1 - self.value, self.value]] * len(features)  # type: ignore[arg-type]


def always_the_mean(dataset: TrainingData, previous: object | None) -> Mean:
    """Train the model that always answers the weighted mean of labels 0 and 1."""
    total = float(dataset.weight.sum())
    return Mean(float((dataset.label * dataset.weight).sum() / total) if total else 0.5)
