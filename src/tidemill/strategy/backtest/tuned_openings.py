"""How often the late part of a history was looked at: what is opened twice is no longer unseen."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pyarrow as pa
from pyarrow import ipc

from tidemill.adapters.stores.history import History
from tidemill.core.errors import Damaged
from tidemill.core.ports import Json, StateStore

BOOK = "openings"
"""The ledger with a row for each time that a late part was opened."""
FILE = "openings.json"
_LEVEL, _MOST = 0.05, 0.999999


class Openings(Protocol):
    """Counts the openings of late parts."""

    def add(self, opened: Json) -> int:
        """Write down an opening; returns how many there are of this late part, with this one."""
        ...


class FileOpenings:
    """Openings in a file of a folder, one line each, so that none is lost to another.

    Parameters
    ----------
    folder
        Where the file is; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def add(self, opened: Json) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(opened, sort_keys=True) + "\n")
        return sum(row.get("late") == opened["late"] for row in self._rows())

    def _rows(self) -> list[Json]:
        found: list[Json] = []
        for k, line in enumerate(self.path.read_text(encoding="utf-8").splitlines()):
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                raise Damaged(
                    f"line {k + 1} of {self.path} is no opening.",
                    fix="remove the line; the opening that it was is not counted any more.",
                ) from None
            found.append(row)
        return found


class StateOpenings:
    """Openings in the state of a project.

    Parameters
    ----------
    state
        The project's state.
    """

    def __init__(self, state: StateStore) -> None:
        self._state = state

    def add(self, opened: Json) -> int:
        n = len(self._state.rows(BOOK))
        while not self._state.add_row(BOOK, f"{n}", opened):
            n += 1  # another process was faster
        rows = self._state.rows(BOOK)
        return sum(row.get("late") == opened["late"] for row in rows)


def confidence(openings: int) -> float:
    """Return the confidence of an interval when the late part was opened so often.

    With k openings there were k chances to be lucky, so each may fail with 0.05 / k only.

    References
    ----------
    Dunn, O. J. (1961). Multiple comparisons among means. Journal of the American Statistical
    Association 56, 52-64.

    Examples
    --------
    >>> confidence(1), confidence(5)
    (0.95, 0.99)
    """
    return min(_MOST, 1 - _LEVEL / max(1, openings))


def late_key(history: History, start: datetime, end: datetime) -> str:
    """Name the late part of a history by what is in the history, and where the part lies."""
    parts = [
        content_of(history.records),
        content_of(history.tables["labels"]),
        f"{start.isoformat()} {end.isoformat()}",
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


_TOLD = ("record_id", "row_hash", "predicted_at", "available_at", "label_id", "label", "label_text")


def content_of(rows: pa.Table) -> str:
    """Hash what records or labels hold.

    Examples
    --------
    >>> content_of(pa.table({"record_id": ["a"]})) == content_of(pa.table({"record_id": ["b"]}))
    False
    """
    named = rows.select([n for n in _TOLD if n in rows.column_names]).combine_chunks()
    # A slice is written as what it is, not as what it is cut from.
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, named.schema) as stream:
        stream.write_table(named)
    return hashlib.sha256(memoryview(sink.getvalue())).hexdigest()
