"""The same expressions give the same answers on DuckDB and on Spark, over awkward data."""

from __future__ import annotations

import math
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.adapters.engines.spark import SparkEngine
from tidemill.adapters.sources.addresses import read
from tidemill.adapters.sources.spark_session import local_session
from tidemill.adapters.stores.delta import DeltaEvents
from tidemill.core.as_of import AsOf
from tidemill.core.errors import MissingExtra
from tidemill.core.ports import Snapshot
from tidemill.core.records import CHOSEN, FEEDBACK, LABELS, RECORDS, conform
from tidemill.measures import Cohort, Grid, Projection
from tidemill.measures.condition import All, Condition
from tidemill.monitoring import outcomes, proxies, system
from tidemill.monitoring import quality as q
from tidemill.strategy.watching.windows import Windows
from tidemill.testing import events
from tidemill.testing.bench import Bench

sys.path.insert(0, str(Path(__file__).parent))

import spark_counts
import spark_project
import spark_sources

pytest.importorskip("pyspark", reason="pyspark is not installed")
if shutil.which("java") is None:
    pytest.skip("Spark needs Java, and there is none", allow_module_level=True)

pytestmark = [
    # PySpark leaves the sockets over which rows came to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
    ),
]

NAN, INF = math.nan, math.inf
FIRST = datetime(2024, 2, 28, tzinfo=UTC)  # over a leap day
US = timedelta(microseconds=1)
DAY = timedelta(days=1)
NUMBERS = [None, NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 5e-324, 0.1, 10.0, 10.000000000000002, 2.5]
TEXTS = [
    *(None, "", " ", "a", "A", "b", "a\n", "a\r\n", "12\n", "1\r2", "x\u2028", "x\x85", "\x01"),
    *("a\x01", "12", " -1.5e3 ", "1e", "+.5", "2024-02-30", "2024-02-29T24:00", "true", "TRUE "),
    *("2024-02-29 23:59:60", "2024-02-29T23:59:59.123456+01:00", "N14228", "ü", "東京", "👍🏽"),
    *('it\'s "quoted" `so`', "back\\slash", "%_", "${x}", "\t\x0b\f ", "\x0bno  no\x0bNO\n", "ß"),
    *("I'm sorry, Dave", "I\u2019m SORRY", "i\nm sorry", "As an AI\r", "no no no", "caf\u0301e"),
]
MOMENTS = [
    *(FIRST, FIRST - US, FIRST + US, FIRST + DAY - US, FIRST + DAY, FIRST + 1.5 * DAY),
    *(FIRST + 2 * DAY - 500_000 * US, datetime(1969, 12, 31, 23, 59, 59, 0, UTC)),
    *(datetime(1970, 1, 1, tzinfo=UTC), datetime(1900, 1, 1, 6, tzinfo=UTC)),
]
EXAMPLES = [
    e
    for name in q.__all__
    if hasattr(rule := getattr(q, name), "examples")
    for e in rule.examples()
]
QUALITY = [
    *EXAMPLES,
    *(q.NullRate(c, at_most=0) for c in ("none", "gone", "text", "k", "'odd \"name`", "yes")),
    *(q.Finite(c) for c in ("none", "gone", "k", "size")),
    *(q.InRange("number", low=-1, high=1), q.InRange("number", low=0.1), q.InRange("k", high=1)),
    *(q.InSet("text", tuple(t for t in TEXTS[:40] if t)), q.InSet("number", (0.1, -0.0, 1))),
    *(q.InSet("k", (0, 1.0)), q.Vanished("text", ("👍🏽", "nowhere", "a\n"), least=0.5)),
    *(q.Vanished("number", (0.0, 7.0)), q.Vanished("k", (0, 1, 9)), q.RowCount(at_least=1)),
    *(
        q.Matches("text", p)
        for p in ("[a-z]+", "^[a-z]+$", "a.?", ".*", ".", r"\d+", "a\n", "a\\x01?")
    ),
    *(
        q.Matches("text", p)
        for p in (r"[^a-z]+", r"(?i)true\s*", r"[\w' ,]+", "a*", "|a", r"\$\{x\}")
    ),
    *(q.TypeIs("text", t) for t in ("number", "whole", "text", "moment", "bool")),
    *(q.TypeIs("number", t) for t in ("number", "whole", "text", "moment", "bool")),
    *(q.TypeIs("k", "bool"), q.TypeIs("yes", "bool"), q.TypeIs("predicted_at", "moment")),
    *(q.Duplicates((c,)) for c in ("k", "none", "text", "number")),
    q.Duplicates(("none", "k", "yes", "number", "'odd \"name`", "text")),
    *(
        q.Holds("positive", lambda r: r.f_number > 0),
        q.Holds("never asked", lambda r: r.f_none > 0),
    ),
    *(q.Freshness("90m"), q.Freshness("7d"), q.Freshness("1s")),
    q.Schema(("number", "none", "gone", "lost"), others=False),
]
SIGNALS = [
    *(e for r in (proxies.Proxy, proxies.OutputLength, proxies.Repetition) for e in r.examples()),
    *(e for r in (proxies.Refusal, proxies.OutputShare, proxies.EdgeCase) for e in r.examples()),
    *(proxies.Refusal((p,)) for p in ("sorry.i|i.m sorry", "東", "ai$", "\\$\\{x")),
    *(proxies.OutputShare('it\'s "quoted" `so`'), proxies.OutputShare(-0.0)),
    *(proxies.Proxy("size", lambda r: r.f_size), proxies.Proxy("none", lambda r: r.f_none)),
    proxies.Proxy("yes", lambda r: r.f_yes),
    *(e for r in (outcomes.FeedbackRate, outcomes.FeedbackMean) for e in r.examples()),
    *(e for r in (outcomes.Coverage, outcomes.Lag) for e in r.examples()),
    *(outcomes.Lag("either"), outcomes.Coverage("feedback", within="1d")),
    *(e for r in (system.Latency, system.Throughput, system.ErrorShare) for e in r.examples()),
]
GRIDS = [Grid(0.0, 0.01), Grid(10.0, 1e-16), Grid(-0.3, 0.07, 0.1), Grid(1e300, 1e290)]
CONDITIONS = [
    Condition(column="number", above=-1.0, at_most=0.1),
    Condition(column="number", missing=True),
    Condition(column="text", values=("a", "ü", 'it\'s "quoted" `so`'), outside=True, missing=True),
    Condition(column="text", outside=True),
    Condition(column="yes", values=(True,), missing=True),
]


