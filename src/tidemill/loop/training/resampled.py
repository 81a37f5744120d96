"""Train on rows drawn anew, to see what of a result is the luck of the rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import numpy as np
import pyarrow as pa

from tidemill.core.limits import Between, Has, Whole
from tidemill.core.rule import rule
from tidemill.core.rules import Trainer, TrainingData
from tidemill.loop.training.function import Function, always_the_mean
from tidemill.loop.training.seeded import Seeded

_TOP = 2**32 - 1


@rule
class Resampled:
    """Train as another rule does, on as many rows drawn with replacement, and with the seed.

    The rows keep their order in time, their labels and their weights; some are there more
    than once, some not at all. Equal rows and seeds give equal samples. Everything else is
    seeded as by ``Seeded``.

    Parameters
    ----------
    training
        A training rule: ``Function``, ``Estimator``, ``Continued``, ``Batches`` or your own.
    seed
        From 0 to 2^32 - 1.

    References
    ----------
    Efron, B. (1979). Bootstrap methods: another look at the jackknife. Annals of Statistics
    7, 1-26.

    Examples
    --------
    >>> Resampled(Function(always_the_mean, seconds=60), 7).seconds
    60
    """

    training: Annotated[Trainer, Has("memory_mb", "a training rule, such as Function(train)")]
    seed: Annotated[int, Whole(0), Between(0, _TOP)]

    @property
    def seconds(self) -> float:
        return self.training.seconds

    @property
    def memory_mb(self) -> int:
        return self.training.memory_mb

    @property
    def continues(self) -> bool:
        # A rule of your own that does not say may look at the model before.
        return bool(getattr(self.training, "continues", True))

    def __call__(self, dataset: TrainingData, previous: object | None, /) -> object:
        n = len(dataset.label)
        rows = np.sort(np.random.default_rng(self.seed).integers(0, max(n, 1), n))
        drawn = replace(
            dataset,
            features=dataset.features.take(pa.array(rows)),
            label=dataset.label[rows],
            weight=dataset.weight[rows],
        )
        return Seeded(self.training, self.seed)(drawn, previous)

    @classmethod
    def examples(cls) -> Iterator[Resampled]:
        yield cls(Function(always_the_mean), 7)
        yield cls(Function(always_the_mean), 0)
