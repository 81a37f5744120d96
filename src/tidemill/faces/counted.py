"""Tables and profiles opened and counted, so that two of them can be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tidemill.core.errors import BadInput, BadValue, NotFound, unknown

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.measures.grid import Grid
    from tidemill.measures.profile import Profile

PROFILE = ".profile"


class Rows(Protocol):
    """A table that can be counted, whole or day by day."""

    schema: pa.Schema

    @property
    def rows(self) -> int: ...
    def grids(self, names: Sequence[str]) -> dict[str, Grid]: ...
    def profile(self, names: Sequence[str], *, grids: Mapping[str, Grid]) -> Profile: ...
    def days(
        self, names: Sequence[str], *, time: str, zone: str, grids: Mapping[str, Grid]
    ) -> tuple[Profile, ...]: ...
    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How two tables are compared.

    Parameters
    ----------
    time
        The column that says when; then days are the units of evidence, else rows are.
    zone
        Whose midnights part the days.
    columns, ignore
        Which columns are compared, all if empty; and which are not.
    table
        The table, where an address is that of a database.
    most
        Of how many rows at most a table of a database is fetched.
    show
        Is told each query on a database.
    engine
        What counts: "duckdb" Parquet files and Delta tables, "spark" those and its own tables.
    """

    time: str | None = None
    zone: str = "UTC"
    columns: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    table: str | None = None
    most: int | None = None
    show: Callable[[str], object] | None = None
    engine: str = "duckdb"

    def for_one(self, side: object, *others: object) -> Asked:
        """Leave out what is said of a database where only another side is one."""
        from tidemill.adapters.sources.addresses import is_database

        if is_database(side) or not any(is_database(other) for other in others):
            return self
        return replace(self, table=None, most=None, show=None)

    def read(self, path: str) -> pa.Table:
        """Read a table whole."""
        from tidemill.adapters.sources.addresses import read

        return read(path, table=self.table, most=self.most, show=self.show)

    def wanted(self, sides: Sequence[Sequence[str]]) -> list[str]:
        """Choose the columns, in the order of the reference."""
        known = list(dict.fromkeys(name for names in sides for name in names))
        for name in (*self.columns, *self.ignore):
            if name not in known:
                raise unknown("column", name, known)
        chosen = [n for n in known if not self.columns or n in self.columns]
        left = [n for n in chosen if n not in self.ignore and n != self.time]
        if not left:
            raise BadValue("no column is left to compare.", fix="ignore fewer, or name others.")
        return left


@dataclass(frozen=True)
class Counted:
    """One side of a comparison: its name and its counts, a profile a day where days count."""

    name: str
    profiles: tuple[Profile, ...]

    @property
    def whole(self) -> Profile:
        """All rows of it."""
        from tidemill.monitoring.drift.windows import together

        return together(self.profiles)


def counted(reference: Any, current: Any, asked: Asked) -> tuple[Counted, Counted]:
    """Count two tables on the same grids."""
    sides = [_opened(reference, asked.for_one(reference, current))]
    sides.append(_opened(current, asked.for_one(current, reference), beside=sides[0].rows))
    try:
        for side in sides:
            if asked.time and _is_profile(side.rows):
                raise BadInput(
                    f"{side.name} is a profile of all its rows, which has no days.",
                    fix="leave --time out, or give the tables.",
                )
        names = asked.wanted([side.names for side in sides])
        grids: dict[str, Grid] = {}
        for side in sides:  # what was counted already says on which grids the other is
            if _is_profile(side.rows):
                grids = {**side.rows.grids, **grids}
        found: list[Counted] = []
        for side in sides:
            had = [n for n in names if n in side.names]
            found.append(Counted(side.name, side.count(had, grids, asked)))
            for profile in found[-1].profiles[:1]:
                grids = {**profile.grids, **grids}
    finally:
        for side in sides:
            side.close()
    return found[0], found[1]


def profiled(data: Any, asked: Asked) -> Profile:
    """Count one table as a whole, to be compared later."""
    side = _opened(data, asked)
    try:
        names = asked.wanted([side.names])
        return side.count(names, {}, asked)[0]
    finally:
        side.close()


