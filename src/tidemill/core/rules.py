"""The shape of every rule, on one page: one Protocol a stage, each of one method.

========== ============== ======= =====================================================
stage      protocol       shape   in one line
========== ============== ======= =====================================================
log        LogRule        Expr    the probability with which each record is kept
curation   CurationRule   Expr    the records of a closed window to label, with pi
labels     LabelRule      Expr    the rows of the reservoir whose label is final
triggers   Trigger        Decide  facts -> fire or not, and why
datasets   DatasetRule    Expr    the rows of the reservoir to train and test on
datasets   Holdout        Sample  which of them are kept out of training
training   Trainer        Sample  (dataset, previous model) -> model
offline    Gate           Decide  answers on labelled rows -> finding
online     Rollout        Decide  what a spot check saw -> finding
========== ============== ======= =====================================================

A rule is a frozen value made with :func:`tidemill.core.rule.rule`. It fits its Protocol by
having the method; there is nothing to inherit. No rule reads a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from ibis.expr import types as ir

from tidemill.core.verdict import Decision, Finding


class LogRule(Protocol):
    """Which records are kept."""

    def __call__(self, records: ir.Table, /) -> ir.Value:
        """Return the probability, in (0, 1], with which each record is kept."""
        ...


class CurationRule(Protocol):
    """Which records of a closed window of arrivals are worth a label."""

    @property
    def per(self) -> str:
        """The length of a window, such as ``"7d"``."""
        ...

    def __call__(self, records: ir.Table, /) -> ir.Table:
        """Return ``record_id``, ``predicted_at`` and ``pi``, the probability of the choice."""
        ...


class LabelRule(Protocol):
    """Where labels come from and when they are final."""

    @property
    def final_after(self) -> str:
        """How long after the prediction a label is final, such as ``"36h"``."""
        ...

    @property
    def labeller(self) -> Callable[[pa.Table], Any] | None:
        """The automatic labeller to ask, if any."""
        ...

    def __call__(self, reservoir: ir.Table, now: datetime, /) -> ir.Table:
        """Return the rows whose label is final, absent outcomes filled in."""
        ...


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a trigger may look at."""

    now: datetime
    last_triggered: datetime | None
    asked: str | None
    """Who asked for a retrain by hand since the last one, if anybody."""


class Trigger(Protocol):
    """Is a retrain due?"""

    def __call__(self, facts: Facts, /) -> Decision: ...


class DatasetRule(Protocol):
    """Which labelled records to learn from."""

    @property
    def window(self) -> timedelta | None:
        """How far back it reaches; None is for ever. Lets storage be pruned."""
        ...

    def __call__(self, reservoir: ir.Table, now: datetime, /) -> ir.Table: ...


class Holdout(Protocol):
    """Which rows of a dataset are kept out of training."""

    def __call__(self, predicted_at: npt.NDArray[np.datetime64], /) -> npt.NDArray[np.bool_]:
        """Return True for the rows to test on; all False when there are too few."""
        ...


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """What a training function is given, rows in order of time.

    ``features`` is an Arrow table, one column a feature, under their own names; ``label``
    has shape (n,), floats or texts; ``weight`` is one over the inclusion probability.
    """

    features: pa.Table
    label: npt.NDArray[Any]
    weight: npt.NDArray[np.float64]

    def to_pandas(self) -> Any:
        """Return the features as a pandas DataFrame."""
        return self.features.to_pandas()


class Trainer(Protocol):
    """Learns: a frozen value around any function, estimator or command."""

    @property
    def seconds(self) -> float:
        """The time limit of one fit."""
        ...

    @property
    def memory_mb(self) -> int:
        """The memory limit of one fit."""
        ...

    def __call__(self, dataset: TrainingData, previous: object | None, /) -> object:
        """Return a model: an object with ``predict``, or a function of a DataFrame."""
        ...


@dataclass(frozen=True, kw_only=True)
class TestSet:
    """Labelled rows and what each model answers on them; arrays of shape (n,).

    ``answers`` maps ``"candidate"`` and ``"champion"`` to their ``output`` and ``score``.
    """

    __test__ = False  # not a test case, whatever pytest thinks of the name

    label: npt.NDArray[Any]
    weight: npt.NDArray[np.float64]
    day: npt.NDArray[Any]
    look: int = 1
    """How often this candidate has been tested, this time included."""
    answers: Mapping[str, Mapping[str, npt.NDArray[Any]]]


class Gate(Protocol):
    """Is the candidate fit to meet users?"""

    def __call__(self, test: TestSet, /) -> Finding: ...


@dataclass(frozen=True, kw_only=True)
class SpotCheck:
    """What was seen when the candidate answered a sample of recent records."""

    asked: int
    answered: int
    missing: int
    """Answers that are null or NaN."""
    latency_ms: float
    """Median of the time to answer one record alone; 0 where it was not measured."""
    agree: float
    """Share of records on which the champion gives the same output; NaN without one."""
    error: str = ""


class Rollout(Protocol):
    """How a candidate meets users."""

    @property
    def sample(self) -> int:
        """How many recent records the spot check asks about."""
        ...

    def __call__(self, check: SpotCheck, /) -> Finding: ...
