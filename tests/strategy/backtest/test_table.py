"""A user's table becomes a history; whatever is wrong with it is a sentence, never a crash."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.core.draws import draws, row_hash
from tidemill.core.errors import BadInput, BadValue, NotFound
from tidemill.core.records import LABELS, RECORDS
from tidemill.strategy.backtest.table import AT_ONCE, Meaning, understand

DATA = Path(__file__).parents[4] / "shared" / "data"
START = datetime(2024, 1, 1, tzinfo=UTC)
N = 600


def made(n: int = N, **columns) -> pa.Table:
    """A table of n hourly rows with a number, a category and a label that depends on both."""
    rng = np.random.default_rng(0)
    x, c = rng.normal(size=n), rng.integers(0, 3, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-x - c + 1))).astype(int)
    base = {
        "at": pa.array([START + timedelta(hours=k) for k in range(n)]),
        "x": pa.array(x),
        "c": pa.array([f"c{k}" for k in c]),
        "y": pa.array(y),
    }
    base |= {name: v if isinstance(v, pa.Array) else pa.array(v) for name, v in columns.items()}
    return pa.table({name: v for name, v in base.items() if v.type != pa.null() or len(v)})


def meaning(**more) -> Meaning:
    return Meaning(**({"time": "at", "label": "y", "label_delay": "1d"} | more))


def said(found, words: str) -> bool:
    return any(words in line for line in (*found.assumed, *found.warnings))


def test_rows_are_records_as_the_mill_stores_them():
    found = understand(made(), meaning(), salt="s")
    records, labels = found.records, found.labels
    assert records.schema.names[: len(RECORDS)] == RECORDS.names
    assert all(records.schema.field(f.name).type == f.type for f in RECORDS)
    assert labels.schema.equals(LABELS)
    ids = records["record_id"].to_pylist()
    assert ids == [f"row-{k}" for k in range(N)]
    drawn = draws("s", ids)
    for name in ("u_log", "u_label", "u_split"):
        assert records[name].to_pylist() == drawn[name].tolist()
    assert records["row_hash"].to_pylist() == row_hash(records).to_pylist()
    assert set(records["p_log"].to_pylist()) == {1.0}
    assert records["available_at"].equals(records["predicted_at"])
    assert records["payload"].null_count == N
    assert (found.task, found.quarantined) == ("binary", 0)
    assert found.features == (("x", "number"), ("c", "category"))
    late = np.subtract(labels["available_at"].to_pylist(), labels["predicted_at"].to_pylist())
    assert set(late) == {timedelta(days=1)}
    assert len(set(labels["label_id"].to_pylist())) == labels.num_rows == N
    assert set(labels["source_kind"].to_pylist()) == {"outcome"}
    assert (found.assumed, found.warnings) == ((), ())


def test_unsorted_rows_are_sorted_and_ties_stay_as_they_stood():
    table, order = made(), np.random.default_rng(1).permutation(N)
    found = understand(table.take(pa.array(order)), meaning())
    ids = found.records["record_id"].to_pylist()
    assert [int(order[int(i.removeprefix("row-"))]) for i in ids] == list(range(N))
    assert found.labels["label"].to_pylist() == [float(v) for v in table["y"].to_pylist()]
    same = understand(made(at=pa.array([START] * N)), meaning())
    assert same.records["record_id"].to_pylist() == [f"row-{k}" for k in range(N)]
    assert said(same, "100% of the rows have the time of another")


@pytest.mark.parametrize(
    "times",
    [
        pa.array([f"2024-01-{1 + k % 28:02}" for k in range(N)]),
        pa.array([f"2024-01-{1 + k % 28:02} 10:00:00" for k in range(N)]),
        pa.array([datetime(2024, 1, 1 + k % 28) for k in range(N)]),  # noqa: DTZ001 - a naive one
        pa.array([datetime(2024, 1, 1 + k % 28).date() for k in range(N)]),  # noqa: DTZ001
    ],
    ids=["date as text", "time as text", "naive", "dates"],
)
def test_times_without_a_zone_are_utc_and_that_is_assumed(times):
    found = understand(made(at=times), meaning())
    assert found.records.num_rows == N
    assert said(found, "have no zone and are taken as UTC")
    assert found.records["predicted_at"][0].as_py().tzinfo is not None


def test_rows_without_a_time_are_left_out_and_counted():
    times = [START + timedelta(hours=k) for k in range(N)]
    gone = understand(made(at=pa.array([None, None, *times[2:]])), meaning())
    assert (gone.records.num_rows, gone.quarantined) == (N - 2, 2)
    assert said(gone, "2 rows left out: 'at' holds no time there")
    texts = ["soon", *(t.isoformat() for t in times[1:])]
    assert understand(made(at=pa.array(texts)), meaning()).quarantined == 1


def test_what_cannot_be_read_is_left_out_with_the_reason():
    table = made(x=pa.array([np.inf, *np.arange(N - 1.0)]))
    found = understand(table, meaning())
    assert found.quarantined == 1
    assert said(found, "1 row left out: x: expected a finite number, got inf")
    assert found.labels["label"].to_pylist() == [float(v) for v in table["y"].to_pylist()[1:]]


def test_the_first_of_equal_ids_counts_with_its_own_label():
    # The first row named "a" cannot be read, so the second is the one that counts.
    names = ["a", "a", "b", "b", *(f"r{k}" for k in range(N - 4))]
    x = pa.array([np.inf, *np.arange(N - 1.0)])
    labels = [0, 1, 1, 0, *([0, 1] * (N // 2))[: N - 4]]
    found = understand(made(id=names, x=x, y=labels), meaning(record_id="id"))
    truth = dict(
        zip(found.labels["record_id"].to_pylist(), found.labels["label"].to_pylist(), strict=True)
    )
    assert (truth["a"], truth["b"]) == (1.0, 1.0)
    assert found.records.num_rows == N - 2
    with pytest.raises(BadInput, match="leave --id out"):
        understand(
            made(id=["one"] * N, at=[START] * N, x=[0.0] * N, c=["a"] * N), meaning(record_id="id")
        )


def test_labels_from_before_the_prediction_count_from_the_prediction():
    known = [START + timedelta(hours=k - 1 if k < 5 else k + 2) for k in range(N)]
    found = understand(made(known=pa.array(known)), meaning(label_time="known"))
    late = np.subtract(
        found.labels["available_at"].to_pylist(), found.labels["predicted_at"].to_pylist()
    )
    assert late.tolist() == [timedelta(0)] * 5 + [timedelta(hours=2)] * (N - 5)
    assert said(found, "5 rows have a label from before the prediction")


def test_labels_without_a_time():
    known = pa.array([None, *(START + timedelta(hours=k + 2) for k in range(1, N))])
    never = understand(made(known=known), meaning(label_time="known", label_delay="0s"))
    assert never.labels.num_rows == N - 1
    assert said(never, "the label counts as never known")
    late = understand(made(known=known), meaning(label_time="known", final_after="3d"))
    assert late.labels["available_at"][0].as_py() == START + timedelta(days=3)
    assert said(late, "labels without a time come 3d after")


def test_labels_known_at_once_are_said_to_flatter():
    assert AT_ONCE in understand(made(), meaning(label_delay="0s")).assumed
    assert AT_ONCE not in understand(made(), meaning(label_delay="0s", final_after="2d")).assumed


@pytest.mark.parametrize(
    ("labels", "more", "task", "values", "says"),
    [
        ([True, False], {}, "binary", {1.0, 0.0}, ""),
        (["yes", "No"], {}, "binary", {1.0, 0.0}, "'yes' counts as 1"),
        (["0", "1"], {}, "binary", {1.0, 0.0}, "'1' counts as 1"),
        ([-1, 1], {}, "binary", {1.0, 0.0}, "1 counts as 1, -1 as 0"),
        (["ham", "spam"], {}, "multiclass", {"ham", "spam"}, "without an order"),
        (["ham", "spam"], {"task": "binary"}, "binary", {0.0, 1.0}, "'spam' counts as 1"),
        (["a", "b", "c"], {}, "multiclass", {"a", "b", "c"}, ""),
        (["a", None, "", "b", "c"], {}, "multiclass", {"a", "b", "c"}, ""),
        ([f"k{k}" for k in range(60)], {}, "multiclass", None, "60 classes, each seen rarely"),
        ([0.5, 1.5, 2.5], {}, "regression", {0.5, 1.5, 2.5}, ""),
        (["0.5", "1.5", "2.5"], {}, "regression", {0.5, 1.5, 2.5}, "read as numbers"),
        ([1, 2, 3], {}, "regression", {1.0, 2.0, 3.0}, "say --task multiclass"),
        ([1, 2, 3], {"task": "multiclass"}, "multiclass", {1.0, 2.0, 3.0}, ""),
        ([1, 1], {}, "binary", {1.0}, "every label is 1"),
        ([None, None], {}, "binary", set(), "no row has a label"),
        ([1, None], {"absent": 0.0}, "binary", {1.0}, ""),
        ([2, None], {"absent": "1"}, "binary", {1.0}, "2 counts as 1, 1 as 0"),
        ([None, "yes"], {"absent": "no"}, "binary", {1.0}, "'yes' counts as 1"),
        ([1.0, float("nan"), 0.0], {}, "binary", {1.0, 0.0}, ""),
        ([0.0, 1.0, float("inf")], {}, "binary", {1.0, 0.0}, "200 labels are infinite"),
    ],
)
def test_labels_of_every_kind(labels, more, task, values, says):
    found = understand(made(y=(labels * N)[:N]), meaning(**more))
    assert found.task == task
    column = "label_text" if found.labels["label"].null_count else "label"
    if values is not None:
        assert set(found.labels[column].to_pylist()) == values
    assert not says or said(found, says), (found.assumed, found.warnings)


def test_absence_is_written_as_the_labels_are():
    found = understand(made(y=(["bad", None] * N)[:N]), meaning(absent="good", task="binary"))
    assert (found.absent, set(found.labels["label"].to_pylist())) == (1.0, {0.0})
    assert understand(made(y=([7, None] * N)[:N]), meaning(absent=3)).absent == 0.0


def test_answers_of_the_users_model_are_written_as_the_labels_are():
    table = made(
        y=(["no", "yes"] * N)[:N],
        said=(["yes", "no"] * N)[:N],
        p=np.linspace(0, 1, N),
        v=pa.array([k // 100 for k in range(N)]),
        who=[f"u{k % 7}" for k in range(N)],
    )
    found = understand(
        table, meaning(output="said", score="p", model_version="v", unit="who")
    ).records
    assert found["output"].to_pylist() == ([1.0, 0.0] * N)[:N]
    assert found["score"].to_pylist() == np.linspace(0, 1, N).tolist()
    assert set(found["model"].to_pylist()) == {str(k) for k in range(6)}
    assert set(found["unit"].to_pylist()) == {f"u{k}" for k in range(7)}
    amounts = understand(made(y=np.linspace(5, 9, N), p=np.linspace(4, 8, N)), meaning(score="p"))
    assert amounts.records["output"].to_pylist() == np.linspace(4, 8, N).tolist()
    assert amounts.records["score"].null_count == N


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (pa.array([3.0] * N), "is the same in every row"),
        (pa.array(["a"] * N), "is the same in every row"),
        (pa.nulls(N), "is empty"),
        (pa.nulls(N, pa.string()), "is empty"),
        (pa.array([{"a": 1}] * N), "holds struct"),
        (pa.array([[1.0]] * N), "holds list"),
        (pa.array([b"x"] * N), "holds binary"),
        (pa.array(range(N)), "has another value in every row, like an id"),
        (pa.array([f"u-{k * 7919:x}" for k in range(N)]), "has another text in nearly"),
    ],
)
def test_columns_that_teach_nothing_are_no_features(column, says):
    found = understand(made(more=column), meaning())
    assert found.features == (("x", "number"), ("c", "category"))
    assert said(found, f"more is no feature: it {says}"), found.warnings


def test_kinds_of_features():
    words = ["the plane was late", "rain all day long", "fog at the airport", "all went well"]
    found = understand(
        made(
            flag=([True, False] * N)[:N],
            when=pa.array([START - timedelta(days=k % 9) for k in range(N)]),
            story=[f"{words[k % 4]} on day {k}" for k in range(N)],
            big=pa.array([f"s{k % 9}" for k in range(N)]).cast(pa.large_string()),
            coded=pa.array([f"s{k % 9}" for k in range(N)]).dictionary_encode(),
            amount=pa.array(np.random.default_rng(2).permutation(N)),
        ),
        meaning(),
    )
    assert dict(found.features) == {
        "x": "number",
        "c": "category",
        "flag": "number",
        "when": "time",
        "story": "text",
        "big": "category",
        "coded": "category",
        "amount": "number",
    }
    assert found.leaks == ()


def test_features_that_are_named_and_dropped():
    table = made(b=pa.array(np.arange(N)), nest=pa.array([[1.0]] * N))
    assert understand(table, meaning(features=("b", "x"))).features == (
        ("b", "number"),
        ("x", "number"),
    )
    assert understand(table, meaning(drop=("x", "b", "nest"))).features == (("c", "category"),)
    with pytest.raises(BadValue, match="'nest' holds list"):
        understand(table, meaning(features=("nest",)))
    with pytest.raises(BadValue, match="names the label"):
        understand(table, meaning(features=("x", "y")))
    assert said(understand(made(), meaning(drop=("x", "c"))), "no column is left to learn from")


def test_names_that_no_table_can_hold():
    odd = made(**{"X": np.arange(N) % 5, "a b(c)": np.arange(N) % 5, "()": np.arange(N) % 5})
    found = understand(odd, meaning())
    assert dict(found.features) == {"x": "number", "c": "category", "a_b_c": "number"}
    assert said(found, "X is no feature: it is named like 'x'")
    assert said(found, "() is no feature: it has no letter")
    assert said(found, "a model sees 'a b(c)' as 'a_b_c'")
    own = made(record_id=np.arange(N) % 5, place=np.arange(N) % 5)
    assert {"record_id", "place"} <= set(dict(understand(own, meaning()).features))


def _leaks() -> dict[str, tuple[pa.Array, str]]:
    y = np.array(made()["y"])
    noise = np.random.default_rng(3).normal(size=N)
    return {
        "copy": (pa.array(y + 0.01 * noise), "alone tells the label (AUC 1.000)"),
        "turned": (pa.array(-y + 0.01 * noise), "alone tells the label"),
        "middle": (pa.array(np.where(y == 1, 0.1, 5.0) * noise / abs(noise)), "alone tells"),
        "code": (pa.array(np.where(y == 1, "paid", "open")), "alone tells the label (AUC"),
        "hole": (pa.array([1.0 * k if v else None for k, v in enumerate(y)]), "alone tells"),
        "y_minutes": (pa.array(noise), "is named like the label 'y'"),
        "stateAfter": (pa.array(noise), "named like something known afterwards"),
        "landed": (
            pa.array([START + timedelta(hours=k + 2) for k in range(N)]),
            "100% of its times are after the prediction",
        ),
    }


@pytest.mark.parametrize("name", sorted(set(_leaks()) - {"y_minutes"}))
def test_leaks_are_named_with_what_to_do(name):
    column, says = _leaks()[name]
    found = understand(made(**{name: column}), meaning())
    assert found.leaks == (name,)
    (line,) = found.warnings
    assert says in line
    assert line.endswith(f"--drop {name}.")
    assert dict(found.features)[name]  # told, and left to the user


def test_a_feature_missing_exactly_where_the_label_is():
    y = [None if k % 3 == 0 else k % 2 for k in range(N)]
    bill = pa.array([None if k % 3 == 0 else float(k % 11) for k in range(N)])
    other = pa.array([None if k % 5 == 0 else float(k % 11) for k in range(N)])
    found = understand(made(y=y, bill=bill, other=other), meaning())
    assert found.leaks == ("bill",)
    assert said(found, "missing exactly where the label is")
    named = understand(
        made(arrived=y, arrived_at_gate=other), meaning(label="arrived", drop=("y",))
    )
    assert said(named, "is named like the label 'arrived'")


def test_leaks_of_amounts_and_of_classes():
    rng = np.random.default_rng(4)
    amount = rng.normal(size=N)
    found = understand(
        made(
            y=amount,
            same=amount * 3 + 1,
            curve=np.abs(amount - 9) ** 3,
            noisy=amount + rng.normal(size=N),
        ),
        meaning(),
    )
    assert found.leaks == ("same", "curve")
    kinds = rng.choice(["a", "b", "c"], N)
    found = understand(
        made(y=kinds, code=np.char.add("code ", kinds), loose=rng.choice(["u", "v"], N)), meaning()
    )
    assert found.leaks == ("code",)


def test_no_leak_is_seen_where_there_is_none():
    """Strong but honest features, and labels that are nearly all the same."""
    rng = np.random.default_rng(5)
    for share in (0.5, 0.01):
        y = (rng.random(3000) < share).astype(int)
        strong = y * 2 + rng.normal(size=3000)
        at = pa.array([START + timedelta(minutes=k) for k in range(3000)])
        table = pa.table(
            {"at": at, "y": y, "strong": strong, "many": rng.integers(0, 900, 3000).astype(str)}
        )
        found = understand(table, meaning())
        assert len(found.features) == 2
        assert found.leaks == ()


@pytest.mark.parametrize(
    ("table", "what", "error", "says"),
    [
        (made(), {"time": "att"}, NotFound, "did you mean 'at'"),
        (made(), {"label": "lable"}, NotFound, "unknown column 'lable'"),
        (made(), {"drop": ("z",)}, NotFound, "unknown column 'z'"),
        (made(), {"time": "x"}, BadInput, "which is no time"),
        (made(), {"time": "c"}, BadInput, "holds 'c.', which is no time"),
        (made(), {"time": "y"}, BadValue, "--time and --label are both 'y'"),
        (made(), {"label": "at"}, BadValue, "both 'at'"),
        (made(at=pa.nulls(N)), {}, BadInput, "'at' is empty"),
        (made().slice(0, 0), {}, BadInput, "holds no rows"),
        (made(y=[[1.0]] * N), {}, BadInput, "neither a number nor a class"),
        (made(), {"absent": "none"}, BadValue, "the labels are numbers"),
        (made(), {"task": "ranking"}, NotFound, "unknown task 'ranking'"),
        (made(y=["a", "b"] * (N // 2)), {"task": "regression"}, BadValue, "holds text such as 'a'"),
        (made(y=["a", "b", "c"] * (N // 3)), {"task": "binary"}, BadValue, "3 different values"),
        (made(y=np.linspace(0, 1, N)), {"task": "multiclass"}, BadValue, "holds fractions"),
        (made(), {"label_delay": "soon"}, BadValue, "not a duration"),
        (made(x=[np.inf] * N), {"features": ("x",)}, BadInput, "no row can be used"),
    ],
)
def test_tables_of_which_no_history_can_be_made(table, what, error, says):
    with pytest.raises(error, match=says):
        understand(table, meaning(**what))


def test_text_with_nulls_and_a_single_row():
    found = understand(made(c=(["a", None, "b", ""] * N)[:N]), meaning())
    assert found.records["f_c"].null_count == N // 4
    assert understand(made().slice(3, 1), meaning()).records.num_rows == 1


def _data(name: str) -> pa.Table:
    path = DATA / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"no ../shared/data/{path.name}")
    return pq.read_table(path)


@pytest.mark.parametrize(
    ("name", "task", "features"),
    [
        ("bike_hourly", "regression", 11),
        ("bank_marketing", "binary", 20),
        ("angular_cli_commits", "multiclass", 3),
        ("flights_nyc13", "binary", 14),
    ],
)
def test_real_tables(name, task, features):
    table = _data(name)
    start = time.process_time()
    found = understand(table, Meaning(time="ts", label="label", label_delay="1d"))
    assert time.process_time() - start < 6  # seconds; about one on an idle machine
    assert (found.task, len(found.features)) == (task, features)
    assert found.records.num_rows == found.labels.num_rows == table.num_rows
    assert (found.leaks, found.quarantined, found.warnings) == ((), 0, ())
    if name.startswith("angular"):
        assert dict(found.features) == {"scope": "category", "subject": "text", "body": "text"}


ODD = {
    "half floats": pa.array(np.linspace(0, 1, N).astype(np.float16)),
    "huge": pa.array([1e308, -1e308] * (N // 2)),
    "infinite": pa.array([np.inf, np.nan, 1.0] * (N // 3)),
    "too exact": pa.array([2**62 + k for k in range(N)]),
    "no calendar": pa.array([2**62, 0] * (N // 2), pa.timestamp("us", "UTC")),
    "spans": pa.array([timedelta(1)] * N),
    "decimals": pa.array([k % 5 for k in range(N)]).cast(pa.decimal128(21, 2)),
    "coded numbers": pa.array([k % 5 for k in range(N)]).dictionary_encode(),
    "coded text": pa.array(["a", None, "b"] * (N // 3)).dictionary_encode(),
    "lists": pa.array([[1.0]] * N),
    "bytes": pa.array([b"x"] * N),
    "nothing": pa.nulls(N),
    "zones": pa.array(["2024-01-01T00:00:00+02:00", "2024-01-01"] * (N // 2)),
    "Paris": pa.array([START.replace(tzinfo=None)] * N, pa.timestamp("ns", "Europe/Paris")),
}
ROLES = (
    "time",
    "label",
    "label_time",
    "score",
    "output",
    "model_version",
    "unit",
    "record_id",
    "features",
)


@pytest.mark.parametrize("odd", sorted(ODD))
@pytest.mark.parametrize("role", ROLES)
def test_a_column_of_any_type_in_any_role_is_taken_or_told(odd, role):
    table = made(odd=ODD[odd])
    told = ""
    try:
        found = understand(table, meaning(**{role: ("odd",) if role == "features" else "odd"}))
    except (BadInput, BadValue) as error:
        told = f"{error.what} {error.fix}"
    if told:
        assert "odd" in told
        return
    assert 0 < found.records.num_rows <= N - found.quarantined
    assert found.labels.num_rows <= found.records.num_rows