def records() -> pa.Table:
    rng = np.random.default_rng(0)
    n = 440
    every = lambda values, step=1: [values[k * step % len(values)] for k in range(n)]  # noqa: E731
    at = [MOMENTS[k % 10] for k in range(n)]
    delays = (
        timedelta(0),
        90 * timedelta(minutes=1),
        90 * timedelta(minutes=1) + US,
        8 * DAY,
        -DAY,
    )
    return conform(
        pa.table(
            {
                "record_id": [None if k == 3 else f"r{k - (k % 50 == 7):03d}" for k in range(n)],
                "predicted_at": at,
                "available_at": [t + delays[k % 7 % 5] for k, t in enumerate(at)],
                "model": every(("v1", None, "v2")),
                "output": every((1.0, 0.0, None, NAN, -0.0, INF, 2.0)),
                "output_text": every(TEXTS, 5),
                "score": every((0.5, None, NAN, 1.5, -INF)),
                "latency_ms": every((None, NAN, INF, -1.0, *rng.lognormal(3, 1, 97))),
                "p_log": every((1.0, 0.5, None, 0.0, NAN, 1e-3, 2.0, -1.0)),
                "f_row": range(n),
                "f_number": every(NUMBERS),
                "f_text": every(TEXTS),
                "f_size": rng.normal(size=n) * 10.0 ** rng.integers(-3, 9, n),
                "f_k": pa.array(every((0, 1, 1, None, 2)), pa.int64()),
                "f_yes": every((True, None, False)),
                "f_'odd \"name`": every((1.0, NAN, None)),
                "f_none": pa.nulls(n, pa.float64()),
                "f_moment": at,
            }
        ),
        RECORDS,
    )


