"""The promises of an inbox; run them on your own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tidemill.core.ports import Inbox, Parcel

Put = Callable[[list[str]], None]
"""Hands over one batch of records with these ids."""
MakeInbox = Callable[[Path], tuple[Inbox, Put]]


def check_inbox(make: MakeInbox) -> None:
    """Hold an inbox against every promise of its port.

    Parameters
    ----------
    make
        Makes one in an empty folder, with a function that hands over records by their ids.
    """
    for promise in INBOX:
        with tempfile.TemporaryDirectory(prefix="tidemill-") as folder:
            promise(make, Path(folder))


def what_is_handed_over_waits(make: MakeInbox, folder: Path) -> None:
    """What was handed over waits, in order and whole, however often one looks."""
    inbox, put = make(folder)
    assert _waiting(inbox, {}) == []
    put(["a", "b"])
    put(["c", "ü"])
    for _ in range(2):
        parcels = _waiting(inbox, {})
        assert _ids(parcels) == ["a", "b", "c", "ü"]
        assert {p.table for p in parcels} == {"records"}


def what_is_done_waits_no_more(make: MakeInbox, folder: Path) -> None:
    """What was taken in is not pending, before and after it is discarded."""
    inbox, put = make(folder)
    put(["a"])
    done = _done(inbox, {})
    assert _waiting(inbox, done) == []
    put(["b"])
    assert _ids(_waiting(inbox, done)) == ["b"]
    done = inbox.discard(done)
    assert _ids(_waiting(inbox, done)) == ["b"]
    done = inbox.discard(_done(inbox, done))
    assert _waiting(inbox, done) == []
    assert _waiting(inbox, inbox.discard(done)) == []


def every_row_is_taken_once(make: MakeInbox, folder: Path) -> None:
    """Taken in parcel by parcel, with more coming and stops in between, no row is lost or twice."""
    inbox, put = make(folder)
    taken: list[str] = []
    done: dict[str, int] = {}
    for k in range(12):
        put([f"r{k}"])
        if k % 2:
            for parcel in _waiting(inbox, done)[: 1 + k % 3]:
                taken += parcel.rows["record_id"].to_pylist()
                done[parcel.writer] = parcel.sequence
        if k % 4 == 3:  # elsewhere the process stopped before it came to discard
            done = inbox.discard(done)
    taken += _ids(_waiting(inbox, done))
    assert sorted(taken) == sorted(f"r{k}" for k in range(12))


def nothing_to_discard_is_fine(make: MakeInbox, folder: Path) -> None:
    """Discarding what is not there, or again, does nothing."""
    inbox, put = make(folder)
    assert _waiting(inbox, inbox.discard({})) == []
    inbox.discard({"somebody": 3})
    put(["a"])
    assert _ids(_waiting(inbox, inbox.discard({}))) == ["a"]


def _done(inbox: Inbox, done: dict[str, int]) -> dict[str, int]:
    return done | {p.writer: p.sequence for p in _waiting(inbox, done)}


def _waiting(inbox: Inbox, done: dict[str, int]) -> list[Parcel]:
    return list(inbox.pending(done))


def _ids(parcels: list[Any]) -> list[str]:
    return [i for p in parcels for i in p.rows["record_id"].to_pylist()]


INBOX: tuple[Callable[[MakeInbox, Path], None], ...] = (
    what_is_handed_over_waits,
    what_is_done_waits_no_more,
    every_row_is_taken_once,
    nothing_to_discard_is_fine,
)
"""The promises of an inbox."""
