"""Train in batches, on a part of the rows chosen while training."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from tidemill.core.errors import BadInput
from tidemill.core.limits import Between, Call, Whole
from tidemill.core.rule import rule
from tidemill.core.rules import TrainingData
from tidemill.loop.training.estimator import Majority
from tidemill.loop.training.partial import LearnsOn, fit_transformers, learn, scaled


@rule
class Batches:
    """Train from scratch in batches, each round on another part of the rows.

    Every round draws a fresh uniform permutation of the rows and learns from the first
    ``share`` of it, in batches of ``size``: repeated random subsets, which many cleverer
    rules of selection do not beat at equal time. The steps of a pipeline but the last are
    fitted once, on all rows. Weights are scaled to a mean of 1 and handed over when they differ.

    Parameters
    ----------
    estimator
        Anything with scikit-learn's ``partial_fit`` and ``predict``, or a pipeline that ends
        in it; X is a DataFrame.
    size
        Rows in a batch; the last one of a round may be smaller.
    share
        The share of the rows visited in a round.
    rounds
        How many rounds.
    select
        A function ``(model, features, label)`` that returns a mask or the places of the rows
        of a batch to learn from, such as those the model finds hardest. The first batch is
        learnt whole, since before it there is no model to ask; a batch of which nothing is
        selected is skipped. None learns from every row of a batch.
    seed
        Of the permutations.
    seconds, memory_mb
        Limits of one fit. A fit beyond them fails its candidate, never the mill.

    Examples
    --------
    >>> Batches(Majority(), size=100, share=0.1, rounds=5).rounds
    5

    References
    ----------
    .. [1] Okanovic et al., "Repeated random sampling for minimizing the time-to-accuracy of
       learning", ICLR, 2024.
    """

    estimator: Annotated[Any, LearnsOn()]
    _: KW_ONLY
    size: Annotated[int, Whole(1)] = 1000
    share: Annotated[float, Between(0, 1, open_low=True)] = 0.5
    rounds: Annotated[int, Whole(1)] = 1
    select: Annotated[Callable[..., Any], Call()] | None = None
    seed: Annotated[int, Whole(0)] = 0
    seconds: Annotated[float, Between(0, open_low=True)] = 3600
    memory_mb: Annotated[int, Whole(16)] = 4096

    @property
    def continues(self) -> bool:
        return False

    def __call__(self, dataset: TrainingData, previous: object | None, /) -> object:
        model = copy.deepcopy(self.estimator)
        frame, label, weight = dataset.to_pandas(), dataset.label, scaled(dataset.weight)
        seen = fit_transformers(model, frame, label)
        classes: npt.NDArray[Any] | None = np.unique(label)
        for batch in self._batches(len(label)):
            first = classes is not None
            rows = batch if first else self._selected(model, frame, label, batch)
            if not len(rows):
                continue
            some = None if weight is None else weight[rows]
            learn(model, _take(seen, rows), label[rows], weight=some, classes=classes)
            classes = None
        return model

    def _batches(self, n: int) -> Iterator[npt.NDArray[np.intp]]:
        rng = np.random.default_rng(self.seed)
        for _ in range(self.rounds):
            order = rng.permutation(n)[: max(1, round(self.share * n))]
            for start in range(0, len(order), self.size):
                yield order[start : start + self.size]

    def _selected(
        self, model: Any, frame: Any, label: npt.NDArray[Any], batch: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.intp]:
        if self.select is None:
            return batch
        said = np.asarray(self.select(model, _take(frame, batch), label[batch]))
        n = len(batch)
        if said.dtype == bool and said.shape == (n,):
            return batch[said]
        places = said.astype(np.intp) if not said.size else said
        if places.dtype.kind in "iu" and places.ndim == 1 and np.all((places >= 0) & (places < n)):
            return batch[places]
        raise BadInput(
            f"select returned {said.dtype} of shape {said.shape} for a batch of {n} rows.",
            fix="return a mask, or places from 0 to the number of rows less one.",
        )

    @classmethod
    def examples(cls) -> Iterator[Batches]:
        yield cls(Majority())
        yield cls(Majority(), size=10, share=1.0, rounds=2, select=all_but_one)


def all_but_one(model: object, features: Any, label: Any) -> Any:
    """Select every row of a batch but its first; for tests and examples."""
    return np.arange(len(label)) > 0


def _take(rows: Any, places: npt.NDArray[np.intp]) -> Any:
    return rows.iloc[places] if hasattr(rows, "iloc") else rows[places]
