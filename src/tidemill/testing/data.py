"""Awkward data on purpose: empty, one row, unsorted, null, late, twice, tied, not ASCII.

Every table has the columns that a rule really sees, so a rule that survives these survives
what production brings. All of it is made from a seed and fixed times: two calls give the
same tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.costs import Costs
from tidemill.core.draws import draws, row_hash
from tidemill.core.records import KNOWN, MOMENT, RECORDS, bare, conform
from tidemill.core.rules import Facts, Fitted, Seen, SpotCheck, TestSet, TrainingData

_TRAINING = ("plain", "one_row", "unsorted", "nulls", "non_ascii")
NOW = datetime(2024, 3, 1, tzinfo=UTC)
"""The present, in all of this data."""

ROWS = 120
DAYS = 40
_WORDS = ("Zürich", "東京", "São Paulo", "naïve \x1f text", "🌊", "")


def records(n: int = ROWS, *, start: int = 0) -> pa.Table:
    """Return n ordinary records, ``r0000`` onwards, spread over the 40 days before ``NOW``.

    Parameters
    ----------
    n
        The number of rows.
    start
        The number of the first record.

    Examples
    --------
    >>> records(2)["record_id"].to_pylist()
    ['r0000', 'r0001']
    """
    rng = np.random.default_rng([7, start])
    ids = [f"r{start + k:04d}" for k in range(n)]
    at = [NOW - timedelta(days=DAYS) + k * timedelta(days=DAYS) / max(n, 1) for k in range(n)]
    rows = pa.table(
        {
            "record_id": pa.array(ids, pa.string()),
            "predicted_at": pa.array(at, MOMENT),
            "available_at": pa.array([t + timedelta(minutes=1) for t in at], MOMENT),
            "day": pa.array([t.date() for t in at], pa.date32()),
            "model": pa.array(["v1"] * n, pa.string()),
            "unit": pa.array([f"u{k % 7}" for k in range(n)], pa.string()),
            "output": pa.array((rng.random(n) < 0.4).astype(float)),
            "score": pa.array(rng.random(n)),
            "latency_ms": pa.array(rng.exponential(5.0, n)),
            "p_log": pa.array(np.ones(n)),
            "f_number": pa.array(rng.normal(size=n)),
            "f_text": pa.array([("a", "b", "c")[k % 3] for k in range(n)], pa.string()),
            "f_moment": pa.array([t - timedelta(hours=1) for t in at], MOMENT),
            "f_vector": pa.array([[float(k), 0.5] for k in range(n)], pa.list_(pa.float64())),
        }
    )
    return with_draws(rows)


def with_draws(rows: pa.Table) -> pa.Table:
    """Return rows in the schema of records, with the draws and the hash that belong to them."""
    ids = rows["record_id"].to_pylist()
    for name, values in draws("a salt for tests", ids).items():
        rows = _put(rows, name, pa.array(values))
    return conform(_put(rows, "row_hash", row_hash(rows)), RECORDS)


def awkward_records() -> dict[str, pa.Table]:
    """Return records by what is awkward about them; ``plain`` is not awkward at all."""
    return dict(_tables())


@cache
def _tables() -> dict[str, pa.Table]:
    return {name: make(records()) for name, make in _AWKWARD.items()}


@cache
def _reservoirs() -> dict[str, pa.Table]:
    tables = {name: reservoir(rows) for name, rows in _tables().items()}
    bald = tables["plain"]
    for name in ("label_id", "label", "source_kind"):
        bald = _put(bald, name, pa.nulls(bald.num_rows, bald[name].type))
    return {**tables, "unlabelled": bald}


def reservoir(rows: pa.Table) -> pa.Table:
    """Return records as the reservoir shows them: with pi, weight, and labels for most.

    Every fifth record has no label yet; labels are numbers, from all kinds of sources.
    """
    n = rows.num_rows
    place = np.arange(n)
    has = pa.array(place % 5 != 4)
    nothing = pa.scalar(None, pa.string())
    ids = pa.array([f"l{k:04d}" for k in place], pa.string())
    kinds = pa.array([("human", "outcome", "model")[k % 3] for k in place], pa.string())
    label = pa.array((place % 2).astype(float))
    rows = rows.drop_columns(["day", *(c for c in rows.column_names if c.startswith(KNOWN))])
    rows = _put(rows, "pi", pa.array(np.full(n, 0.5)))
    rows = _put(rows, "label_id", pc.if_else(has, ids, nothing))
    rows = _put(rows, "label", pc.if_else(has, label, pa.scalar(None, pa.float64())))
    rows = _put(rows, "label_text", pa.nulls(n, pa.string()))
    rows = _put(rows, "source_kind", pc.if_else(has, kinds, nothing))
    return _put(rows, "weight", pa.array(np.full(n, 2.0)))


def awkward_reservoirs() -> dict[str, pa.Table]:
    """Return reservoirs by what is awkward about them, one without any label among them."""
    return dict(_reservoirs())


def awkward_times() -> dict[str, npt.NDArray[np.datetime64]]:
    """Return times of prediction, as a holdout gets them."""
    tables = awkward_records().items()
    return {k: t["predicted_at"].to_numpy().astype("datetime64[us]") for k, t in tables}


def awkward_training() -> dict[str, TrainingData]:
    """Return data to train on, never empty: the mill does not train on nothing."""
    tables = {k: t for k, t in awkward_reservoirs().items() if k in _TRAINING}
    return {name: _training(table) for name, table in tables.items()}


def _training(table: pa.Table) -> TrainingData:
    rows = table.filter(pc.is_valid(table["label"]))
    return TrainingData(
        features=bare(rows),
        label=np.array(rows["label"].to_numpy()),
        weight=np.array(rows["weight"].to_numpy()),
    )


def awkward_answers() -> dict[str, dict[str, npt.NDArray[Any]]]:
    """Return label, output, score, weight, day, unit and tags of labelled rows, as metrics get them."""
    rng = np.random.default_rng(11)
    n = ROWS
    label = (rng.random(n) < 0.4).astype(float)
    plain: dict[str, npt.NDArray[Any]] = {
        "label": label,
        "output": np.where(rng.random(n) < 0.8, label, 1 - label),
        "score": np.clip(0.6 * label + 0.4 * rng.random(n), 0, 1),
        "weight": rng.uniform(1, 3, n),
        "day": np.datetime64("2024-02-01") + np.arange(n) // 6,
        "unit": np.array([f"u{k // 3}" for k in range(n)], dtype=object),
        "tags": np.array([f'{{"query": "q{k // 4}"}}' for k in range(n)], dtype=object),
    }
    words = np.array(["no", "yes"], dtype=object)
    texts = {k: words[plain[k].astype(int)] for k in ("label", "output")}
    holes = {k: np.where(np.arange(n) % 9 == 0, np.nan, plain[k]) for k in ("label", "score")}
    return {
        "plain": plain,
        "empty": {k: v[:0] for k, v in plain.items()},
        "one_row": {k: v[:1] for k, v in plain.items()},
        "one_day": {**plain, "day": np.repeat(plain["day"][:1], n)},
        "one_class": {**plain, "label": np.ones(n)},
        "nulls": {**plain, **holes},
        "no_weight": {**plain, "weight": np.zeros(n)},
        "texts": {**plain, **texts},
        "unsorted": {k: v[::-1].copy() for k, v in plain.items()},
    }


def awkward_tests() -> dict[str, TestSet]:
    """Return what a gate gets: labelled rows and the answers of a candidate and a champion."""
    return {name: _test(rows) for name, rows in awkward_answers().items()}


def _test(rows: dict[str, npt.NDArray[Any]]) -> TestSet:
    candidate = {k: rows[k] for k in ("output", "score")}
    champion = {k: v[::-1].copy() for k, v in candidate.items()}
    return TestSet(
        label=rows["label"],
        weight=rows["weight"],
        day=rows["day"],
        answers={"candidate": candidate, "champion": champion},
    )


def awkward_facts() -> dict[str, Facts]:
    """Return what a trigger may look at; in ``plain`` a champion gets worse after 20 days."""
    times = {"never": None, "just_now": NOW, "long_ago": NOW - timedelta(days=900)}
    bald = {k: Facts(now=NOW, last_triggered=at, asked=None) for k, at in times.items()}
    start, seen = NOW - timedelta(days=DAYS), tuple(_seen(k) for k in range(DAYS))
    fits = tuple(Fitted(at=start, rows=n, seconds=2 + n / 500) for n in (1000, 3000))
    plain = replace(
        bald["just_now"],
        last_triggered=start,
        live_since=start,
        records=200 * DAYS,
        labels=100 * DAYS,
        windows=seen,
        arrived=seen,
        triggered=(start - timedelta(days=1), start),
        fits=fits,
        costs=Costs(label=0.01, second=1.0, error=0.5, review=1.0),
    )
    hole: dict[str, Any] = {"values": {"accuracy": float("nan")}, "shares": {"1.0": float("nan")}}
    windows: dict[str, tuple[Seen, ...]] = {
        "one_window": seen[:1],
        "holes": tuple(replace(w, **hole) if k % 3 else w for k, w in enumerate(seen)),
        "unlabelled": tuple(replace(w, labelled=0) for w in seen),
        "nothing_measured": tuple(replace(w, values={}, shares={}) for w in seen),
        "all_alike": tuple(replace(_seen(0), start=w.start, end=w.end) for w in seen),
        "no_records": tuple(replace(w, records=0, labelled=0, values={}) for w in seen),
    }
    return {
        **bald,
        "plain": plain,
        "asked": replace(bald["just_now"], asked="Zoë"),
        **{k: replace(plain, windows=v, arrived=v) for k, v in windows.items()},
        "no_costs": replace(plain, costs=None),
        "free": replace(plain, costs=Costs()),
        "no_fits": replace(plain, fits=()),
        "same_fits": replace(plain, fits=fits[:1] * 3),
        "many_retrains": replace(plain, triggered=tuple(w.start for w in seen)),
    }


def _seen(k: int) -> Seen:
    """Return the k-th day: the share of errors wavers, and grows from the 20th on."""
    wrong = 0.12 + 0.01 * ((7 * k) % 5 - 2) / 2 + 0.013 * max(0, k - 20)
    start = NOW - timedelta(days=DAYS - k)
    worse = ("log_loss", "brier", "mae", "mse")
    return Seen(
        start=start,
        end=start + timedelta(days=1),
        records=200,
        labelled=100,
        settled=k < DAYS - 2,
        values={"accuracy": 1 - wrong, "auc": 1 - wrong / 2} | dict.fromkeys(worse, wrong),
        shares={"1.0": 0.4 - wrong / 2, "0.0": 0.6 + wrong / 2},
    )


def awkward_spot_checks() -> dict[str, SpotCheck]:
    """Return what a spot check may have seen; only ``plain`` and ``first`` are fit to go on."""
    fit: dict[str, Any] = {"asked": 10, "answered": 10, "missing": 0, "latency_ms": 0.5}
    nan = float("nan")
    return {
        "plain": SpotCheck(**fit, agree=0.9),
        "first": SpotCheck(**fit, agree=nan),
        "nothing": SpotCheck(asked=0, answered=0, missing=0, latency_ms=0.0, agree=nan),
        "short": SpotCheck(asked=10, answered=9, missing=0, latency_ms=0.5, agree=0.9),
        "missing": SpotCheck(asked=10, answered=10, missing=1, latency_ms=0.5, agree=0.9),
        "error": SpotCheck(
            asked=10, answered=0, missing=0, latency_ms=0.0, agree=nan, error="it does not load"
        ),
    }


def _put(rows: pa.Table, name: str, values: Any) -> pa.Table:
    if name in rows.column_names:
        return rows.set_column(rows.column_names.index(name), name, values)
    return rows.append_column(name, values)


def _unsorted(rows: pa.Table) -> pa.Table:
    return rows.take(pa.array(np.random.default_rng(3).permutation(rows.num_rows)))


def _nulls(rows: pa.Table) -> pa.Table:
    """Leave out what a record may lack: all but its id, its times and its draws."""
    keep = {"record_id", "predicted_at", "available_at", "day", "p_log"}
    hole = pa.array(np.arange(rows.num_rows) % 3 == 0)
    for name in rows.column_names:
        if name not in keep and not name.startswith("u_"):
            kind = rows[name].type
            if pa.types.is_list(kind):
                values = [
                    None if h.as_py() else v
                    for h, v in zip(hole, rows[name].to_pylist(), strict=True)
                ]
                rows = _put(rows, name, pa.array(values, kind))
            else:
                rows = _put(rows, name, pc.if_else(hole, pa.scalar(None, kind), rows[name]))
    return with_draws(rows)


def _late(rows: pa.Table) -> pa.Table:
    """Let a third arrive a month after its prediction, so that order and arrival differ."""
    late = [k % 3 == 0 for k in range(rows.num_rows)]
    at = rows["predicted_at"].to_pylist()
    arrived = [t + timedelta(days=30 * x) for t, x in zip(at, late, strict=True)]
    return _put(rows, "available_at", pa.array(arrived, MOMENT))


def _ties(rows: pa.Table) -> pa.Table:
    """Give all the same draw and the same time, so that only the id tells them apart."""
    rows = _put(rows, "u_label", pa.array(np.full(rows.num_rows, 0.5)))
    return _put(rows, "predicted_at", pa.array([NOW - timedelta(days=1)] * rows.num_rows, MOMENT))


def _non_ascii(rows: pa.Table) -> pa.Table:
    ids = [f"{_WORDS[k % len(_WORDS)]}-{k}" for k in range(rows.num_rows)]
    rows = _put(rows, "record_id", pa.array(ids, pa.string()))
    words = [_WORDS[k % len(_WORDS)] for k in range(rows.num_rows)]
    return with_draws(_put(rows, "f_text", pa.array(words, pa.string())))


_AWKWARD: dict[str, Callable[[pa.Table], pa.Table]] = {
    "plain": lambda rows: rows,
    "empty": lambda rows: rows.slice(0, 0),
    "one_row": lambda rows: rows.slice(0, 1),
    "unsorted": _unsorted,
    "nulls": _nulls,
    "late": _late,
    "duplicated_ids": lambda rows: pa.concat_tables([rows, rows.slice(0, 20)]),
    "ties": _ties,
    "non_ascii": _non_ascii,
}
