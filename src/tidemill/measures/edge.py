"""A profile counted where the rows are: in a service, one by one or in batches.

The process that answers requests counts them, writes a small file now and then, and whoever
monitors adds the files up. Nothing here imports Ibis, pandas or, until it is handed Arrow, pyarrow.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from tidemill.core.errors import BadInput
from tidemill.measures.categories import MOST
from tidemill.measures.edge_tallies import Tally, tally_of
from tidemill.measures.grid import Grid
from tidemill.measures.parts import Part, holds
from tidemill.measures.profile import Profile, merge


class EdgeProfile:
    """Counts rows in the process that sees them; may be used from many threads.

    Rows are kept until there are ``buffer`` of them and then counted at once, so most calls
    take a microsecond or two and one in ``buffer`` a few milliseconds. A key that a row does not have
    is null; a key the profile does not know is left out; a value of the wrong type is counted as
    wrong. What was not saved is lost when the process is killed.

    After a fork the child begins anew, with nothing counted and a name of its own.

    Parameters
    ----------
    like
        The profile of a reference, whose columns, kinds and grids are used; or the grid of
        each column of numbers.
    categories, times
        With grids only: names of columns of categories, and of those with a grid that are
        times.
    writer
        A name no other process uses; one made by chance if None.
    sequence
        The number of the next file; go on where the last process of this name stopped.
    most
        How many categories of a column are kept; those of the reference with a profile.
    buffer
        How many rows wait to be counted.

    Examples
    --------
    >>> edge = EdgeProfile({"age": Grid(40.0, 0.1)}, categories=["city"])
    >>> edge.add({"age": 31, "city": "Bonn"})
    >>> edge.add({"age": None, "city": "Bonn", "unknown": 1})
    >>> edge.add_batch({"age": np.array([50.0, 60.0]), "city": ["Ulm", None]})
    >>> profile = edge.to_profile()
    >>> profile.rows, profile.columns["age"].nulls, profile.columns["city"].as_dict()
    (4, 1, {'Bonn': 2, 'Ulm': 1})
    """

    def __init__(
        self,
        like: Profile | Mapping[str, Grid],
        *,
        categories: Iterable[str] = (),
        times: Iterable[str] = (),
        writer: str | None = None,
        sequence: int = 1,
        most: int = MOST,
        buffer: int = 1_024,
    ) -> None:
        late = set(times)
        if isinstance(like, Profile):
            self._kinds, self._grids = dict(like.kinds), like.grids
            self._most = {n: getattr(c, "most", most) for n, c in like.columns.items()}
        else:
            self._kinds = {name: "time" if name in late else "number" for name in like}
            self._kinds |= dict.fromkeys(categories, "category")
            self._grids, self._most = dict(like), dict.fromkeys(self._kinds, most)
        if not self._kinds or buffer < 1 or sequence < 1:
            raise BadInput(
                f"{len(self._kinds)} columns, buffer {buffer}, sequence {sequence}.",
                fix="count at least one column; begin with sequence=1 and buffer=1024.",
            )
        self._names = tuple(self._kinds)
        self._pick = _picker(self._names)
        self._buffer = buffer
        self._writer, self._sequence = writer or uuid4().hex, sequence
        self._begin()
        self._lock, self._counting = threading.Lock(), threading.Lock()
        if hasattr(os, "register_at_fork"):
            known = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _forked(known()))

    @property
    def writer(self) -> str:
        """The name under which files are written."""
        return self._writer

    @property
    def sequence(self) -> int:
        """The number of the next file."""
        return self._sequence

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one row.

        Parameters
        ----------
        row
            A value for each column; it is read at once and may be changed afterwards.
        """
        try:
            values = self._pick(row)
        except KeyError:
            values = tuple([row.get(name) for name in self._names])
        with self._lock:
            self._rows.append(values)
            if len(self._rows) < self._buffer:
                return
            full, self._rows = self._rows, []
            self._counting.acquire()  # before the other lock is let go: nothing is missed by a save
        try:
            self._count(full)
        finally:
            self._counting.release()

    def add_batch(self, batch: Any) -> None:
        """Count many rows.

        Parameters
        ----------
        batch
            An Arrow table or record batch, or a mapping of names to arrays or lists of one
            length.

        Raises
        ------
        BadInput
            If the columns are of different lengths.
        """
        arrow = hasattr(batch, "num_rows")
        names: list[str] = list(batch.schema.names) if arrow else list(batch)
        if not arrow:
            batch = {name: _array(batch[name]) for name in names}
            lengths = {len(column) for column in batch.values()}
            if len(lengths) > 1:
                raise BadInput(f"columns of {sorted(lengths)} rows.", fix="pass one value a row.")
            rows = lengths.pop() if lengths else 0
        else:
            rows = batch.num_rows
        with self._counting:
            for name, tally in self._tallies.items():
                if name not in names:
                    tally.add_nulls(rows)
                elif isinstance(column := batch[name], list):
                    tally.add(column)  # type: ignore[arg-type]
                else:
                    tally.add_array(column)
            self._counted += rows

    def to_profile(self, *, start: datetime | None = None, end: datetime | None = None) -> Profile:
        """Return what was counted since the last save; counting goes on.

        Parameters
        ----------
        start, end
            Which time the rows are of, if that is known.
        """
        with self._all_counted():
            return self._profile(start, end)

    def save(
        self, folder: str | Path, *, start: datetime | None = None, end: datetime | None = None
    ) -> Path | None:
        """Write what was counted since the last save to a file of its own, and begin anew.

        The file appears whole or not at all; if it cannot be written the counts are kept.
        Its name is the writer and the number, and both are in it, so that :func:`taken_in`
        counts it once however often it is delivered.

        Parameters
        ----------
        folder
            Where to; made if it is not there.
        start, end
            Which time the rows are of, if that is known.

        Returns
        -------
        Path or None
            The file; None when no row was counted.

        Raises
        ------
        BadInput
            If there is a file of this writer and number.
        """
        with self._all_counted():
            if not self._counted:
                return None
            path = Path(folder) / f"{self._writer}-{self._sequence:08d}.profile"
            _write(path, self._profile(start, end).to_bytes())
            self._sequence += 1
            self._begin_counts()
            return path

    @contextmanager
    def _all_counted(self) -> Generator[None]:
        """Hold everything still, with no row waiting."""
        with self._lock:
            waiting, self._rows = self._rows, []
            self._counting.acquire()
        try:
            self._count(waiting)
            yield
        finally:
            self._counting.release()

    def _begin(self) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self._begin_counts()

    def _begin_counts(self) -> None:
        self._counted = 0
        self._tallies: dict[str, Tally] = {
            name: tally_of(name, kind, grid=self._grids.get(name), most=self._most[name])
            for name, kind in self._kinds.items()
        }

    def _count(self, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            for tally, column in zip(self._tallies.values(), zip(*rows, strict=True), strict=True):
                tally.add(column)
            self._counted += len(rows)

    def _profile(self, start: datetime | None, end: datetime | None) -> Profile:
        part = Part(self._writer, self._sequence, self._sequence)
        return Profile(
            rows=self._counted,
            columns={name: tally.counted() for name, tally in self._tallies.items()},
            kinds={n: "category" if k == "null" else k for n, k in self._kinds.items()},
            start=start,
            end=end,
            parts=(part,) if self._counted else (),
        )

    def _fork(self) -> None:
        self._writer, self._sequence = f"{self._writer}-{uuid4().hex[:8]}", 1
        self._lock, self._counting = threading.Lock(), threading.Lock()
        self._begin()


def taken_in(whole: Profile | None, portion: Profile) -> Profile:
    """Add a file of the edge to what was added before, unless it is among it.

    Parameters
    ----------
    whole
        What was added up so far; None at first.
    portion
        What was read from a file.

    Raises
    ------
    BadInput
        If the portion does not say who counted it, or only part of it was added before.

    Examples
    --------
    >>> edge = EdgeProfile({"x": Grid(0.0, 0.1)}, writer="api-1")
    >>> edge.add({"x": 1.0})
    >>> portion = edge.to_profile()
    >>> whole = taken_in(None, portion)
    >>> taken_in(whole, portion).rows
    1
    """
    if not portion.parts:
        raise BadInput(
            "the profile does not say who counted it.", fix="take in files that save wrote."
        )
    if whole is None:
        return portion
    if all(any(holds(known, part) for known in whole.parts) for part in portion.parts):
        return whole
    return merge(whole, portion)


def _picker(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    if len(names) == 1:
        return lambda row: (row[names[0]],)
    return itemgetter(*names)


def _array(column: Any) -> Any:
    """Return a list, an Arrow array or a NumPy array as it is, anything else as the last."""
    arrow = hasattr(column, "drop_null")
    return column if isinstance(column, list | np.ndarray) or arrow else np.asarray(column)


def _write(path: Path, content: bytes) -> None:
    if path.exists():
        raise BadInput(
            f"{path} is there already.",
            fix=f"go on with a sequence after the last file of {path.name.rsplit('-', 1)[0]!r}.",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _forked(edge: EdgeProfile | None) -> None:
    if edge is not None:
        edge._fork()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - its own module
