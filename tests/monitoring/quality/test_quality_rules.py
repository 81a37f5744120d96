"""Data quality rules, row by row, on what production brings."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import ibis
import ibis.backends.sql.compilers.pyspark as spark
import ibis.config
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.core.errors import BadInput, BadValue
from tidemill.core.ports import Snapshot
from tidemill.monitoring import outcomes, proxies
from tidemill.monitoring.quality import (
    Duplicates,
    Finite,
    Freshness,
    Holds,
    InRange,
    InSet,
    Matches,
    NullRate,
    RowCount,
    RowRule,
    Schema,
    TypeIs,
    Vanished,
    bad_rows,
)

ENGINE = DuckDBEngine()
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
INF, NAN = math.inf, math.nan
ROWS = pa.table(
    {
        "record_id": ["a", "b", "c", "d", "e", "e", None],
        "predicted_at": pa.array([NOON + timedelta(minutes=k) for k in range(7)]),
        "available_at": pa.array([NOON + timedelta(hours=k) for k in range(6)] + [None]),
        "f_x": [1.0, -1.0, None, NAN, INF, -INF, 1e308],
        "f_text": ["it's", "ü", None, "", "12", "-1.5e3 ", "2024-02-30"],
        "f_none": pa.nulls(7, pa.float64()),
        "f_k": pa.array([0, 1, 1, 0, None, 2, 2], pa.int64()),
        "f_yes": [True, False, None, True, True, True, True],
        "f_o'dd \"name": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
    }
)


def positive(records):
    return records.f_x > 0


RULES = [
    (NullRate("x", at_most=0), [0, 0, 1, 1, 0, 0, 0], 7),
    (NullRate("none", at_most=0), [1] * 7, 7),
    (NullRate("text", at_most=0), [0, 0, 1, 0, 0, 0, 0], 7),
    (NullRate("o'dd \"name", at_most=0), [0] * 7, 7),
    (Finite("x"), [0, 0, 0, 1, 1, 1, 0], 6),
    (Finite("none"), [0] * 7, 0),
    (Finite("k"), [0] * 7, 6),
    (InRange("x", low=-1, high=1), [0, 0, 0, 0, 1, 1, 1], 5),
    (InRange("x", low=0), [0, 1, 0, 0, 0, 1, 0], 5),
    (InRange("k", high=1), [0, 0, 0, 0, 0, 1, 1], 6),
    (InSet("text", ("it's", "ü", "")), [0, 0, 0, 0, 1, 1, 1], 6),
    (InSet("x", (1.0, -1.0)), [0, 0, 0, 0, 1, 1, 1], 5),
    (InSet("k", (0, 1.0)), [0, 0, 0, 0, 0, 1, 1], 6),
    (Matches("text", r"[a-z' ]+|\d+"), [0, 1, 0, 1, 0, 1, 1], 6),
    (TypeIs("text", "number"), [1, 1, 0, 1, 0, 0, 1], 6),
    (TypeIs("text", "whole"), [1, 1, 0, 1, 0, 1, 1], 6),
    (TypeIs("text", "moment"), [1, 1, 0, 1, 1, 1, 0], 6),
    (TypeIs("text", "text"), [0] * 7, 6),
    (TypeIs("x", "number"), [0] * 7, 5),
    (TypeIs("x", "text"), [1, 1, 0, 0, 1, 1, 1], 5),
    (TypeIs("x", "whole"), [0, 0, 0, 0, 1, 1, 0], 5),
    (TypeIs("k", "bool"), [0, 0, 0, 0, 0, 1, 1], 6),
    (TypeIs("yes", "bool"), [0] * 7, 6),
    (TypeIs("yes", "number"), [1, 1, 0, 1, 1, 1, 1], 6),
    (TypeIs("predicted_at", "moment"), [0] * 7, 7),
    (Holds("is positive", positive), [0, 1, 0, 0, 0, 1, 0], 6),
    (Freshness("90m"), [0, 0, 1, 1, 1, 1, 0], 6),
    (Duplicates(), [0, 0, 0, 0, 0, 1, 0], 6),
    (Duplicates(("k",)), [0, 0, 1, 1, 0, 0, 1], 6),
    (Duplicates(("none",)), [0] * 7, 0),
    (Duplicates(("none", "k", "yes")), [0, 0, 0, 1, 0, 0, 1], 7),
]
WINDOW_RULES = [RowCount(at_least=1), Vanished("text", ("ü",)), Schema(("x", "gone"), others=False)]


@pytest.fixture(scope="module", params=["memory", "parquet"])
def records(request, tmp_path_factory):
    if request.param == "memory":
        return ENGINE.table(Snapshot(schema=ROWS.schema, arrow=ROWS))
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    pq.write_table(ROWS, path)
    return ENGINE.table(Snapshot(schema=ROWS.schema, files=(str(path),)))


def test_each_row_breaks_the_rule_or_not_and_the_share_is_of_those_it_can_be_asked_of(records):
    columns, numbers = {}, {}
    for k, (rule, _, _) in enumerate(RULES):
        columns |= {f"f{k}": rule.failing(records), f"a{k}": rule.applies(records)}
        numbers |= {f"{name}{k}": value for name, value in rule.measured(records).items()}
    rows = ENGINE.arrow(records.mutate(**columns).order_by("predicted_at"))
    one = ENGINE.arrow(records.aggregate(**numbers)).to_pylist()[0]
    for k, (rule, failing, n) in enumerate(RULES):
        assert rows[f"f{k}"].to_pylist() == [bool(f) for f in failing], rule
        assert rows[f"a{k}"].null_count == 0
        assert sum(rows[f"a{k}"].to_pylist()) == n, rule
        # Of no row there is no share: never a calm 0.
        assert one[f"n{k}"] == n
        assert one[f"value{k}"] == (pytest.approx(sum(failing) / n) if n else None), rule


def test_each_is_told_apart_by_metric_and_column():
    names = [(type(r).__name__, r.metric, r.column) for r, _, _ in RULES] + [
        (type(r).__name__, r.metric, r.column) for r in WINDOW_RULES
    ]
    assert all(r.alerting for r, _, _ in RULES)
    assert len({metric for _, metric, _ in names}) >= 14
    assert ("Holds", "is_positive", "") in names
    assert ("Duplicates", "duplicates_of_none_k_yes", "") in names


def test_without_rows_nothing_is_measured_and_nothing_breaks(records):
    none = records.filter(ibis.literal(False))
    numbers = {}
    for k, rule in enumerate([r for r, _, _ in RULES] + WINDOW_RULES):
        numbers |= {f"{name}{k}": value for name, value in rule.measured(none).items()}
    one = ENGINE.arrow(none.aggregate(**numbers)).to_pylist()[0]
    for k, rule in enumerate([r for r, _, _ in RULES] + WINDOW_RULES):
        assert one[f"n{k}"] == 0
        assert one[f"value{k}"] == (0 if isinstance(rule, RowCount) else None), rule


@pytest.mark.parametrize(
    ("rule", "match"),
    [
        (NullRate("txt", at_most=0), "no column 'txt'.*did you mean 'text'"),
        (Duplicates(("txt",)), "no column 'txt'"),
        (InRange("text", low=0), "is string, no number.*TypeIs"),
        (InRange("yes", low=0), "is boolean, no number"),
        (Finite("text"), "no number"),
        (Matches("x", "a"), "is float64, no text"),
        (InSet("x", ("a",)), "is float64, but 'a' is str"),
        (Vanished("text", (1.0,)), "is string, but 1.0 is float"),
        (Holds("h", lambda r: r.f_gone > 0), "condition 'h' cannot be asked"),
        (Holds("h", lambda r: r.f_x), "no boolean"),
    ],
)
def test_a_column_that_is_not_there_or_of_another_type_is_bad_input(records, rule, match):
    with pytest.raises(BadInput, match=match):
        rule.measured(records)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: InRange("x"), "no end"),
        (lambda: InRange("x", low=2, high=1), "above"),
        (lambda: InSet("x", ()), "not alike"),
        (lambda: InSet("x", "ab"), "not alike"),
        (lambda: InSet("x", ("a", 1)), "not alike"),
        (lambda: InSet("x", (NAN,)), "not alike"),
        (lambda: Matches("x", "("), "mend the pattern"),
        (lambda: Matches("x", "a(?!b)"), "not every engine"),
        (lambda: Matches("x", "[[:alpha:]]+"), "not every engine"),
        (lambda: Matches("x", "[a-z&&b]"), "not every engine"),
        (RowCount, "no end"),
        (lambda: RowCount(at_least=5, at_most=(9, 9, 9, 4, 9, 9, 9)), "above"),
        (lambda: NullRate("x", at_most=1.5), "at_most"),
        (lambda: Freshness("soon"), "a duration"),
    ],
)
def test_limits_that_make_no_sense_are_refused(make, match):
    with pytest.raises(BadValue, match=match):
        make()


def test_the_window_tells_which_columns_and_categories_changed(records):
    one = ENGINE.arrow(
        records.aggregate(
            **{f"v{k}": rule.measured(records)["value"] for k, rule in enumerate(WINDOW_RULES)}
        )
    ).to_pylist()[0]
    # Missing: gone. New: text, k, yes and the odd one; none has no value, so it is not there.
    assert one == {"v0": 7.0, "v1": 0.0, "v2": 5.0}
    memory = ibis.memtable(ROWS)
    assert WINDOW_RULES[2].changes(memory) == dict.fromkeys(
        ("k", "o'dd \"name", "text", "yes"), "new"
    ) | {"gone": "missing"}
    assert Vanished("text", ("ü", "no", "it's")).absent(memory) == ["no"]


def test_the_rows_behind_a_number_are_found_with_what_explains_them(records):
    found = ENGINE.arrow(bad_rows(InSet("text", ("ü", "")), records, limit=2)).to_pylist()
    assert [(r["record_id"], r["f_text"]) for r in found] == [("a", "it's"), ("e", "12")]
    assert found[0]["predicted_at"] == NOON
    assert ENGINE.arrow(bad_rows(Duplicates(), records))["record_id"].to_pylist() == ["e"]
    shown = ENGINE.arrow(bad_rows(Holds("is positive", positive), records))
    assert shown.to_pydict()["f_x"] == [-1.0, -INF]
    with pytest.raises(BadInput, match="no row is to blame"):
        bad_rows(RowCount(at_least=1), records)


class Options(ibis.config.Config):
    """What Ibis keeps for Spark once it is imported."""

    treat_nan_as_null: bool = False


def test_every_expression_is_written_for_spark_without_what_it_gets_wrong(monkeypatch):
    if ibis.options.pyspark is None:
        monkeypatch.setattr(ibis.options, "pyspark", Options())
    schema = ibis.schema(ROWS.schema).items() | {("output", "float64"), ("output_text", "string")}
    records = ibis.table(dict(schema), name="records")
    facts = ibis.table(
        {
            "record_id": "string",
            "available_at": "timestamp('UTC')",
            "feedback_id": "string",
            "kind": "string",
            "value": "float64",
        },
        name="facts",
    )
    came = outcomes.joined(records, facts, facts, kinds=["thumbs", "complaint"])
    compiler = spark.PySparkCompiler()
    asked = [rule.measured(records) for rule in [*[r for r, _, _ in RULES], *WINDOW_RULES]]
    asked += [p.measured(records) for p in PROXIES]
    queries = [records.group_by("f_k").aggregate(**numbers) for numbers in asked]
    queries += [came.group_by("f_k").aggregate(**o.measured(came)) for o in OUTCOMES]
    queries += [bad_rows(rule, records) for rule, _, _ in RULES if isinstance(rule, RowRule)]
    for query in queries:
        text = compiler.to_sqlglot(query).sql("spark").upper()
        # Ibis writes isinf as FALSE for Spark; QUALIFY it does not have.
        assert "FALSE OR FALSE" not in text
        assert "QUALIFY" not in text
        assert "UNSUPPORTED" not in text


PROXIES = [
    proxies.OutputLength(),
    proxies.Repetition(),
    proxies.Refusal(),
    proxies.OutputShare("a"),
    proxies.OutputShare(1.0),
    proxies.Proxy("is positive", positive),
]
OUTCOMES = [
    outcomes.FeedbackRate("thumbs", within="7d"),
    outcomes.FeedbackMean("thumbs"),
    outcomes.Coverage(),
    outcomes.Lag("either"),
]
