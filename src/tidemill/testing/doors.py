"""The promise of a door to data: every question answered as ``AsOf`` answers it from tables.

A store that knows a faster way to what a turn asks (:class:`tidemill.core.as_of.AsOf`) is
asked everything at many moments of worlds made to be awkward: late arrivals out of order,
several labels a record from several sources, labels before their record, features that were
known too late, records predicted at the same moment, records without label, draws with
unequal probabilities at several moments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr import types as ir

from tidemill.core.as_of import AsOf, moment
from tidemill.core.draws import row_hash
from tidemill.core.ports import Engine, Snapshot
from tidemill.core.records import CHOSEN, FEATURE, KNOWN, LABELS, MOMENT, RECORDS, TABLES, conform
from tidemill.testing.data import with_draws

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 12


@dataclass(frozen=True, kw_only=True)
class Told:
    """A world: what was stored, in the order in which it was chosen."""

    records: pa.Table
    labels: pa.Table
    chosen: tuple[pa.Table, ...] = ()

    @property
    def moments(self) -> tuple[datetime, ...]:
        """When to look: as labels and records arrive, at the end, before anything."""
        label = sorted(self.labels["available_at"].to_pylist())[len(self.labels) // 2]
        ahead = self.records.filter(
            pc.greater(self.records["predicted_at"], self.records["available_at"])
        )
        times = sorted((ahead if len(ahead) else self.records)["available_at"].to_pylist())
        days = (4.0, 9.0 * DAYS, -2.0)
        return (label, times[len(times) // 2], *(START + timedelta(days=d) for d in days))

    def arrival(self, at: datetime) -> datetime:
        """Return when the last record up to a moment came, or the moment itself."""
        times = self.records["available_at"].to_pylist()
        return max((t for t in times if t <= at), default=at)


Door = Callable[[datetime], AsOf]
"""Opens the door to data at a moment."""
MakeDoor = Callable[[Told], Door]
"""Stores a world."""
Question = Callable[[AsOf], Any]


@dataclass(frozen=True)
class Final:
    """A label rule: labels are final ``after`` some days; ``absent`` fills those missing."""

    after: float
    absent: float | None = None

    @property
    def final_after(self) -> str:
        return f"{round(self.after * 24)}h"

    @property
    def labeller(self) -> None:
        return None

    def __call__(self, reservoir: ir.Table, now: datetime, /) -> ir.Table:
        limit = moment(now - timedelta(days=self.after))
        rows = reservoir.filter(reservoir.predicted_at <= limit)
        if self.absent is None:
            return rows.filter(rows.label_id.notnull())
        missing = rows.label_id.isnull()
        label = ibis.ifelse(missing, ibis.literal(self.absent), rows.label)
        return rows.mutate(label=label, label_id=ibis.ifelse(missing, "absent", rows.label_id))


class _Plain:
    """Tables that hand out all they hold; the bounds are for skipping, and it skips nothing."""

    def __init__(self, told: Told) -> None:
        chosen = pa.concat_tables([CHOSEN.empty_table(), *told.chosen])
        self._rows = {"records": told.records, "labels": told.labels, "chosen": chosen}

    def append(self, table: str, rows: pa.Table, *, writer: str, sequence: int) -> bool:
        return False

    def snapshot(
        self,
        table: str,
        *,
        since: date | None = None,
        until: date | None = None,
        arrived: datetime | None = None,
    ) -> Snapshot:
        rows = self._rows.get(table, TABLES[table].empty_table())
        return Snapshot(schema=rows.schema, arrow=rows)

    def version(self, table: str) -> int:
        return 0

    def compact(self, table: str) -> None:
        return

    def erase(self, table: str, ids: Collection[str]) -> int:
        return 0


def check_door(
    make: MakeDoor,
    engine: Engine,
    *,
    worlds: int = 3,
    looks: int = 1,
    records: int = 60,
    also: Mapping[str, Question] | None = None,
) -> None:
    """Hold a door against the one over plain tables.

    Parameters
    ----------
    make
        Stores a world and returns what opens the door to it at a moment.
    engine
        Evaluates the expressions of the door over plain tables.
    worlds
        How many worlds to make; each is awkward in another way.
    looks
        At how many moments to look at each of them, five at most; other ones in other worlds.
    records
        How many records a world has.
    also
        More questions by name, such as the digest of a dataset; answers are compared.

    Raises
    ------
    AssertionError
        At the first answer that differs, saying to what, when, and in which world.
    """
    for seed in range(worlds):
        told = world(seed, records)
        door, plain = make(told), _Plain(told)
        for now in (told.moments[(seed + k) % len(told.moments)] for k in range(looks)):
            asked = {**questions(told, now), **(also or {})}
            for name, question in asked.items():
                theirs, ours = (question(view) for view in (AsOf(plain, engine, now), door(now)))
                where = f"{name} at {now} in world {seed}"
                assert ours == theirs, f"{where}: expected {theirs!r}, got {ours!r}"


def questions(told: Told, now: datetime) -> dict[str, Question]:
    """Return everything a turn asks, by name; each is a function of the door."""
    # Moments at which something came: bounds must lie on the right side of it.
    before, later = (told.arrival(now - timedelta(hours=h)) for h in (72, 7))
    soon, filled = Final(0.5), Final(2.0, absent=0.0)
    asked: dict[str, Question] = {
        "arrivals of all": lambda view: view.arrivals(None),
        "arrivals": lambda view: view.arrivals(before),
        "arrived": lambda view: _table(view.arrow(view.arrived(before, later))),
        "arrived, not yet over": lambda view: _table(
            view.arrow(view.arrived(later, now + timedelta(days=1)))
        ),
        "newest": lambda view: view.newest(7, since=before).to_pylist(),
        "features": lambda view: _features(view, told),
        "reservoir": _reservoir,
        "reservoir since, until": lambda view: _reservoir(view, since=before, until=later),
        "judged": lambda view: _nan(view.judged(soon, since=before)),
        "judged, with units": lambda view: _nan(
            view.judged(soon, since=before, also=("unit", "tags"))
        ),
        "judged, absent filled": lambda view: _nan(view.judged(filled, since=START)),
        "reopened": lambda view: view.reopened(before),
        "reopened of late": lambda view: view.reopened(later),
        "counted": lambda view: view.counted(soon, before),
        "counted, absent filled": lambda view: view.counted(filled, later),
    }
    return asked


_STORED = [
    "record_id",
    "predicted_at",
    "available_at",
    "row_hash",
    "p_log",
    "u_label",
    "f_a",
    "f_b",
]
_LABEL = ["label_id", "label", "label_text", "source_kind", "pi", "weight"]


def _table(rows: pa.Table) -> list[dict[str, Any]]:
    return _nan(rows.select(_STORED).sort_by("record_id"))


def _reservoir(view: AsOf, **span: datetime) -> list[dict[str, Any]]:
    rows = view.arrow(view.reservoir(**span))
    return _nan(rows.select([*_STORED, *_LABEL]).sort_by("record_id"))


def _nan(rows: pa.Table) -> list[dict[str, Any]]:
    """Return rows in their order; NaN, which is unlike itself, as a text."""
    return [
        {k: "NaN" if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
        for row in rows.to_pylist()
    ]


def _features(view: AsOf, told: Told) -> list[dict[str, Any]]:
    """Fetch records that are there, in an order that is none."""
    there = pc.less_equal(told.records["available_at"], pa.scalar(view.now, MOMENT))
    wanted = told.records.filter(there).select(["record_id", "predicted_at", "row_hash"])
    if not wanted.num_rows:
        return []
    places = np.random.default_rng(wanted.num_rows).permutation(wanted.num_rows)
    return _nan(view.features(wanted.take(pa.array(places))))


def world(seed: int, n: int = 60) -> Told:
    """Make a world from a seed; in every third nobody is late, and one record has one label.

    Examples
    --------
    >>> told = world(1, 30)
    >>> told.records.num_rows, len(told.chosen), told.labels.num_rows > 30
    (30, 4, True)
    """
    rng = np.random.default_rng([17, seed])
    tidy = seed % 3 == 2
    records = _records(rng, n, tidy)
    return Told(
        records=records,
        labels=_labels(rng, records, tidy),
        chosen=tuple(_chosen(rng, records)),
    )


def _records(rng: np.random.Generator, n: int, tidy: bool) -> pa.Table:  # noqa: FBT001
    at = np.sort(rng.integers(0, DAYS * 24 * 4, n)) * 15.0  # minutes; many at the same
    delay = np.ones(n) if tidy else rng.choice([-3.0, 0.0, 1.5, 600.0, 9000.0], n)
    known = rng.choice([-60.0, 0.0, 30.0], n)
    hole = rng.random(n) < 0.2
    rows = pa.table(
        {
            "record_id": pa.array([f"r{k}" for k in rng.permutation(n)], pa.string()),
            "predicted_at": _moments(at),
            "available_at": _moments(at + delay),
            "day": pa.array([(START + timedelta(minutes=m)).date() for m in at], pa.date32()),
            "model": pa.array(rng.choice(["v1", "v2"], n).tolist(), pa.string()),
            "output": pa.array(rng.integers(0, 2, n).astype(float)),
            "score": pa.array(rng.random(n), mask=hole),
            "p_log": pa.array(rng.choice([1.0, 0.5, 0.3], n)),
            FEATURE + "a": pa.array(rng.normal(size=n), mask=hole),
            FEATURE + "b": pa.array(rng.choice(["x", "y", "ß"], n).tolist(), pa.string()),
            KNOWN + "a": _moments(at + known, hole),
        }
    )
    seen = pc.less_equal(rows[KNOWN + "a"], rows["predicted_at"])
    shown = pc.if_else(pc.fill_null(seen, True), rows["f_a"], pa.scalar(None, pa.float64()))
    hashed = row_hash(pa.table({"f_a": shown, "f_b": rows["f_b"]}))
    rows = with_draws(rows)
    rows = rows.set_column(rows.column_names.index("row_hash"), "row_hash", hashed)
    return conform(rows.take(pa.array(rng.permutation(n))), RECORDS)


def _moments(minutes: Any, gone: Any = None) -> pa.Array:
    start = int(START.timestamp()) * 1_000_000
    whole = (np.asarray(minutes) * 60_000_000).astype(np.int64) + start
    return pa.array(whole, mask=gone).cast(MOMENT)


def _labels(rng: np.random.Generator, records: pa.Table, tidy: bool) -> pa.Table:  # noqa: FBT001
    """Give most records labels: of a few sources, in versions, some at the same moment."""
    times = np.ones(len(records), np.int64) if tidy else rng.choice([0, 1, 2, 4], len(records))
    rows = records.take(pa.array(np.repeat(np.arange(len(records)), times)))
    n = rows.num_rows
    delay = rng.choice([-2.0, 0.25, 1.0, 4.0, 30.0], n)  # days
    at = [
        t + timedelta(days=d) for t, d in zip(rows["predicted_at"].to_pylist(), delay, strict=True)
    ]
    text = rng.random(n) < 0.2
    labels = pa.table(
        {
            "record_id": rows["record_id"],
            "predicted_at": rows["predicted_at"],
            "available_at": pa.array(at, MOMENT),
            "day": rows["day"],
            "source": pa.array(["app"] * n, pa.string()),
            "label_id": pa.array([f"l{k}" for k in rng.permutation(n)], pa.string()),
            "label": pa.array(rng.integers(0, 2, n).astype(float), mask=text),
            "label_text": pa.array(["so"] * n, pa.string(), mask=~text),
            "source_kind": pa.array(
                rng.choice(["human", "outcome", "model", "else"], n).tolist(), pa.string()
            ),
        }
    )
    return conform(labels, LABELS)


def _chosen(rng: np.random.Generator, records: pa.Table) -> Iterator[pa.Table]:
    """Choose some of the records that have come, each once, every three days."""
    before = START - timedelta(days=1)
    for k in range(1, 5):
        now = START + timedelta(days=3 * k)
        ends = [pa.scalar(t, MOMENT) for t in (before, now)]
        came = records["available_at"]
        new = pc.and_(pc.greater_equal(came, ends[0]), pc.less(came, ends[1]))
        pi = float(rng.choice([0.3, 0.7, 1.0]))
        some = pc.and_(new, pc.less(records["u_label"], pi))
        rows = records.filter(some).select(["record_id", "predicted_at", "day"])
        n = rows.num_rows
        rows = rows.append_column("available_at", pa.array([now] * n, MOMENT))
        rows = rows.append_column("window", pa.array([str(k)] * n, pa.string()))
        yield conform(rows.append_column("pi", pa.array([pi] * n)), CHOSEN)
        before = now
