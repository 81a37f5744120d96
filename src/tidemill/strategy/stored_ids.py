"""Which records are stored, so that looking for the ids of a batch costs what the batch costs.

To look for a few ids among all records is to go through all of them, which an import of many
batches cannot do for each. So after a few batches all are gone through once, and each id is known
by 48 bits of a hash and the day of its record: what has none of these hashes is not stored, and
the rest is looked for on those days alone. An id that is stored is always found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tidemill.core.as_of import AsOf
from tidemill.core.records import MOMENT, RECORDS

DIRECT = 2
"""Batches that are looked for among all records before these are gone through once: so much it costs."""
MOST = 1 << 26
"""Ids that are known at most, at eight bytes each; beyond, each batch goes through all records."""
_AT_ONCE = 1_000_000
"""Records that are gone through at a time, or those of one day."""
_SPANS = 8
"""Stretches of days that are asked for one by one; more are asked for at once."""
_ANY = 0xFFFF
"""The day of a record that lies on none from 1970 to 2149: it may be any."""
_START, _DAY = datetime(1970, 1, 1, tzinfo=UTC), 86_400_000_000
Keys = npt.NDArray[np.uint64]
_CUTS: Keys = np.arange(1, 64, dtype=np.uint64) << np.uint64(58)


class StoredIds:
    """The ids of the records that are stored, while nobody else stores any.

    Examples
    --------
    >>> known = Known()
    >>> known.add(keys_of(["a", "b"], np.array([3, 4])))
    >>> there, days = known.look(keys_of(["b", "c"]))
    >>> there.tolist(), days.tolist()
    ([True, False], [4])
    """

    def __init__(self) -> None:
        self._asked = 0
        self._known: Known | None = None

    def find(self, view: AsOf, ids: pa.ChunkedArray, columns: Sequence[str]) -> pa.Table:
        """Return columns of the stored records that have one of some ids."""
        self._asked += 1
        if self._known is None and self._asked > DIRECT:
            self._known = Known()
            for more in _all(view):
                self._known.add(more)
        if self._known is None or self._known.size > MOST:
            return _found(view, ids, columns, {})
        there, days = self._known.look(keys_of(ids.to_pylist()))
        wanted = ids.filter(pa.array(there))
        found = [_found(view, wanted, columns, span) for span in _spans(days)]
        if not found:
            return pa.schema([RECORDS.field(name) for name in columns]).empty_table()
        return pa.concat_tables(found)

    def add(self, rows: pa.Table) -> None:
        """Know records that were stored since."""
        if self._known is not None:
            self._known.add(_keys(rows))


class Known:
    """Keys in parts by their first bits, so that to merge some of them takes little memory.

    A part is sorted runs, of which none is less than twice as long as the next.
    """

    def __init__(self) -> None:
        self._parts: list[list[Keys]] = [[] for _ in range(len(_CUTS) + 1)]

    @property
    def size(self) -> int:
        """How many keys there are."""
        return sum(len(run) for runs in self._parts for run in runs)

    def add(self, keys: Keys) -> None:
        """Add some keys."""
        keys = np.sort(keys)
        for runs, some in zip(self._parts, _parted(keys, keys), strict=True):
            if len(some):
                runs.append(some.copy())
            while len(runs) > 1 and len(runs[-2]) < 2 * len(runs[-1]):
                run = np.concatenate([runs.pop(), runs.pop()])
                run.sort()
                runs.append(run)

    def look(self, keys: Keys) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Tell which keys may be there, by their hashes, and on which days those are."""
        order = np.argsort(keys)
        low = keys[order] & ~np.uint64(_ANY)
        there, days = np.zeros(len(keys), dtype=bool), [np.zeros(0, np.int64)]
        parts = zip(self._parts, _parted(low, low), _parted(low, order), strict=True)
        for run, some, places in ((r, s, p) for runs, s, p in parts for r in runs):
            first = np.searchsorted(run, some)
            n = np.searchsorted(run, some | np.uint64(_ANY), side="right") - first
            there[places] |= n > 0
            found = np.repeat(first - (np.cumsum(n) - n), n) + np.arange(n.sum())
            days.append((run[found] & np.uint64(_ANY)).astype(np.int64))
        return there, np.unique(np.concatenate(days))


def _parted(keys: Keys, values: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """Part values by the first bits of their keys, which are sorted."""
    return np.split(values, np.searchsorted(keys, _CUTS))


def keys_of(ids: Iterable[str], days: npt.NDArray[np.integer] | None = None) -> Keys:
    """Return the keys of ids: 48 bits of a hash, then the day."""
    hashes = np.fromiter(map(hash, ids), np.int64).view(np.uint64) << np.uint64(16)
    if days is None:
        return hashes
    within = (days >= 0) & (days < _ANY)
    return hashes | np.where(within, days, _ANY).astype(np.uint64)


def _keys(rows: pa.Table) -> Keys:
    """Return the keys of records."""
    micros = rows["predicted_at"].cast(MOMENT).cast(pa.int64()).to_numpy()
    return keys_of(rows["record_id"].to_pylist(), micros // _DAY)


def _all(view: AsOf) -> Iterator[Keys]:
    """Go through all records, some days at a time."""
    rows = view.table("records")
    day = ibis._.predicted_at.epoch_seconds() // 86_400
    counts = view.arrow(rows.group_by(day=day).aggregate(n=rows.count()).order_by("day"))
    days, n = counts["day"].to_numpy(), counts["n"].to_numpy()
    parts = (np.cumsum(n) - 1) // _AT_ONCE
    for part in np.unique(parts):
        held = days[parts == part]
        rows = view.table("records", **_span(held[0], held[-1]))
        yield _keys(view.arrow(rows.select("record_id", "predicted_at")))


def _spans(days: npt.NDArray[np.int64]) -> list[dict[str, datetime]]:
    """Return the stretches of time in which days lie; one for all of them where they are many."""
    if not len(days):
        return []
    if days[-1] == _ANY:
        return [{}]
    stretches = np.split(days, np.flatnonzero(np.diff(days) > 1) + 1)
    stretches = stretches if len(stretches) <= _SPANS else [days]
    return [_span(some[0], some[-1]) for some in stretches]


def _span(first: np.int64, last: np.int64) -> dict[str, datetime]:
    start = _START + timedelta(days=int(first))
    return {"since": start, "until": start + timedelta(days=int(last - first) + 1)}


def _found(
    view: AsOf, ids: pa.ChunkedArray, columns: Sequence[str], span: dict[str, datetime]
) -> pa.Table:
    stored = view.table("records", **span).select(*columns)
    return view.arrow(stored.semi_join(ibis.memtable(pa.table({"record_id": ids})), "record_id"))
