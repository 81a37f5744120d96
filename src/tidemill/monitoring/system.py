"""System signals that records hold: how long answers take, how many there are, how many fail.

What the serving process itself uses (processor, memory, open files) is read by
``adapters/telemetry``. Each of these is asked ``measured(records)`` and answers with aggregates for
``records.group_by(window).aggregate(...)``; when it is bad is left to a verdict rule.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

from ibis.expr import types as ir

from tidemill.core.durations import duration
from tidemill.core.errors import BadInput
from tidemill.core.limits import Between, Span
from tidemill.core.rule import rule


@rule
class Latency:
    """The latency below which a share of the answers stays, in milliseconds.

    Records without a latency are left out, and so are latencies that are negative or not finite;
    ``n`` counts what is left. Where only a part of the records is logged it is the quantile of
    that part, which is the same as of all only if who is logged has nothing to do with latency.

    Parameters
    ----------
    share
        The share of answers, such as 0.95.

    Examples
    --------
    >>> Latency(0.95).metric
    'latency_p95_ms'
    """

    share: Annotated[float, Between(0.0, 1.0)] = 0.95
    kind: ClassVar[str] = "system"
    column: ClassVar[str] = ""

    @property
    def metric(self) -> str:
        return f"latency_p{100 * self.share:g}_ms"

    def measured(self, records: ir.Table, /) -> dict[str, ir.Scalar]:
        (latency,) = _columns(records, self.metric, "latency_ms")
        # By comparison, which excludes NaN on every engine; Ibis's isinf is never true on Spark.
        fine = latency.between(0.0, sys.float_info.max).fill_null(False)
        return {"value": latency.quantile(self.share, where=fine), "n": fine.sum()}

    @classmethod
    def examples(cls) -> Iterator[Latency]:
        yield cls()
        yield cls(0.5)


@rule
class Throughput:
    """How many records a second were answered, over a whole base window.

    A record that was logged with probability ``p_log`` stands for ``1 / p_log`` records.

    Parameters
    ----------
    window
        The length of a base window, as the strategy has it.

    Examples
    --------
    >>> import ibis
    >>> records = ibis.memtable({"p_log": [0.5, 0.5, None]})
    >>> value = Throughput(window="5s").measured(records)["value"]
    >>> float(records.aggregate(value=value).execute()["value"][0])
    1.0
    """

    _: KW_ONLY
    window: Annotated[str, Span()] = "1d"
    kind: ClassVar[str] = "system"
    column: ClassVar[str] = ""

    @property
    def metric(self) -> str:
        return "records_per_second"

    def measured(self, records: ir.Table, /) -> dict[str, ir.Scalar]:
        (p_log,) = _columns(records, self.metric, "p_log")
        seconds = duration(self.window).total_seconds()
        return {"value": _stands_for(p_log).sum() / seconds, "n": records.count()}

    @classmethod
    def examples(cls) -> Iterator[Throughput]:
        yield cls()
        yield cls(window="1h")


@rule
class ErrorShare:
    """The share of records without an answer: neither an output nor a text nor a score.

    A record that was logged with probability ``p_log`` stands for ``1 / p_log`` records.

    Examples
    --------
    >>> ErrorShare().metric
    'error_share'
    """

    kind: ClassVar[str] = "system"
    column: ClassVar[str] = ""

    @property
    def metric(self) -> str:
        return "error_share"

    def measured(self, records: ir.Table, /) -> dict[str, ir.Scalar]:
        names = ("p_log", "output", "output_text", "score")
        p_log, output, text, score = _columns(records, self.metric, *names)
        failed = _missing(output) & text.isnull() & _missing(score)
        weight = _stands_for(p_log)
        total = weight.sum()
        return {"value": failed.ifelse(weight, 0.0).sum() / total, "n": records.count()}

    @classmethod
    def examples(cls) -> Iterator[ErrorShare]:
        yield cls()


def _columns(records: ir.Table, metric: str, *names: str) -> list[Any]:
    for name in names:
        if name not in records.columns:
            raise BadInput(
                f"{metric} needs the column {name!r}, which the records do not have.",
                fix=f"log {name}, or take {metric} out of the strategy.",
            )
    return [records[name] for name in names]


def _missing(number: Any) -> Any:
    """Tell where a number is missing; engines differ in whether NaN is null."""
    return number.isnull() | number.isnan()


def _stands_for(p_log: Any) -> Any:
    """Return how many records each one stands for; one, where no probability is known."""
    known = p_log.notnull() & (p_log > 0) & (p_log <= 1)
    return known.ifelse(1.0 / p_log, 1.0)
