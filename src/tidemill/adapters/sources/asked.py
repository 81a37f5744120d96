"""A user's table, asked for a window at a time; what is not wanted stays where it is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.adapters.sources.addresses import is_database, name_of, parted, without_login
from tidemill.adapters.sources.files import open_files
from tidemill.adapters.sources.ibis_address import connect, failed, find
from tidemill.core.errors import BadInput, TidemillError, unknown
from tidemill.core.sources import TIME, Beside, Span

_KEY = "_tidemill_key"
_SLACK = timedelta(days=1)
"""How far bounds are widened where a clock that is set back, or a date, blurs the moment."""


class Tells(Protocol):
    """Somebody who is shown what is asked."""

    def __call__(self, query: str, /) -> object: ...


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A table of a database, or files, read through Ibis in a session that may only read.

    Each question opens a session and closes it: a DuckDB file that is held open could not be
    written by others.

    Parameters
    ----------
    address
        As :func:`tidemill.adapters.sources.addresses.read` takes it, its table inside.
    most
        Of how many rows at most one question is answered.
    texts
        Columns of text files to read as text whatever they look like.
    show
        Is told each query before it is sent.
    """

    address: str
    most: int
    texts: tuple[str, ...] = ()
    show: Tells | None = None

    @property
    def name(self) -> str:
        where = without_login(self.address)
        _, table = self.parts
        return f"{where} {table}" if table else where

    @property
    def short(self) -> str:
        """The name of the table, without its schema, or of the file, without its ending."""
        name = name_of(self.address)
        return name.rpartition(".")[2] if is_database(self.address) else name.partition(".")[0]

    @property
    def parts(self) -> tuple[str, str | None]:
        """The address, and the table it names."""
        return parted(self.address, None) if is_database(self.address) else (self.address, None)

    def rows(
        self,
        columns: Sequence[str] | None,
        spans: Sequence[Span] = (),
        *,
        filled: str | None = None,
        beside: Beside | None = None,
    ) -> pa.Table:
        there = self._there(beside)
        with self._open() as (table, connection):
            wanted = list(table.columns) if columns is None else list(columns)
            found = _within(table, spans, self.name)
            found = found if filled is None else found.filter(found[filled].notnull())
            for name in wanted:
                _column(found, name, self.name)
            if beside is not None and there is not None:
                other = find(connection, there.address, there.parts[1])
                found = _joined(found, _partners(other, beside), beside.key)
                wanted.append(TIME)
            rows = self._fetched(found.select(*wanted))
        if beside is None or there is not None:
            return rows
        others = beside.other.rows([beside.other_key, beside.time], beside.spans)
        return _met(rows, others, beside)

    def extent(self, newest: str | None, *, filled: str | None = None) -> tuple[int, int]:
        with self._open() as (table, _):
            rows = (
                table
                if filled is None
                else table.filter(_column(table, filled, self.name).notnull())
            )
            asked = {"n": rows.count()}
            if newest is not None and _column(rows, newest, self.name).type().is_temporal():
                asked["newest"] = rows[newest].max()
            said = self._arrow(rows.aggregate(**asked)).to_pylist()[0]
        return int(said["n"]), _micros(said.get("newest"))

    def _there(self, beside: Beside | None) -> Asked | None:
        """Return the other table where one query can ask both."""
        other = None if beside is None else beside.other
        if not isinstance(other, Asked) or not is_database(self.address):
            return None
        return other if other.parts[0] == self.parts[0] else None

    @contextmanager
    def _open(self) -> Generator[tuple[Any, Any]]:
        address, table = self.parts
        if is_database(self.address):
            connection = connect(address)
            try:
                yield find(connection, address, table), connection
            finally:
                connection.disconnect()
            return
        connection = ibis.duckdb.connect()
        try:
            connection.con.register("rows", open_files(self.address, self.texts))
            yield connection.table("rows"), connection
        finally:
            connection.disconnect()

    def _fetched(self, wanted: Any) -> pa.Table:
        n = int(self._arrow(wanted.aggregate(n=wanted.count()))["n"][0].as_py())
        if n <= self.most:
            # Rows may be added between the two queries; one more than allowed shows it.
            rows = self._arrow(wanted.limit(self.most + 1))
            n = rows.num_rows
            if n <= self.most:
                return rows
        raise BadInput(
            f"{self.name}: {n:,} rows would be read at once, and scan_cap is {self.most:,}.",
            fix='say since = "2026-01-31" in project.toml: what is older is left alone; or raise scan_cap.',
        )

    def _arrow(self, expression: Any) -> pa.Table:
        if self.show is not None:
            self.show(str(ibis.to_sql(expression)))
        try:
            return expression.to_pyarrow()
        except TidemillError:
            raise
        except Exception as error:  # noqa: BLE001 - each vendor raises its own
            raise failed(self.address, error) from None


def _column(rows: Any, name: str, where: str) -> Any:
    if name not in rows.columns:
        error = unknown("column", name, rows.columns)
        raise type(error)(f"{where}: {error.what}", fix=error.fix)
    return rows[name]


def _within(rows: Any, spans: Sequence[Span], where: str) -> Any:
    """Filter rows by moments, in the words of the column's own type."""
    for span in spans:
        column = _column(rows, span.column, where)
        word = _words(column.type(), span.zone)
        if word is None:
            continue  # a text cannot be compared with a moment: all are wanted
        if span.low is not None:
            rows = rows.filter(column >= word(span.low, -1))
            column = rows[span.column]
        if span.high is not None:
            rows = rows.filter(column < word(span.high, 1))
    return rows


def _words(kind: Any, zone: str | None) -> Callable[[datetime, int], Any] | None:
    """Return what writes a moment as a literal of a kind of column; None where nothing can."""
    if kind.is_date():
        return lambda at, way: ibis.literal((at + way * _SLACK).date(), type="date")
    if not kind.is_timestamp():
        return None
    if kind.timezone is not None:
        return lambda at, _: ibis.literal(at.astimezone(UTC), type="timestamp('UTC', 6)")

    def local(at: datetime, way: int) -> Any:
        naive = at.astimezone(ZoneInfo(zone or "UTC")).replace(tzinfo=None)
        wide = naive + way * _SLACK if zone not in (None, "UTC") else naive
        return ibis.literal(wide, type="timestamp(6)")

    return local


def _partners(other: Any, beside: Beside) -> Any:
    rows = _within(other, beside.spans, beside.other.name)
    key = _column(rows, beside.other_key, beside.other.name)
    return rows.select(**{_KEY: key, TIME: _column(rows, beside.time, beside.other.name)})


def _joined(rows: Any, others: Any, key: str) -> Any:
    if rows[key].type().copy(nullable=True) != others[_KEY].type().copy(nullable=True):
        others = others.mutate(**{_KEY: others[_KEY].cast("string")})
        joined = rows.mutate(_tidemill_own=rows[key].cast("string"))
        return joined.inner_join(others, [("_tidemill_own", _KEY)])
    return rows.inner_join(others, [(key, _KEY)])


def _met(rows: pa.Table, others: pa.Table, beside: Beside) -> pa.Table:
    """Join two tables of different places here."""
    place = pc.index_in(
        rows[beside.key].cast(pa.string()), others[beside.other_key].cast(pa.string())
    )
    whole = rows.append_column(TIME, others[beside.time].take(place))
    return whole.filter(pc.is_valid(place))


def _micros(at: Any) -> int:
    if isinstance(at, datetime):
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        return (at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
    return (at - date(1970, 1, 1)).days * 86_400_000_000 if isinstance(at, date) else 0
