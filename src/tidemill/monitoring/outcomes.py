"""User outcomes: what users did with the answers, how often they say so, and how late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import ibis
from ibis.expr import types as ir

from tidemill.core.durations import duration
from tidemill.core.errors import BadInput
from tidemill.core.limits import OneOf, Span, Text
from tidemill.core.rule import rule
from tidemill.measures.metric import Summary
from tidemill.monitoring.names import snake
from tidemill.monitoring.proxies import DIRECTIONS, mean

ANY_AT, LABEL_AT = "any_feedback_at", "any_label_at"
OF = ("feedback", "labels", "either")


def joined(
    records: ir.Table, feedback: ir.Table, labels: ir.Table, *, kinds: Sequence[str] = ()
) -> ir.Table:
    """Return records beside what came back for them, one row a record.

    Parameters
    ----------
    records, feedback, labels
        The tables of events, as ``as_of`` gives them.
    kinds
        The kinds of feedback that are asked about.

    Returns
    -------
    ibis.expr.types.Table
        The records with ``any_feedback_at`` and ``any_label_at``, when the first of each could
        be seen, and for each kind ``feedback_<kind>``, the value that came last, and
        ``feedback_<kind>_at``, when the first came; null where none did.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from tidemill.core.records import FEEDBACK, LABELS, RECORDS, conform
    >>> def table(schema, **columns):
    ...     return ibis.memtable(conform(pa.table(columns), schema).drop_columns(["day"]))
    >>> rows = joined(
    ...     table(RECORDS, record_id=["a", "b"]),
    ...     table(FEEDBACK, record_id=["a", "a"], kind=["thumbs", "thumbs"], value=[0.0, 1.0],
    ...           available_at=[1, 2]),
    ...     table(LABELS, record_id=["b"], available_at=[3]), kinds=["thumbs"],
    ... )
    >>> rows.order_by("record_id").select("record_id", "feedback_thumbs").to_pyarrow().to_pylist()
    [{'record_id': 'a', 'feedback_thumbs': 1.0}, {'record_id': 'b', 'feedback_thumbs': None}]
    """
    order = [ibis.desc(feedback.available_at), ibis.desc(feedback.feedback_id)]
    place = ibis.row_number().over(group_by=["record_id", "kind"], order_by=order)
    ranked: Any = feedback.mutate(place=place)
    columns: dict[str, Any] = {ANY_AT: ranked.available_at.min()}
    for kind in dict.fromkeys(kinds):
        of_kind = (ranked.kind == kind).fill_null(False)
        columns[f"feedback_{kind}"] = ranked.value.max(where=of_kind & (ranked.place == 0))
        columns[f"feedback_{kind}_at"] = ranked.available_at.min(where=of_kind)
    came = ranked.group_by("record_id").aggregate(**columns)
    label_at: Any = labels.available_at.min()
    labelled = labels.group_by("record_id").aggregate(**{LABEL_AT: label_at})
    rows = records.left_join(came, "record_id", rname="{name}__came")
    rows = rows.left_join(labelled, "record_id", rname="{name}__labelled")
    return rows.select(*records.columns, *columns, LABEL_AT)


@rule
class FeedbackRate:
    """The share of records that got feedback of one kind.

    Parameters
    ----------
    kind
        The kind of feedback, such as ``"thumbs"``.
    within
        Only what came so soon after the prediction counts, so that young windows are compared
        with old ones as equals; a window is complete when it is so old. None counts all, and
        the rate of a young window still grows.
    higher_is
        Whether more of it is ``"better"``, ``"worse"`` or ``"neither"``.
    """

    kind: Annotated[str, Text()]
    _: KW_ONLY
    within: Annotated[str, Span()] | None = None
    higher_is: Annotated[str, OneOf(DIRECTIONS)] = "neither"
    summary: ClassVar[Summary] = "mergeable"

    @property
    def metric(self) -> str:
        return f"feedback_rate_{snake(self.kind)}"

    def measured(self, records: ir.Table, /) -> dict[str, ir.Scalar]:
        """Return the share as ``value`` and all records as ``n``, of :func:`joined` ones."""
        return mean(records, _in_time(records, f"feedback_{self.kind}_at", self.within))

    @classmethod
    def examples(cls) -> Iterator[FeedbackRate]:
        yield cls("thumbs")
        yield cls("complaint", within="7d", higher_is="worse")


@rule
class FeedbackMean:
    """The mean value of one kind of feedback, over the records that got it.

    Only those count that said something, and who says something changes too: read it beside
    :class:`FeedbackRate`.

    Parameters
    ----------
    kind
        The kind of feedback, such as ``"thumbs"``; of several for a record the last counts.
    within
        Only records whose first feedback came so soon after the prediction; None takes all.
    higher_is
        Whether a higher value is ``"better"``, ``"worse"`` or ``"neither"``.
    """

    kind: Annotated[str, Text()]
    _: KW_ONLY
    within: Annotated[str, Span()] | None = None
    higher_is: Annotated[str, OneOf(DIRECTIONS)] = "better"
    summary: ClassVar[Summary] = "mergeable"

    @property
    def metric(self) -> str:
        return f"feedback_mean_{snake(self.kind)}"

    def measured(self, records: ir.Table, /) -> dict[str, ir.Scalar]:
        """Return ``value``, ``n`` (records with a value) and ``sd``, of :func:`joined` ones."""
        value: Any = _column(records, f"feedback_{self.kind}")
        came = _in_time(records, f"feedback_{self.kind}_at", self.within)
        return mean(records, ibis.ifelse(came, value, ibis.null("float64")))

    @classmethod
    def examples(cls) -> Iterator[FeedbackMean]:
        yield cls("thumbs")
        yield cls("stars", within="7d")


@rule
class Coverage:
    """The share of records for which anything came back.

    Parameters
    ----------
    of
        What must have come: ``"feedback"``, ``"labels"`` or ``"either"``.
    within
        Only what came so soon after the prediction counts; None counts all.
    higher_is
        Whether more of it is ``"better"``, ``"worse"`` or ``"neither"``.
    """

    of: Annotated[str, OneOf(OF)] = "either"
    _: KW_ONLY
    within: Annotated[str, Span()] | None = None
    higher_is: Annotated[str, OneOf(DIRECTIONS)] = "better"
    summary: ClassVar[Summary] = "mergeable"

    @property
    def metric(self) -> str:
        return f"coverage_of_{self.of}"

    def measured(self, records: ir.Table, /) -> dict[str, ir.Scalar]:
        """Return the share as ``value`` and all records as ``n``, of :func:`joined` ones."""
        came = ibis.literal(False)
        for column in _moments(self.of):
            came = _in_time(records, column, self.within) | came
        return mean(records, came)

    @classmethod
    def examples(cls) -> Iterator[Coverage]:
        yield cls()
        yield cls("labels", within="30d")


@rule
class Lag:
    """The median hours from a prediction to what first came back for it.

    Over what has come so far: in a young window only the fast ones have, so its lag is too
    low until :class:`Coverage` stops growing.

    Parameters
    ----------
    of
        What comes: ``"feedback"``, ``"labels"`` or ``"either"``, whichever is first.
    higher_is
        Whether longer is ``"better"``, ``"worse"`` or ``"neither"``.
    """

    of: Annotated[str, OneOf(OF)] = "labels"
    _: KW_ONLY
    higher_is: Annotated[str, OneOf(DIRECTIONS)] = "worse"

    @property
    def metric(self) -> str:
        return f"lag_of_{self.of}"

    def measured(self, records: ir.Table, /) -> dict[str, ir.Scalar]:
        """Return the median as ``value`` and what came as ``n``, of :func:`joined` records."""
        moments = [_seconds(_column(records, c)) for c in _moments(self.of)]
        first: Any = moments[0] if len(moments) == 1 else _earlier(*moments)
        hours: Any = (first - _seconds(records.predicted_at)) / 3600
        n: Any = records.count(where=hours.notnull())
        return {"value": hours.median(), "n": n.fill_null(0)}

    @classmethod
    def examples(cls) -> Iterator[Lag]:
        yield cls()
        yield cls("feedback")


def _moments(of: str) -> tuple[str, ...]:
    return {"feedback": (ANY_AT,), "labels": (LABEL_AT,), "either": (ANY_AT, LABEL_AT)}[of]


def _seconds(at: Any) -> Any:
    # Whole ones: some engines give fractions, others do not.
    return at.epoch_seconds().cast("float64").floor()


def _earlier(one: Any, other: Any) -> Any:
    """Return the smaller of two numbers, or the one that is there."""
    smaller: Any = ibis.ifelse(one < other, one, other)
    return ibis.ifelse(one.isnull(), other, ibis.ifelse(other.isnull(), one, smaller))


def _column(records: ir.Table, name: str) -> Any:
    if name not in records.columns:
        raise BadInput(
            f"the records have no column {name!r}.",
            fix="join them first: joined(records, feedback, labels, kinds=[...]), naming each kind.",
        )
    return records[name]


def _in_time(records: ir.Table, name: str, within: str | None) -> Any:
    """Return whether something came, soon enough; never null."""
    at = _column(records, name)
    if within is None:
        return at.notnull()
    due: Any = records.predicted_at
    due += ibis.interval(seconds=int(duration(within).total_seconds()))
    return (at <= due).fill_null(False)