def facts(rows: pa.Table, schema: pa.Schema, **columns: list) -> pa.Table:
    """Return three rows for two of three records, at moments some of which are the same."""
    ids, at = rows["record_id"].to_pylist(), rows["predicted_at"].to_pylist()
    lags = (timedelta(0), 3 * DAY + US, 3 * DAY + US, 40 * DAY, -timedelta(hours=3))
    made = [(k, k + j) for k in range(rows.num_rows) if k % 3 for j in range(3)]
    of = {name: [values[j % len(values)] for _, j in made] for name, values in columns.items()}
    of |= {"record_id": [ids[k] for k, _ in made], "predicted_at": [at[k] for k, _ in made]}
    of["available_at"] = [at[k] + lags[j % 5] for k, j in made]
    return conform(pa.table(of), schema)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    rows = records()
    label = facts(
        rows, LABELS, label=[1.0, NAN, None], source_kind=["model", "human", None, "outcome"]
    )
    label = label.set_column(label.column_names.index("label_id"), "label_id", ids_of(label))
    said = facts(
        rows, FEEDBACK, kind=["thumbs", "complaint", None], value=[1.0, NAN, None, -INF, 0.25]
    )
    said = said.set_column(said.column_names.index("feedback_id"), "feedback_id", ids_of(said))
    some = rows.filter(pc.is_valid(rows["record_id"])).slice(0, 40)
    chosen = conform(some.append_column("pi", pa.array([0.25, 0.5] * 20)), CHOSEN)
    tables = {
        "labels": label,
        "feedback": said,
        "chosen": chosen.select(CHOSEN.names),
        "records": rows,
    }
    kept = {}
    for name, table in tables.items():
        schema = (
            table.schema.append(pa.field("f_gone", pa.float64()))
            if name == "records"
            else table.schema
        )
        # Two files, of which one lacks a column and both another.
        parts = [table.slice(0, 25), table.slice(25)]
        parts[0] = parts[0].drop_columns(["f_none"]) if name == "records" else parts[0]
        files = [str(folder / f"{name}{k}.parquet") for k in range(2)]
        for part, file in zip(parts, files, strict=True):
            pq.write_table(part, file)
        kept[name] = Snapshot(schema=schema, files=tuple(files))
    return kept


def ids_of(table: pa.Table) -> pa.Array:
    return pa.array([f"i{k:04d}" for k in range(table.num_rows)])


@pytest.fixture(scope="module")
def engines():
    quick = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xss4m"  # many small plans, each run once
    session = local_session(
        cores=2,
        **{
            "spark.driver.memory": "1g",
            "spark.driver.extraJavaOptions": quick,
            "spark.sql.shuffle.partitions": "1",
        },
    )
    session.sparkContext.setLogLevel("ERROR")
    yield DuckDBEngine(), SparkEngine(session)
    session.stop()


def both(engines, ask, names=()) -> pa.Table:
    """Ask both engines, hold their answers against each other, and return DuckDB's."""
    one, other = (engine.arrow(ask(engine)) for engine in engines)
    assert one.schema.equals(other.schema)
    wrong = {}
    for name in one.column_names:
        pairs = list(zip(one[name].to_pylist(), other[name].to_pylist(), strict=True))
        found = [pair for pair in pairs if not same(*pair)]
        if found:
            wrong[name] = (names and names.get(name), found[:3])
    assert not wrong
    return one


def same(one, other) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return (one == other) or (math.isnan(one) and math.isnan(other)) or math.isclose(one, other)
    return type(one) is type(other) and one == other


