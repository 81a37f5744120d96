"""Train with any function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY
from typing import Annotated

from tidemill.core.limits import Between, Call, Whole
from tidemill.core.rule import rule
from tidemill.core.rules import TrainingData


@rule
class Function:
    """Train with a function ``(dataset, previous) -> model``.

    A function that calls its second parameter ``_`` or ``_previous`` says that it does not look
    at the model before; it is then always called with None, and equal datasets give one fit.

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

    @property
    def continues(self) -> bool:
        return not _second(self.function).startswith("_")

    def __call__(self, dataset: TrainingData, previous: object | None, /) -> object:
        return self.function(dataset, previous if self.continues else None)

    @classmethod
    def examples(cls) -> Iterator[Function]:
        yield cls(always_the_mean)


def _second(function: Callable[..., object]) -> str:
    """Return the name of the second argument by position; empty where Python cannot tell."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # written in C, and says nothing of its arguments
        return ""
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in parameters if p.kind in places]
    return names[1] if len(names) > 1 else ""


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


def always_the_mean(dataset: TrainingData, _previous: object | None) -> Mean:
    """Train the model that always answers the weighted mean of labels 0 and 1."""
    total = float(dataset.weight.sum())
    return Mean(float((dataset.label * dataset.weight).sum() / total) if total else 0.5)
