"""What is known of erased records: when they went and which models saw them, never who they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.erasure import hidden
from tidemill.core.machines import RELEASE
from tidemill.core.ports import Json, World
from tidemill.loop.datasets import Manifest

BOOK = "erasures"
"""The ledger of erasures that are done."""
BEGUN = "erasing"
"""The fact that names those that were begun and are not done, by what was hidden of their names."""


def entries(world: World, key: str) -> list[Json]:
    """Return the erasures that are done of what a key stands for."""
    return [row for row in world.state.rows(BOOK) if row["of"] == key]


def records(world: World) -> dict[str, str]:
    """Return the hidden ids of all erased records, each with the window it was chosen in, or ""."""
    known = [*world.state.rows(BOOK), *(world.state.fact(BEGUN) or {}).values()]
    return {name: window for entry in known for name, window in entry["records"].items()}


def by_window(world: World) -> Counter[str]:
    """Count the erased records by the window in which they were chosen."""
    return Counter(window for window in records(world).values() if window)


def leave_out(world: World, rows: pa.Table) -> tuple[pa.Table, int]:
    """Leave out rows of records that were erased: no file or spool brings them back."""
    gone = records(world)
    if not gone:
        return rows, 0
    ids = rows["record_id"].to_pylist()
    keep = [i is None or hidden(world.salt, str(i)) not in gone for i in ids]
    return rows.filter(pa.array(keep, pa.bool_())), len(keep) - sum(keep)


def of_record(world: World, name: str) -> Json | None:
    """Say when a record was erased, and which models had seen it; None when it was not."""
    key = hidden(world.salt, name)
    for row in world.state.rows(BOOK):
        if key in row["records"]:
            saw = seen_by(world, pa.array([], pa.string()), {key})
            return {"at": row["at"], "who": row["who"], "releases": list(saw)}
    return None


def seen_by(world: World, ids: pa.Array, hidden_ids: set[str]) -> Iterator[Json]:
    """Yield each release that learnt from some records, or was tested on them, the oldest first.

    Parameters
    ----------
    ids
        Records that are there.
    hidden_ids
        Those that were erased before.
    """
    for machine in world.state.machines(RELEASE):
        dataset, test = machine.payload.get("dataset"), machine.payload.get("test") or {}
        counts: Counter[str] = Counter()
        if dataset:
            manifest = _manifest(world, dataset["blob"])
            mine = manifest.rows.filter(pc.is_in(manifest.rows["record_id"], ids))["split"]
            counts.update(mine.to_pylist())
            counts.update(s for h, s in manifest.erased.items() if h in hidden_ids)
        if test.get("blob"):
            manifest = _manifest(world, test["blob"])
            there = pc.sum(pc.is_in(manifest.rows["record_id"], ids)).as_py() or 0
            counts["test"] = max(
                counts["test"], there + sum(h in hidden_ids for h in manifest.erased)
            )
        if any(counts.values()):
            yield {
                "release": machine.id,
                "state": machine.state,
                "dataset": "ds-" + dataset["digest"][:12] if dataset else None,
                "learnt_from": counts["train"],
                "tested_on": counts["test"],
            }


def _manifest(world: World, blob: str) -> Manifest:
    return Manifest.from_bytes(world.blobs.get("datasets", blob))


def number(world: World, blob: str) -> int:
    """Return how many rows of a dataset were erased since it was formed."""
    return len(_manifest(world, blob).erased)


def forgotten(value: Any, ids: set[str], moved: dict[str, str], quoted: set[str]) -> Any:
    """Return a JSON value without what names erased records.

    Parameters
    ----------
    ids
        Of the records: they leave the lists of example rows.
    moved
        The new digest of each manifest that was rewritten.
    quoted
        Reasons for which rows were quarantined that quote a value.
    """
    if isinstance(value, str):
        return moved.get(value, value)
    if isinstance(value, list):
        return [forgotten(v, ids, moved, quoted) for v in value if not _is_in(v, ids)]
    if not isinstance(value, dict):
        return value
    made: Json = {}
    for key, one in value.items():
        if key in quoted and isinstance(one, int):
            made[_GONE] = made.get(_GONE, 0) + one
        else:
            at_rows = ids if key == "rows" else set[str]()
            made[key] = forgotten(one, at_rows, moved, quoted)
    return made


_GONE = "the reason quoted a row that was erased"


def _is_in(value: Any, ids: set[str]) -> bool:
    if isinstance(value, dict):
        return value.get("record_id") in ids
    return isinstance(value, str) and value in ids
