"""What a data quality rule is: something that rows, or a whole window of them, must satisfy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ibis.expr import types as ir

from tidemill.core.signals import Judgement, Point


@runtime_checkable
class QualityRule(Protocol):
    """What one window of records must satisfy, as expressions that every engine evaluates."""

    @property
    def column(self) -> str:
        """The bare name of the feature (or of an output) it is about; empty for whole rows."""
        ...

    @property
    def metric(self) -> str:
        """The name of its number in snake case, such as ``"null_rate"``."""
        ...

    @property
    def alerting(self) -> bool:
        """Whether it may page anybody; if not, it is there for questions only."""
        ...

    def measured(self, records: ir.Table, /) -> dict[str, ir.Scalar]:
        """Return ``value`` and ``n``, for ``records.group_by(window).aggregate(...)``.

        ``value`` is null where there is nothing to measure it by.

        Raises
        ------
        BadInput
            If the records do not have the column, or it is of the wrong type.
        """
        ...

    def judge(self, points: Sequence[Point], /, *, alpha: float) -> Judgement:
        """Judge the last point, as :class:`tidemill.core.signals.VerdictRule` does."""
        ...


@runtime_checkable
class RowRule(QualityRule, Protocol):
    """A quality rule that a row keeps or breaks; its number is the share of rows that break it."""

    @property
    def at_most(self) -> float:
        """The share of rows that may break it, from 0 to 1."""
        ...

    def failing(self, records: ir.Table, /) -> ir.BooleanColumn:
        """Return whether each row breaks the rule; never null."""
        ...

    def applies(self, records: ir.Table, /) -> ir.BooleanColumn:
        """Return whether each row can be asked: the share is of these; never null."""
        ...

    def shown(self, records: ir.Table, /) -> tuple[str, ...]:
        """Return which stored columns explain to a person why a row breaks it."""
        ...
