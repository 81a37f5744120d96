"""How the dataset of a candidate differs from the champion's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.ports import Json
from tidemill.loop.datasets.manifest import Manifest
from tidemill.statistics import n_effective, weighted_mean

_CLASSES = 20
"""Numbers of more values than these are described by their mean, not value by value."""
_LISTED = 100
"""Classes whose share is written down, the most frequent of both datasets first."""


def difference(old: Manifest | None, new: Manifest) -> Json:
    """Compare what two models learn from: the rows for training, as plain JSON.

    Parameters
    ----------
    old
        The dataset before; None when there was none.
    new
        The dataset now.

    Returns
    -------
    dict
        ``rows``, ``effective`` (Kish's effective number of rows), ``span`` (first and last
        prediction) and ``label``, each with ``before`` and ``after``; how many records were
        ``kept``, ``added`` and ``dropped``, and ``relabelled`` among the kept; the
        ``features`` ``gained`` and ``lost``. Of labels that are classes ``shares`` has the
        weighted share of each, the rarest but a hundred summed up in ``others``; of other
        numbers there are the weighted ``mean`` and ``sd``. What is not known is None.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> rows = pa.table({"record_id": ["a", "b"], "predicted_at": [datetime(2024, 1, 1, tzinfo=UTC)] * 2,
    ...                  "label_id": ["1", "2"], "label": [0.0, 1.0], "label_text": pa.nulls(2, pa.string()),
    ...                  "weight": [3.0, 1.0], "split": ["train", "train"]})
    >>> found = difference(None, Manifest(rows=rows))
    >>> found["added"], found["label"]["after"], found["effective"]["after"]
    (2, {'shares': {'0': 0.75, '1': 0.25}, 'others': 0.0}, 1.6)
    """
    before, after = None if old is None else _train(old), _train(new)
    same = _kept(before, after)
    pair = {"before": before, "after": after}
    had = new.features if old is None else old.features
    return {
        "rows": {k: None if t is None else t.num_rows for k, t in pair.items()},
        "kept": same.num_rows,
        "added": after.num_rows - same.num_rows,
        "dropped": 0 if before is None else before.num_rows - same.num_rows,
        "relabelled": int(pc.sum(pc.not_equal(same["before"], same["after"])).as_py() or 0),
        "effective": {k: None if t is None else _effective(t) for k, t in pair.items()},
        "span": {k: None if t is None else _span(t) for k, t in pair.items()},
        "label": _labels(pair),
        "features": {
            "gained": [name for name in new.features if name not in had],
            "lost": [name for name in had if name not in new.features],
        },
    }


def _train(manifest: Manifest) -> pa.Table:
    if not manifest.count("test"):
        return manifest.rows
    return manifest.rows.filter(pc.equal(manifest.rows["split"], "train"))


def _kept(before: pa.Table | None, after: pa.Table) -> pa.Table:
    """Return the label ids, ``before`` and ``after``, of the records that are in both."""
    now = after["label_id"]
    if before is None:
        return pa.table({"before": now[:0], "after": now[:0]})
    place = pc.index_in(after["record_id"], before["record_id"])
    there = pc.is_valid(place)
    then = before["label_id"].take(place.filter(there))
    return pa.table({"before": then, "after": now.filter(there)})


def _effective(rows: pa.Table) -> float:
    return round(n_effective(rows["weight"].to_numpy()), 1)


def _span(rows: pa.Table) -> list[str] | None:
    ends = pc.min_max(rows["predicted_at"]).as_py()
    return None if ends["min"] is None else [ends[k].isoformat() for k in ("min", "max")]


def _labels(pair: dict[str, pa.Table | None]) -> Json:
    """Describe the labels of both datasets in the same way: as classes, or as numbers."""
    there = {k: rows for k, rows in pair.items() if rows is not None}
    numbers = pa.chunked_array([c for t in there.values() for c in t["label"].chunks], pa.float64())
    classes = pc.count_distinct(numbers).as_py() <= _CLASSES
    told = _classes(there) if classes else {k: _moments(t) for k, t in there.items()}
    return {k: told.get(k) for k in pair}


def _moments(rows: pa.Table) -> Json:
    label, weight = rows["label"].to_numpy(), rows["weight"].to_numpy()
    mean = weighted_mean(label, weight)
    variance = weighted_mean((label - mean) ** 2, weight)
    return {"mean": _rounded(mean), "sd": _rounded(np.sqrt(variance))}


def _classes(tables: dict[str, pa.Table]) -> dict[str, Json]:
    shares = {k: _shares(rows) for k, rows in tables.items()}
    names = sorted({name for told in shares.values() for name in told})
    names.sort(key=lambda name: -sum(told.get(name, 0.0) for told in shares.values()))
    listed = sorted(names[:_LISTED])
    return {
        k: {
            "shares": {name: round(told.get(name, 0.0), 6) for name in listed},
            "others": round(sum(told.get(name, 0.0) for name in names[_LISTED:]) + 0.0, 6),
        }
        for k, told in shares.items()
    }


def _shares(rows: pa.Table) -> dict[str, float]:
    """Return the weighted share of each label, by name; nothing when no row has weight."""
    # One thread adds in the order of the rows, so the last digit is always the same.
    groups = rows.group_by(["label", "label_text"], use_threads=False)
    sums = groups.aggregate([("weight", "sum")]).to_pylist()
    total = sum(row["weight_sum"] for row in sums)
    shares: dict[str, float] = {}
    for row in sums if total else ():
        name = str(row["label_text"]) if row["label"] is None else _name(row["label"])
        shares[name] = shares.get(name, 0.0) + row["weight_sum"] / total
    return shares


def _name(number: float) -> str:
    return repr(number).removesuffix(".0")


def _rounded(value: Any) -> float | None:
    return float(f"{value:.9g}") if np.isfinite(value) else None
