"""A project on tables that stay where they are comes to what it comes to when they are imported."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill import Logger
from tidemill.core.clock import ReplayedClock
from tidemill.core.errors import BadInput, NotAllowed
from tidemill.faces.cli import main
from tidemill.loop.curation import Outcome
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.project import create_project, open_project
from tidemill.project.sources import Outcomes, Table
from tidemill.strategy.check import problems
from tidemill.strategy.decided import decided, digest
from tidemill.strategy.in_place import doubt
from tidemill.strategy.status import status

STRATEGY = '''
"""Trains once, so that a test is quick."""
from tidemill import AUC, AtLeast, Every, Monitoring, Newest, Outcome, Recent, Strategy, Uniform


def train(dataset, previous):
    import numpy as np

    def model(frame):
        score = 1 / (1 + np.exp(-frame["x"].to_numpy()))
        return {"output": (score > 0.5).astype(float), "score": score}

    return model


strategy = Strategy(
    training=train,
    curation=Uniform(200, per="7d"),
    labels=Outcome(final_after="1d"),
    trigger=Every("21d"),
    dataset=Recent("30d"),
    holdout=Newest(at_least=50),
    offline=AtLeast(AUC(), 0.55),
    monitoring=Monitoring(),
    metrics=[AUC()],
)
'''
QUICK = STRATEGY.replace('Every("21d")', "Manual()").replace("    monitoring=Monitoring(),\n", "")
QUICK = QUICK.replace("Monitoring, ", "Manual, ")
START, N = datetime(2024, 1, 1, tzinfo=UTC), 1000
NOW = START + timedelta(days=15)
MOMENT = pa.timestamp("us", tz="UTC")
WHAT_THERE_IS = "SELECT count(*), (SELECT count(*) FROM pg_namespace) FROM pg_class"


def _moments(ats):
    return pa.array(ats, MOMENT)


@pytest.fixture(scope="module")
def rows():
    """Predictions, and what came of them hours later."""
    rng = np.random.default_rng(1)
    at = [START + timedelta(minutes=20 * k) for k in range(N)]
    x = rng.normal(size=N).round(4)
    score = (1 / (1 + np.exp(-x))).round(6)
    predictions = pa.table({
        "id": [f"r{k}" for k in range(N)],
        "at": _moments(at),
        "seen": _moments([a + timedelta(seconds=30) for a in at]),
        "p": score,
        "x": x,
        "origin": rng.choice(["a", "b"], N),
    })  # fmt: skip
    outcomes = pa.table({
        "rid": predictions["id"],
        "late": (rng.random(N) < score).astype(float),
        "known": _moments([a + timedelta(hours=5) for a in at]),
    })  # fmt: skip
    return predictions, outcomes


RECORDS = {
    "id": "id",
    "time": "at",
    "available_at": "seen",
    "score": "p",
    "features": ("x", "origin"),
}
LABELS = {"id": "rid", "value": "late", "available_at": "known"}


def turned(folder, *, now=NOW, show=None):
    with open_project(folder, clock=ReplayedClock(now), show_sql=show) as mill:
        mill.run()
        return decided(mill.world), digest(mill.world), problems(mill.world)


@pytest.fixture(scope="module")
def imported(rows, tmp_path_factory):
    """What a project decides on the same rows when they are imported."""
    folder = tmp_path_factory.mktemp("imported") / "mill"
    create_project(folder, strategy=STRATEGY, salt="s")
    with open_project(folder, clock=ReplayedClock(NOW)) as mill:
        mill.import_records(rows[0], Columns(**RECORDS), source="predictions")
        mill.import_labels(rows[1], FactColumns(**LABELS), source="outcomes")
    return turned(folder)


def placed(folder, where, strategy=QUICK, **more):
    records = Table(where.format("predictions"), **{**RECORDS, **more})
    labels = Outcomes(where.format("outcomes"), **LABELS)
    create_project(folder, strategy=strategy, salt="s", records=records, labels=labels)
    return folder


def in_duckdb(folder, rows):
    with duckdb.connect(str(folder / "shop.db")) as db:
        db.execute("SET TimeZone = 'UTC'")
        for name, table in zip(("predictions", "outcomes"), rows, strict=True):
            db.register("given", table)
            db.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
    return f"duckdb://{folder}/shop.db?table={{}}"


@pytest.fixture(scope="module")
def postgres_reader(postgres, rows):
    """The same rows in PostgreSQL, and the address of a role that may only read them."""
    import psycopg

    postgres.ask("CREATE SCHEMA mine")
    postgres.ask("CREATE ROLE mine_reader LOGIN")
    postgres.ask("GRANT USAGE ON SCHEMA mine TO mine_reader")
    kinds = {"at": "timestamptz", "seen": "timestamptz", "known": "timestamptz", "id": "text"}
    kinds |= {"rid": "text", "origin": "text"}
    with psycopg.connect(postgres.url, autocommit=True) as db:
        for name, table in zip(("predictions", "outcomes"), rows, strict=True):
            said = ", ".join(f"{c} {kinds.get(c, 'float8')}" for c in table.column_names)
            db.execute(f"CREATE TABLE mine.{name} ({said})")
            with db.cursor().copy(f"COPY mine.{name} FROM STDIN") as copy:
                for row in zip(*(c.to_pylist() for c in table.columns), strict=True):
                    copy.write_row(row)
            db.execute(f"GRANT SELECT ON mine.{name} TO mine_reader")
    yield postgres.url.replace("postgres@", "mine_reader@") + "?table=mine.{}"
    postgres.ask("DROP SCHEMA mine CASCADE")
    postgres.ask("DROP ROLE mine_reader")


@pytest.fixture(scope="module")
def shop(tmp_path_factory, rows):
    """A DuckDB file with the rows, the project beside it, and what it decided."""
    folder = tmp_path_factory.mktemp("shop")
    where = in_duckdb(folder, rows)
    before = (folder / "shop.db").read_bytes()
    return folder, before, turned(placed(folder / "mill", where, STRATEGY))


def test_a_duckdb_file_decides_what_its_rows_decide_when_imported(shop, imported):
    folder, before, (found, said, flaws) = shop
    assert found["tables"] == imported[0]["tables"]
    assert found["tables"]["signals"][0] > 30
    assert any(name.startswith("release") for name in found["journal"])
    assert (said, flaws) == (imported[1], [])
    assert (folder / "shop.db").read_bytes() == before


def test_a_reader_of_postgres_is_enough_and_leaves_nothing_behind(
    tmp_path, postgres, postgres_reader, imported
):
    folder, asked = placed(tmp_path / "mill", postgres_reader, STRATEGY), []
    was = postgres.ask(WHAT_THERE_IS)
    assert turned(folder, show=asked.append)[1] == imported[1]
    assert postgres.ask(WHAT_THERE_IS) == was
    # A later look asks for what came since, not for the table again.
    asked.clear()
    postgres.ask("INSERT INTO mine.predictions SELECT 'new', at + interval '2 days', "
                 "seen + interval '2 days', p, x, origin FROM mine.predictions WHERE id = 'r999'")  # fmt: skip
    found, _, flaws = turned(folder, now=NOW + timedelta(days=2), show=asked.append)
    assert found["tables"]["records"][0] == N + 1
    assert not flaws
    assert '"seen" >= ' in next(q for q in asked if "LIMIT" in q)


def test_parquet_files_are_tables_too_and_only_wanted_rows_are_read(tmp_path, rows, imported):
    for name, table in zip(("predictions", "outcomes"), rows, strict=True):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    folder = placed(tmp_path / "mill", f"{tmp_path}/{{}}.parquet")
    found = turned(folder)[0]
    for name in ("records", "chosen", "labels"):
        assert found["tables"][name] == imported[0]["tables"][name]


def test_what_the_table_does_not_say_is_assumed_and_told(tmp_path, rows):
    """Labels in the row of the record, and nothing about arrival."""
    both = rows[0].drop_columns(["seen"]).append_column("late", rows[1]["late"])
    pq.write_table(both, tmp_path / "both.parquet")
    create_project(
        tmp_path / "mill",
        strategy=QUICK,
        salt="s",
        records=Table("../both.parquet", id="id", time="at", score="p"),
        labels=Outcomes("../both.parquet", id="id", value="late"),
    )
    with open_project(tmp_path / "mill", clock=ReplayedClock(NOW)) as mill:
        mill.run()
        assert mill.world.state.fact("kinds") == {"x": "number", "origin": "text"}  # not the label
        said = " ".join(status(mill.world)["assumed"])
        assert doubt(mill.world, mill.strategy) == ""  # the strategy says when labels are final
        at_once = replace(mill.strategy, labels=Outcome())
        assert "flatters" in doubt(mill.world, at_once)
        for words in ("known from their time (at)", "known at once", "those of now"):
            assert words in said


def test_rows_that_cannot_be_used_are_counted_and_set_aside_once(tmp_path, rows):
    ids = rows[0]["id"].to_pylist()
    ids[3], ids[5] = "", "r4"
    where = in_duckdb(tmp_path, (rows[0].set_column(0, "id", pa.array(ids)), rows[1]))
    folder = placed(tmp_path / "mill", where)
    for _ in range(2):
        found = turned(folder)[0]
    assert found["tables"]["quarantine"][0] == 2
    with open_project(folder) as mill:
        counts = status(mill.world)["intake"]["records"]
    assert counts["quarantined"] == 2
    assert counts["accepted"] == N - 2
    assert any("other content" in reason for reason in counts["reasons"])


def test_nothing_is_written_into_a_table_of_the_user(tmp_path, rows, capsys):
    folder = placed(tmp_path / "mill", in_duckdb(tmp_path, rows))
    with open_project(folder) as mill:
        for call in (
            lambda: mill.import_records(rows[0], Columns(**RECORDS), source="again"),
            lambda: mill.log({"x": 1.0}),
            lambda: mill.log(rows[0]),
        ):
            with pytest.raises(NotAllowed, match=r"predictions, which tidemill only .* Fix: write"):
                call()
        for call in (
            lambda: mill.import_labels(rows[1], FactColumns(**LABELS), source="again"),
            lambda: mill.label("r1", 1),
        ):
            with pytest.raises(NotAllowed, match=r"outcomes, which tidemill only .* Fix: write"):
                call()
        with pytest.raises(NotAllowed, match=r"Fix: mill.ask\(features\) answers without logging"):
            mill.predict({"x": 1.0})
        assert list(mill.world.inbox.pending({})) == []
    for words in (["records", "import"], ["labels", "import"]):
        assert main([*words, str(tmp_path / "none.csv"), "--project", str(folder)]) == 1
        assert "which tidemill only reads. Fix: " in capsys.readouterr().err


def test_labels_may_be_said_and_feedback_given_where_only_records_stay_in_place(tmp_path, rows):
    records = Table(in_duckdb(tmp_path, rows).format("predictions"), **RECORDS)
    create_project(tmp_path / "mill", strategy=QUICK, salt="s", records=records)
    with open_project(tmp_path / "mill", clock=ReplayedClock(NOW)) as mill:
        mill.label("r1", 1)
        mill.feedback("r1", 1)
        mill.run()
        assert {r["table"] for r in mill.world.state.rows("intake") if r["accepted"] == 1} == {
            "labels", "feedback"}  # fmt: skip


def test_a_model_answers_without_logging_where_records_stay_in_place(shop):
    with open_project(shop[0] / "mill") as mill:
        version, said = mill.ask({"x": 2.0, "origin": "a"})
        assert version == mill.world.state.front().version
        assert said.output.tolist() == [1.0]


def test_what_a_service_logs_for_such_a_project_is_set_aside_in_sight(tmp_path, rows, capsys):
    folder, asked = placed(tmp_path / "mill", in_duckdb(tmp_path, rows)), []
    turned(folder)
    with Logger(folder) as logger:
        logger.log({"x": 1.0}, record_id="new")
    with open_project(folder, clock=ReplayedClock(NOW), show_sql=asked.append) as mill:
        [step] = mill.plan().steps
        assert (
            "1 rows of records were handed over, and go to the quarantine: records of" in step.why
        )
        assert step.why == mill.run()[0].steps[0].why
        assert not any("LIMIT" in q for q in asked)  # the user's rows are not read for it
        assert "only reads. Fix: write" in " ".join(
            status(mill.world)["intake"]["records"]["reasons"]
        )
    assert main(["records", "quarantine", "--json", "--project", str(folder)]) == 0
    assert '"record_id\\": \\"new' in capsys.readouterr().out


def test_a_rule_that_has_no_part_is_told(tmp_path, rows, capsys):
    text = QUICK.replace("    training=train,", "    training=train, log=Rate(0.1),")
    text = text.replace("Manual, ", "Automatic, Manual, Rate, ")
    folder = placed(tmp_path / "mill", in_duckdb(tmp_path, rows), strategy=text)
    told = {}
    for words in (["check"], ["strategy", "check"]):
        assert main([*words, "--json", "--project", str(folder)]) == 0
        told = json.loads(capsys.readouterr().out)
        assert [n for n in told["notes"] if "log=Rate(0.1) has no part: records stay" in n]
    text = text.replace('Outcome(final_after="1d")', "Automatic(label_all_zero)")
    text = text.replace(
        "def train", "from tidemill.loop.curation.automatic import label_all_zero\ndef train"
    )
    (folder / "strategy.py").write_text(text)
    for words in (["check"], ["strategy", "check"]):
        assert main([*words, "--project", str(folder)]) == 4
        assert "has nowhere to put its labels" in capsys.readouterr().out.replace("\n", " ")
    assert main(["status", "--json", "--project", str(folder)]) == 0
    assert json.loads(capsys.readouterr().out)["next"].startswith("tidemill run")


def test_a_record_that_changed_after_it_was_learnt_from_is_told(shop):
    folder, *_ = shop
    with duckdb.connect(str(folder / "shop.db")) as db:
        db.execute("UPDATE predictions SET x = x + 1")
    with open_project(folder / "mill", clock=ReplayedClock(NOW)) as mill:
        told = [f for f in problems(mill.world) if "cannot be rebuilt" in f.what]
    assert "records changed since the dataset was formed" in told[0].what
    assert "in the table" in told[0].fix


def test_a_question_beyond_the_cap_is_refused_with_the_way_out(tmp_path, rows):
    where = in_duckdb(tmp_path, rows)
    with pytest.raises(BadInput, match=r"1,000 rows .* scan_cap is 900.*since = "):
        turned(placed(tmp_path / "mill", where, scan_cap=900))
    later = placed(tmp_path / "late", where, scan_cap=900, since="2024-01-05")
    assert turned(later)[0]["tables"]["records"][0] < 900