def every_row_gets_the_same_answer(engines, stored) -> None:
    row_rules = {f"q{k}": r for k, r in enumerate(QUALITY) if isinstance(r, q.RowRule)}
    assert len(row_rules) > 40

    def ask(engine):
        rows = engine.table(stored["records"])
        made = {f"failing_{k}": rule.failing(rows) for k, rule in row_rules.items()}
        made |= {f"applies_{k}": rule.applies(rows) for k, rule in row_rules.items()}
        made |= {f"c{k}": c(rows) for k, c in enumerate(Cohort.examples())}
        made |= {f"a{k}": All((c,)).cohort()(rows) for k, c in enumerate(CONDITIONS)}
        made |= {f"p{k}": p(rows) for k, p in enumerate(Projection.examples())}
        for k, grid in enumerate(GRIDS):
            columns = (rows.f_size, rows.f_number, rows.f_k, rows.score)
            made |= {f"g{k}_{j}": grid.expression(c) for j, c in enumerate(columns)}
        for every in (timedelta(hours=1), DAY, timedelta(days=7)):
            made[f"w{every}"] = Windows(every=every).number(rows)
        made |= {f"t{u}": rows.predicted_at.truncate(u) for u in ("s", "h", "D")}
        return rows.mutate(**made).order_by("f_row")

    names = {f"{what}_{k}": r for k, r in row_rules.items() for what in ("failing", "applies")}
    found = both(engines, ask, names)
    # Neither engine is right because both are wrong: what numpy and Python say.
    size = found["f_size"].to_numpy()
    assert found["g0_0"].to_pylist() == GRIDS[0].cells(size).tolist()
    at = [(t - datetime(1970, 1, 1, tzinfo=UTC)) // DAY for t in found["predicted_at"].to_pylist()]
    assert found[f"w{DAY}"].to_pylist() == at
    assert {n for n in names if found[n].null_count} == set()


def every_window_gets_the_same_numbers(engines, stored) -> None:
    asked = [*QUALITY, *SIGNALS]

    def ask(engine):
        tables = {name: engine.table(stored[name]) for name in ("records", "feedback", "labels")}
        rows = outcomes.joined(**tables, kinds=["thumbs", "complaint", "stars"])
        rows = rows.mutate(window=Windows(every=DAY).number(rows))
        made = {f"{n}_{k}": e for k, r in enumerate(asked) for n, e in r.measured(rows).items()}
        return (
            rows.group_by(window=(rows.window * 86_400).as_timestamp("s"))
            .aggregate(**made)
            .order_by("window")
        )

    names = {f"{n}_{k}": r for k, r in enumerate(asked) for n in ("value", "n", "sd")}
    found = both(engines, ask, names)
    assert found.num_rows == 6
    assert found["n_0"].null_count == 0


def without_rows_nothing_is_measured(engines, stored) -> None:
    asked = [*QUALITY, *(s for s in SIGNALS if type(s).__module__ != outcomes.__name__)]

    def ask(engine):
        rows = engine.table(stored["records"])
        none = rows.filter(ibis.literal(False))
        made = {f"{n}_{k}": e for k, r in enumerate(asked) for n, e in r.measured(none).items()}
        return none.aggregate(**made)

    found = both(engines, ask, {f"value_{k}": r for k, r in enumerate(asked)})
    counted = {c: found[c][0].as_py() or 0 for c in found.column_names if c.startswith("n_")}
    assert set(counted.values()) == {0}


def the_door_shows_the_same_rows(engines, stored) -> None:
    now = FIRST + 30 * DAY
    rows = engines[0].arrow(engines[0].table(stored["records"]))
    known = rows.filter(pc.greater(rows["p_log"], 0))  # no chance to be kept: no weight
    tables = {**stored, "records": Snapshot(schema=rows.schema, arrow=known)}
    events = SimpleNamespace(snapshot=lambda name, **_: tables[name])

    def ask(engine):
        return AsOf(events, engine, now).reservoir(since=FIRST, until=now).order_by("f_row")

    found = both(engines, ask)
    assert 0 < found.num_rows < 40
    arrivals = [AsOf(events, engine, now).arrivals(FIRST) for engine in engines]
    assert arrivals[0] == arrivals[1]
    assert len(arrivals[0]) > 5


QUESTIONS = (
    every_row_gets_the_same_answer,
    every_window_gets_the_same_numbers,
    without_rows_nothing_is_measured,
    the_door_shows_the_same_rows,
)
READING = (
    events.a_new_store_is_empty,
    events.values_come_back_as_they_were,
    events.a_table_grows_new_features,
    events.compaction_changes_no_row,
)


def test_spark_says_what_duckdb_says(engines, stored, tmp_path, subtests, capsys):
    # One test, so that tests spread over processes start one session.
    for question in QUESTIONS:
        with subtests.test(question.__name__):
            question(engines, stored)
    for promise in READING:
        with subtests.test(promise.__name__):
            folder = tmp_path / promise.__name__
            folder.mkdir()
            promise(Bench(make=DeltaEvents, folder=folder, engine=engines[1]))
    with subtests.test("tables are counted alike"):
        spark_counts.both_count_alike(engines[1]._session, tmp_path / "counts")
    with subtests.test("tables stay where they are"):
        spark_sources.tables_stay_in_spark(engines[1]._session, tmp_path / "sources", capsys)
    with subtests.test("a project lives the same life"):
        spark_project.both_live_alike(tmp_path / "lives", capsys)


def test_without_pyspark_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(MissingExtra, match=r"tidemill\[spark\]"):
        local_session()
    with pytest.raises(MissingExtra, match=r"tidemill\[spark\]"):
        read("spark://?table=shop.predictions")
