"""Tables of Spark's catalog that stay there decide what their rows decide when they are imported."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tidemill.adapters.sources.addresses import read
from tidemill.adapters.sources.asked import Asked
from tidemill.core.clock import ReplayedClock
from tidemill.core.errors import BadInput, NotFound
from tidemill.core.sources import Span
from tidemill.faces.cli.app import main
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.project import CONFIG, create_project, open_project
from tidemill.project.sources import Outcomes, Table
from tidemill.strategy.check import problems
from tidemill.strategy.decided import decided

STRATEGY = '''
"""Chooses, so that a test is quick."""
from tidemill import AUC, Manual, Outcome, Recent, Strategy, Uniform, AtLeast, Newest


def train(dataset, previous):
    raise NotImplementedError


strategy = Strategy(
    training=train,
    curation=Uniform(60, per="7d"),
    labels=Outcome(final_after="1d"),
    trigger=Manual(),
    dataset=Recent("30d"),
    holdout=Newest(at_least=50),
    offline=AtLeast(AUC(), 0.55),
    metrics=[AUC()],
)
'''
START, N = datetime(2024, 3, 4, tzinfo=UTC), 600  # the clocks of New York go forward on the 10th
NOW = START + timedelta(days=8)
RECORDS: dict[str, Any] = {
    "id": "id",
    "time": "at",
    "available_at": "seen",
    "score": "p",
    "features": ("x", "origin"),
}
LABELS: dict[str, Any] = {"id": "rid", "value": "late", "available_at": "known", "timezone": "UTC"}
ADDRESS = "spark://?table=shop.{}"
ZONE, PARTITIONS = "spark.sql.session.timeZone", "spark.sql.shuffle.partitions"


def tables_stay_in_spark(session: Any, folder: Path, capsys: Any) -> None:
    """Hold a project on tables of Spark, with either engine, to the same rows imported."""
    folder.mkdir()
    given: dict[str, pa.Table] = dict(zip(("predictions", "outcomes"), _rows(), strict=True))
    session.sql(f"CREATE DATABASE shop LOCATION '{folder / 'shop'}'")
    for name, rows in given.items():
        pq.write_table(rows, folder / f"{name}.parquet")
        file = folder / f"{name}.parquet"
        session.sql(f"CREATE TABLE shop.{name} USING parquet LOCATION '{file}'")
    zone, parts = (session.conf.get(name) for name in (ZONE, PARTITIONS))
    session.conf.set(ZONE, "America/New_York")
    before = _there(session)
    try:
        _a_question_brings_the_rows_of_its_window(given["predictions"])
        assert session.conf.get(ZONE) == "America/New_York"
        assert session.conf.get(PARTITIONS) == parts == "1"
        _commands_read_them(folder, capsys)
        assert _there(session) == before
        _projects_decide_alike(folder, given)
        lasting = [
            [row for row in rows if not row["isTemporary"]] for rows in (before, _there(session))
        ]
        assert lasting[0] == lasting[1]
        (folder / "outcomes.parquet").unlink()
        with pytest.raises(BadInput, match=r"^spark:// cannot be read: \[FAILED_READ_FILE.* Fix: "):
            read(ADDRESS.format("outcomes"))
    finally:
        session.conf.set(ZONE, zone)
        session.sql("DROP DATABASE shop CASCADE")


def _rows() -> tuple[pa.Table, pa.Table]:
    """Return predictions with whole ids and outcomes with texts for ids, times with and without a zone."""
    rng = np.random.default_rng(3)
    at = [START + timedelta(minutes=15 * k) for k in range(N)]
    x = rng.normal(size=N).round(4)
    predictions = pa.table({
        "id": np.arange(N),
        "at": pa.array(at, pa.timestamp("us", "UTC")),
        "seen": pa.array([a + timedelta(seconds=9) for a in at], pa.timestamp("us", "UTC")),
        "clock": pa.array([a.replace(tzinfo=None) for a in at], pa.timestamp("us")),
        "p": (1 / (1 + np.exp(-x))).round(6),
        "x": [None if k % 9 == 0 else np.nan if k % 10 == 0 else v for k, v in enumerate(x)],
        "origin": rng.choice(["a", "b"], N),
    })  # fmt: skip
    late = (rng.random(N) < predictions["p"].to_numpy()).astype(float).tolist()
    late[7], late[11] = None, np.nan  # not known yet, and known to be nothing
    outcomes = pa.table({
        "rid": [str(k) for k in range(N)],
        "late": late,
        "known": pa.array([a.replace(tzinfo=None) + timedelta(hours=5) for a in at],
                          pa.timestamp("us")),
    })  # fmt: skip
    return predictions, outcomes


def _a_question_brings_the_rows_of_its_window(predictions: pa.Table) -> None:
    table = Asked(address=ADDRESS.format("predictions"), most=N)
    with ThreadPoolExecutor(1) as pool:  # no session is active in a thread that began none
        found = pool.submit(table.rows, None).result()
    assert found.schema.equals(predictions.schema)
    assert str(found.to_pylist()) == str(predictions.to_pylist())  # a null is none, a NaN is one
    gap = datetime(2024, 3, 10, 3, tzinfo=UTC)  # from 2 to 3 no clock of the session's zone shows
    for column in ("at", "clock"):
        rows = table.rows(["id"], [Span(column=column, low=START, high=gap)])
        assert rows["id"].to_pylist() == list(range(6 * 96 + 12))
    extents = {table.extent("at"), table.extent("clock")}
    assert [n for n, _ in extents] == [N]


def _projects_decide_alike(folder: Path, given: dict[str, pa.Table]) -> None:
    known = given["outcomes"].filter(pc.is_valid(given["outcomes"]["late"]))
    create_project(folder / "imported", strategy=STRATEGY, salt="s")
    with open_project(folder / "imported", clock=ReplayedClock(NOW)) as mill:
        mill.import_records(given["predictions"], Columns(**RECORDS), source="predictions")
        mill.import_labels(known, FactColumns(**LABELS), source="outcomes")
    planned = _planned(folder / "imported")
    assert planned
    imported, asked = _turned(folder / "imported"), list[str]()
    place = folder / "mill"
    create_project(
        place,
        strategy=STRATEGY,
        salt="s",
        records=Table(ADDRESS.format("predictions"), **RECORDS),
        labels=Outcomes(ADDRESS.format("outcomes"), **LABELS),
    )
    with (place / CONFIG).open("a") as config:
        config.write('\n[engine]\nkind = "spark"\n')
    assert _planned(place) == planned  # the engine's Spark is that of the tables
    text = (place / CONFIG).read_text()
    (place / CONFIG).write_text(text.replace('kind = "spark"', 'kind = "duckdb"'))
    found = _turned(place, asked)
    assert found == imported
    assert found["tables"]["chosen"][0] == 60
    assert found["tables"]["labels"][0] == N - 2
    assert any("INNER JOIN" in q and "`shop`.`outcomes`" in q for q in asked)
    short = Asked(address=ADDRESS.format("predictions"), most=N - 1)
    with pytest.raises(BadInput, match=r"600 rows .* scan_cap is 599"):
        short.rows(["id"])


def _planned(folder: Path) -> list[Any]:
    with open_project(folder, clock=ReplayedClock(NOW)) as mill:
        return [(s.stage, s.target, s.why) for s in mill.plan().steps if s.stage != "intake"]


def _turned(folder: Path, asked: list[str] | None = None) -> Any:
    show = None if asked is None else asked.append
    with open_project(folder, clock=ReplayedClock(NOW), show_sql=show) as mill:
        mill.run()
        assert problems(mill.world) == []
        found = decided(mill.world)
    # A row that cannot be used is kept as it was read, which differs; that it is one does not.
    found["tables"]["quarantine"] = found["tables"]["quarantine"][0]
    assert found["tables"]["quarantine"] == 1
    return found


def _commands_read_them(folder: Path, capsys: Any) -> None:
    side, file = ADDRESS.format("outcomes"), folder / "outcomes.parquet"
    found = [
        _said(capsys, "drift", *sides, "--columns", "late", "--json")
        for sides in ((file, file), (file, side), (side, side, "--engine", "spark"))
    ]
    assert found[0]["columns"] == found[1]["columns"]
    assert [c["verdict"] for c in found[2]["columns"]] == ["OK"]
    assert found[2]["current"]["rows"] == found[0]["current"]["rows"] == N
    for address, what in (
        (ADDRESS.format("outcome"), "unknown table 'outcome'.*mean 'outcomes'"),
        ("spark://?table=shops.outcomes", "unknown schema 'shops'.*mean 'shop'"),
    ):
        with pytest.raises(NotFound, match=what):
            read(address)
    with pytest.raises(BadInput, match=r"runs at .* already"):
        read("spark://head:7077?table=shop.outcomes")


def _said(capsys: Any, *words: object) -> Any:
    capsys.readouterr()
    code = main([str(w) for w in words])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(out)


def _there(session: Any) -> list[Any]:
    """Return the tables and views that there are; an engine keeps some views while it is used."""
    return [
        row
        for name in ("shop", "default")
        for row in session.sql(f"SHOW TABLES IN {name}").collect()
    ]
