"""Metrics of lists: which rows belong to one query, session or user, beside the label of each.

A metric of lists says so by ``group``: ``"unit"``, or the name of a tag that records carry. It is
called as any other, ``(label, answer, weight)``, but each of its labels is a pair: the truth and
the list that the row is of. So whoever leaves out days, cohorts or halves need not know of lists.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidemill.core.errors import BadInput

UNIT, TAGS = "unit", "tags"
_LABEL, _LIST = "label", "group"


def group_of(metric: object) -> str:
    """Return what a metric's rows are grouped by, empty for a metric of single rows.

    Examples
    --------
    >>> from tidemill.measures import AUC, NDCG
    >>> group_of(NDCG(group="query")), group_of(AUC())
    ('query', '')
    """
    return str(getattr(metric, "group", "") or "")


def columns_of_groups(metrics: Iterable[object]) -> tuple[str, ...]:
    """Return which columns of records the groups of some metrics are in.

    Examples
    --------
    >>> from tidemill.measures import AUC, NDCG
    >>> columns_of_groups([AUC(), NDCG(), NDCG(group="query")])
    ('tags', 'unit')
    """
    names = {group_of(metric) for metric in metrics} - {""}
    return tuple(sorted({UNIT if name == UNIT else TAGS for name in names}))


def grouping(rows: pa.Table) -> dict[str, NDArray[Any]]:
    """Return the columns of a table that groups may be in; shape (n,) each."""
    found = [name for name in (UNIT, TAGS) if name in rows.column_names]
    return {name: rows[name].to_numpy(zero_copy_only=False) for name in found}


def truth_for(
    metric: object, label: NDArray[Any], columns: Mapping[str, NDArray[Any]]
) -> NDArray[Any]:
    """Return labels as a metric takes them: alone, or each beside its group.

    Parameters
    ----------
    metric
        Any metric.
    label
        The truth, one per row; shape (n,).
    columns
        The ``unit`` and the ``tags`` (JSON) of each row, as far as known.

    Raises
    ------
    BadInput
        If a row is of no group.

    Examples
    --------
    >>> from tidemill.measures import AUC, NDCG
    >>> label, units = np.array([1.0, 0.0, 1.0]), np.array(["ann", "ann", "bob"], dtype=object)
    >>> truth_for(NDCG(), label, {"unit": units}).tolist()
    [(1.0, 0), (0.0, 0), (1.0, 1)]
    >>> truth_for(AUC(), label, {}).tolist()
    [1.0, 0.0, 1.0]
    """
    if not group_of(metric):
        return label
    return beside(label, numbered_by(metric, columns, len(label)))


def numbered_by(
    metric: object, columns: Mapping[str, NDArray[Any]], rows: int
) -> NDArray[np.int64]:
    """Number the groups that a metric's rows are in; shape (rows,).

    Raises
    ------
    BadInput
        If a row is of no group.
    """
    name, said = group_of(metric), getattr(metric, "name", "the metric")
    column = columns.get(UNIT if name == UNIT else TAGS)
    values = np.full(rows, None, dtype=object) if column is None else column
    if name != UNIT:
        values = np.array([_tag(text, name) for text in values], dtype=object)
    without = sum(value is None or value != value for value in values)  # noqa: PLR0124 - NaN
    if without:
        what = "unit" if name == UNIT else f"tag {name!r}"
        one = 'unit="..."' if name == UNIT else f'tags={{"{name}": "..."}}'
        other = "a tag: group='query'" if name == UNIT else "the unit: group='unit'"
        raise BadInput(
            f"{said} is of lists, and {without:,} of {rows:,} rows have no {what}.",
            fix=f"log every record with {one}, or tell the metric {other}.",
        )
    return np.unique(values.astype(str), return_inverse=True)[1].astype(np.int64)


def _tag(text: object, name: str) -> str | None:
    tags = json.loads(text) if isinstance(text, str) and text else {}
    value = tags.get(name) if isinstance(tags, dict) else None
    return None if value is None else str(value)


def beside(label: NDArray[Any], group: NDArray[np.int64]) -> NDArray[Any]:
    """Put each label beside the number of its group; a structured array of shape (n,)."""
    pairs = np.empty(len(label), dtype=[(_LABEL, np.asarray(label).dtype), (_LIST, np.int64)])
    pairs[_LABEL], pairs[_LIST] = label, group
    return pairs


def parted(label: NDArray[Any], metric: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the labels and the groups of what :func:`beside` put together.

    Raises
    ------
    BadInput
        If there are no groups.
    """
    known = np.asarray(label)
    if known.dtype.names != (_LABEL, _LIST):
        raise BadInput(
            f"{metric} is of lists, and nothing says which rows belong together.",
            fix="pass truth_for(metric, label, {'unit': units}) in place of the labels.",
        )
    return known[_LABEL], known[_LIST]
