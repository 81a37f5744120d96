"""A bench for one store: how a promise opens it, and what it may ask of it.

A promise is a function of its own, so that a test run can show each by name; a suite collects
those of one port. A store is made by ``make(folder)``; called again with the same folder it
opens the same store, unless it keeps nothing (``lasting=False``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from tidemill.core.errors import TidemillError
from tidemill.core.ports import Engine

S = TypeVar("S")


@dataclass(frozen=True, kw_only=True)
class Bench(Generic[S]):
    """What a suite needs to know of the store it looks at.

    Parameters
    ----------
    make
        Opens the store of a folder.
    folder
        An empty folder of its own.
    lasting
        Whether a store opened again holds what the one before it held.
    engine
        Reads snapshots of events.
    damage
        Changes one stored blob behind the store's back: ``(store, folder, kind, digest)``.
    """

    make: Callable[[Path], S]
    folder: Path
    lasting: bool = True
    engine: Engine | None = None
    damage: Callable[[S, Path, str, str], None] | None = None

    def open(self) -> S:
        return self.make(self.folder)


def hold(promises: tuple[Callable[[Any], None], ...], bench: Callable[[Path], Any]) -> None:
    """Hold a store against each of some promises, in an empty folder of its own."""
    for promise in promises:
        with tempfile.TemporaryDirectory(prefix="tidemill-") as folder:
            promise(bench(Path(folder)))


def refused(kind: type[TidemillError], call: Callable[[], object]) -> None:
    """Assert that a call is refused in one line that names the fix."""
    try:
        call()
    except kind as error:
        text = str(error)
        assert "Fix:" in text, f"{text!r} names no fix"
        assert "\n" not in text, f"{text!r} is more than a line"
    else:
        raise AssertionError(f"{kind.__name__} was not raised")
