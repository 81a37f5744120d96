"""Labels from a function: a rule, a larger model, a service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY
from datetime import datetime
from typing import Annotated, Any

import ibis
import pyarrow as pa
from ibis.expr import types as ir

from tidemill.core.durations import duration
from tidemill.core.limits import Between, Call, Span, Text
from tidemill.core.rule import rule


@rule
class Automatic:
    """Ask a function to label the chosen records.

    Such labels are marked as coming from a model: where a person or an outcome labels the
    same record, theirs counts.

    Parameters
    ----------
    labeller
        Takes the features of n records as a pandas DataFrame and returns n labels, numbers
        or texts; None where it does not know. It runs apart from the mill, under limits.
    name
        How its labels are signed.
    price
        What one label costs, in your currency.
    final_after
        How long after the prediction a label is taken as final.

    Examples
    --------
    >>> def long_haul(features):
    ...     return (features["distance"] > 2000).astype(float)
    >>> Automatic(long_haul, name="long haul").price
    0.0
    """

    labeller: Annotated[Callable[..., Any], Call()]
    _: KW_ONLY
    name: Annotated[str, Text()] = "automatic"
    price: Annotated[float, Between(0)] = 0.0
    final_after: Annotated[str, Span(zero=True)] = "0s"

    def __call__(self, reservoir: ir.Table, now: datetime, /) -> ir.Table:
        limit = ibis.literal(now - duration(self.final_after), type="timestamp('UTC', 6)")
        return reservoir.filter(reservoir.label_id.notnull(), reservoir.predicted_at <= limit)

    @classmethod
    def examples(cls) -> Iterator[Automatic]:
        yield cls(label_all_zero, name="zero", price=0.01, final_after="2d")


def label_all_zero(features: pa.Table) -> list[float]:
    """Label everything 0; for tests and examples."""
    return [0.0] * len(features)
