"""A uniform sample of each group of rows, by the draw that was stored with the record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis
from ibis.expr import types as ir

from tidemill.core.rules import EMPHASIS


def sampled(
    rows: ir.Table,
    n: int,
    groups: Sequence[ir.Value],
    *,
    reweight: bool,
    whole: ir.BooleanValue | None = None,
) -> ir.Table:
    """Keep at most n rows of each group: a simple random sample without replacement.

    The rows kept of a group of N stand for it: their weight is multiplied by N / n.

    The rows with the smallest draw ``u_split`` are kept, so every engine keeps the same, and
    a later dataset keeps mostly the same rows of a group that has not changed much.

    Parameters
    ----------
    rows
        The reservoir, or a part of it.
    n
        How many rows to keep of a group; all of them when there are fewer.
    groups
        Values of a row; rows that agree in all of them, nulls too, are a group.
    reweight
        Whether they stand for it in training too; if not, ``emphasis`` takes the factor back.
    whole
        Rows to keep as they are, whatever their draw.

    References
    ----------
    .. [1] Särndal, Swensson, Wretman, "Model Assisted Survey Sampling", 1992, section 3.7.
    """
    names = [f"group_{k}" for k in range(len(groups))]
    more: dict[str, ir.Value] = dict(zip(names, groups, strict=True))
    more["whole_"] = ibis.literal(False) if whole is None else whole
    rows = rows.mutate(**more)
    # The id breaks ties; a version of the label tells apart what is one record twice.
    order = [rows.u_split, rows.record_id, rows.label_id]
    rows = rows.mutate(
        place_=ibis.row_number().over(group_by=names, order_by=order),
        total_=rows.count().over(group_by=names),
    )
    kept = rows.filter(ibis._.whole_ | (ibis._.place_ < n))
    total: Any = kept.total_.cast("float64")
    stands_for: Any = ibis.ifelse(kept.whole_, 1.0, ibis.greatest(1.0, total / float(n)))
    back = {} if reweight else {EMPHASIS: 1.0 / stands_for}
    kept = kept.mutate(weight=stands_for * kept.weight, **back)
    return kept.drop(*more, "place_", "total_")
