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
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from ibis.expr import types as ir

from tidemill.core.costs import Costs
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
class Seen:
    """One base window of what users were answered, as far as it is known at the turn.

    ``values`` maps the name of each metric a trigger wants to its value on the labelled rows,
    NaN where they cannot give it. ``shares`` maps each output to its share of all records; a
    numeric output that is no class counts by the score in tenths, such as ``"0.3"``.
    """

    start: datetime
    end: datetime
    records: int
    labelled: int
    """Records with a final label now."""
    settled: bool
    """Whether every label of the window that will ever count has had its time to come."""
    values: Mapping[str, float] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """One fit that was done: how many rows it learnt from, and the seconds it took."""

    at: datetime
    rows: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """A signal that is bad now: part of an open incident."""

    kind: str
    metric: str
    column: str = ""
    cohort: str = ""
    since: datetime
    """The start of the first base window in which it was bad."""
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a trigger may look at; all of it was known at ``now``."""

    now: datetime
    last_triggered: datetime | None
    asked: str | None
    """Who asked for a retrain by hand since the last one, if anybody."""
    live_since: datetime | None = None
    """Since when the present champion answers; None without one."""
    records: int = 0
    """Records that came since the last retrain was triggered."""
    labels: int = 0
    """Chosen records whose label became final since then."""
    windows: tuple[Seen, ...] = ()
    """Base windows answered by the present champion alone, the oldest first."""
    arrived: tuple[Seen, ...] = ()
    """Base windows since the last retrain was triggered, whoever answered; counts only."""
    triggered: tuple[datetime, ...] = ()
    """When every retrain so far was triggered, the oldest first."""
    fits: tuple[Fitted, ...] = ()
    """Every fit so far, the oldest first."""
    costs: Costs | None = None
    """The strategy's price sheet, if it has one."""
    alarms: tuple[Alarm, ...] = ()
    """The signals that are bad now, the oldest first; known when ``"alarms"`` is wanted."""


class Trigger(Protocol):
    """Is a retrain due?"""

    @property
    def wants(self) -> tuple[Any, ...]:
        """What must be measured for it: metrics, ``"outputs"``, ``"counts"``, ``"alarms"``.

        ``windows`` holds the metrics and shares that are wanted; ``records``, ``labels`` and
        ``arrived`` are counted when ``"counts"`` is, and ``alarms`` known when ``"alarms"`` is.
        """
        ...

    def __call__(self, facts: Facts, /) -> Decision: ...


@dataclass(frozen=True, kw_only=True)
class Past:
    """What a dataset rule may know of the past, besides the rows."""

    now: datetime
    last_triggered: datetime | None = None
    """When the retrain before this one was triggered, whatever became of it."""
    champion_triggered: datetime | None = None
    """When the retrain was triggered that the present champion came from; None without one."""
    last_change: datetime | None = None
    """Since when data is different, as the last trigger to see a change told it."""


EMPHASIS = "emphasis"
"""The column by which a dataset rule says how much more a row counts in training."""


class DatasetRule(Protocol):
    """Which labelled records to learn from."""

    @property
    def window(self) -> timedelta | None:
        """How far back it reaches; None is for ever. Lets storage be pruned."""
        ...

    @property
    def remembers(self) -> bool:
        """Whether it looks at the past beyond the rows and the present moment.

        False lets replays share its datasets. A rule that does not say is taken to remember.
        """
        ...

    def __call__(self, reservoir: ir.Table, past: Past, /) -> ir.Table:
        """Return the rows to learn from, with the columns of the reservoir.

        It may drop rows. Where it draws a sample of them it changes ``weight``, one over the
        probability of a row being there, so that weighted means stay those of all rows. What is
        to count more in training than it is frequent gets a column ``emphasis`` (1 where there
        is none): a row to train on counts ``weight`` times ``emphasis``, one to test on
        ``weight``. Nothing else may change.
        """
        ...


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

    @property
    def continues(self) -> bool:
        """Whether the model depends on the one before it, or on the dataset alone.

        One that does not is called with None, and its fit can be shared.
        """
        ...

    def __call__(self, dataset: TrainingData, previous: object | None, /) -> object:
        """Return a model: an object with ``predict``, or a function of a DataFrame."""
        ...


@dataclass(frozen=True, kw_only=True)
class TestSet:
    """Labelled rows and what each model answers on them; arrays of shape (n,).

    ``answers`` maps ``"candidate"`` and ``"champion"`` to their ``output`` and ``score``;
    ``groups`` has the ``unit`` and the ``tags`` of the rows where a metric is of lists.
    """

    __test__ = False  # not a test case, whatever pytest thinks of the name

    label: npt.NDArray[Any]
    weight: npt.NDArray[np.float64]
    day: npt.NDArray[Any]
    look: int = 1
    """How often this candidate has been tested, this time included."""
    answers: Mapping[str, Mapping[str, npt.NDArray[Any]]]
    groups: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict[str, npt.NDArray[Any]])


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
