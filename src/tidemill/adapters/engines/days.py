"""Which day a row belongs to: midnights of a time zone, whatever daylight saving does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.errors import BadInput, BadValue, unknown

MOST_BY_DAY = 2_000
"""How many categories of a day are kept."""
MOST_DAYS = 4_000
_FIRST = date(1970, 1, 1)


def zone_of(zone: str) -> ZoneInfo:
    """Find a time zone.

    Raises
    ------
    BadValue
        If there is none of this name.

    Examples
    --------
    >>> zone_of("Europe/Berlin").key
    'Europe/Berlin'
    """
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadValue(
            f"there is no time zone {zone!r}.", fix="give one such as Europe/Berlin or UTC."
        ) from None


def ends_of(day: int, zone: str) -> tuple[datetime, datetime]:
    """Return when a day begins and ends, in UTC; the day as days since 1970.

    Examples
    --------
    >>> start, end = ends_of(19813, "Europe/Berlin")  # the clocks went forward
    >>> str(start), str(end - start)
    ('2024-03-30 23:00:00+00:00', '23:00:00')
    """
    first = _FIRST + timedelta(days=day)
    place = zone_of(zone)
    start, end = (
        datetime.combine(d, clock(), place).astimezone(UTC)
        for d in (first, first + timedelta(days=1))
    )
    return start, end


def sql_day(time: str, schema: pa.Schema, zone: str) -> str:
    """Write the day of a row in SQL of DuckDB, as days since 1970.

    Examples
    --------
    >>> print(sql_day("t", pa.schema([("t", pa.date32())]), "UTC"))
    ("t" - DATE '1970-01-01')::BIGINT
    """
    zone_of(zone)
    kind = _kind(time, schema)
    column = '"' + time.replace('"', '""') + '"'
    if pa.types.is_date(kind):
        return f"({column} - DATE '1970-01-01')::BIGINT"
    if kind.tz is not None:
        column = f"{column}::TIMESTAMPTZ AT TIME ZONE '{zone}'"
    return f"(({column})::DATE - DATE '1970-01-01')::BIGINT"


def arrow_days(column: pa.ChunkedArray, zone: str) -> pa.ChunkedArray:
    """Return the day of each row as days since 1970, null where it has no time.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> times = pa.chunked_array([[datetime(2024, 3, 30, 23, 30, tzinfo=UTC), None]])
    >>> arrow_days(times, "Europe/Berlin").to_pylist()
    [19813, None]
    """
    zone_of(zone)
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        column = pc.local_timestamp(column.cast(pa.timestamp(kind.unit, zone)))
    return column.cast(pa.date32(), safe=False).cast(pa.int32()).cast(pa.int64())


def checked(totals: Mapping[int, int], time: str) -> dict[int, int]:
    """Return the rows of each day, the first day first.

    Raises
    ------
    BadInput
        If no row has a time, or there are more days than anyone compares.
    """
    if not totals:
        raise BadInput(f"no row has a time in {time!r}.", fix="name another --time.")
    if len(totals) > MOST_DAYS:
        raise BadInput(
            f"{time!r} has {len(totals)} days; {MOST_DAYS} are compared at most.",
            fix="name another --time, or compare fewer rows.",
        )
    return dict(sorted(totals.items()))


def _kind(time: str, schema: pa.Schema) -> pa.DataType:
    if time not in schema.names:
        raise unknown("column", time, schema.names)
    kind = schema.field(time).type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        raise BadInput(
            f"--time {time}: it is of type {kind}, no time.",
            fix="make it a timestamp, or name another column.",
        )
    return kind