@dataclass(frozen=True)
class _Opened:
    """A table or a profile, with its name."""

    name: str
    rows: Any

    @property
    def names(self) -> list[str]:
        """The columns it has."""
        if _is_profile(self.rows):
            return [*self.rows.columns, *self.rows.skipped]
        return list(dict.fromkeys(self.rows.schema.names))

    def count(
        self, names: list[str], grids: Mapping[str, Grid], asked: Asked
    ) -> tuple[Profile, ...]:
        if _is_profile(self.rows):
            return (_only(self.rows, names),)
        if asked.time is None:
            return (self.rows.profile(names, grids=grids),)
        return self.rows.days(names, time=asked.time, zone=asked.zone, grids=grids)

    def close(self) -> None:
        """Let go of files."""
        if not _is_profile(self.rows):
            self.rows.close()


def _opened(data: Any, asked: Asked, *, beside: Any = None) -> _Opened:
    from tidemill.measures.profile import Profile

    if isinstance(data, Profile):
        return _Opened("a profile", data)
    if isinstance(data, str | Path):
        path = str(data)
        name = _name(path, asked)
        if path.endswith(PROFILE):
            return _Opened(name, _read_profile(path))
        return _Opened(name, _with_rows(_of_path(path, asked, beside), path))
    from tidemill.adapters.engines.arrow_profile import ArrowProfiler
    from tidemill.project import arrow

    return _Opened("the rows", _with_rows(ArrowProfiler(arrow(data)), "the table"))


def _name(path: str, asked: Asked) -> str:
    from tidemill.adapters.sources.addresses import name_of

    return name_of(path, asked.table)


def _of_path(path: str, asked: Asked, beside: Any) -> Rows:
    """Open a table: Parquet is counted where it is, all else is read first."""
    if asked.engine != "duckdb":
        return _on_spark(path, asked)
    from tidemill.adapters.sources.parquet import parquet_files

    is_file = not (asked.table or asked.most or asked.show)
    files = parquet_files(path) if is_file else None
    if files is not None:
        from tidemill.adapters.engines.duckdb_profile import DuckDBProfiler

        other = beside if isinstance(beside, DuckDBProfiler) else None
        return DuckDBProfiler(files.paths, hive=files.hive, beside=other)
    from tidemill.adapters.engines.arrow_profile import ArrowProfiler

    return ArrowProfiler(asked.read(path))


def _on_spark(path: str, asked: Asked) -> Rows:
    """Open files or a table of its catalog with Spark, which reads them where they are."""
    from tidemill.adapters.engines.spark_profile import SparkProfiler, open_profiler
    from tidemill.adapters.sources.parquet import parquet_files
    from tidemill.adapters.sources.spark_session import session_of

    if asked.engine != "spark":
        raise unknown("engine", asked.engine, ("duckdb", "spark"))
    if path.startswith("spark://"):
        if asked.most or asked.show:
            raise BadValue(
                "--scan-cap and --show-sql are for rows that are fetched, and Spark counts them.",
                fix="leave them out, or --engine.",
            )
        from tidemill.adapters.sources.ibis_address import framed

        return SparkProfiler(*framed(path, asked.table))
    if asked.table or asked.most or asked.show:
        raise BadValue(
            "Spark counts files and its own tables, no tables of databases.",
            fix="leave --engine out.",
        )
    if "://" in path:
        return open_profiler(session_of(), (path,), few=None)
    files = parquet_files(path)
    if files is None:
        raise BadInput(f"{path} is neither Parquet nor Delta.", fix="leave --engine out.")
    from tidemill.adapters.engines.duckdb_profile import DuckDBProfiler

    # Grids come from a few rows, which need no Spark; so both engines count on the same ones.
    near = DuckDBProfiler(files.paths, hive=files.hive)
    return open_profiler(session_of(), files.paths, few=near.grids)


def _with_rows(rows: Rows, path: str) -> Rows:
    if not rows.rows:
        rows.close()
        raise BadInput(f"{path} holds no rows.", fix="give a table with rows, or check a filter.")
    return rows


def _read_profile(path: str) -> Profile:
    from tidemill.measures.profile import Profile

    try:
        content = Path(path).expanduser().read_bytes()
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}.", fix="check the path.") from None
    try:
        return Profile.from_bytes(content)
    except BadInput as error:
        raise BadInput(f"{path}: {error.what}", fix=error.fix) from None


def _is_profile(rows: Any) -> bool:
    from tidemill.measures.profile import Profile

    return isinstance(rows, Profile)


def _only(profile: Profile, names: Sequence[str]) -> Profile:
    """Keep some columns of a profile."""
    return replace(
        profile,
        columns={n: c for n, c in profile.columns.items() if n in names},
        kinds={n: k for n, k in profile.kinds.items() if n in names},
        skipped={n: w for n, w in profile.skipped.items() if n in names},
    )
