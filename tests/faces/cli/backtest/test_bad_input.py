"""Bad input to ``tidemill backtest``: each is a clear line, never a crash."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from turning import KNOWN, STRATEGY, TWO, N, columns, row, table, why


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        (("--strategies", "weekley"), "did you mean 'weekly'?", 1),
        (("--strategies", "weekly,weekly"), "asked for twice", 2),
        (("--metric", "aucc"), "did you mean 'auc'?", 1),
        (("--metric", "mae"), "choose auc, accuracy, brier or log_loss", 2),
        (("--dataset", "lots"), "n=5000", 2),
        (("--from", "soon"), "--from: ", 2),
        (("--from", "2024-02-01", "--to", "2024-01-15"), "a start before the end", 2),
        (("--from", "2025-01-01"), "less than two steps", 1),
        (("--latency", "soon"), "latency: 'soon' is not a duration", 2),
        (("--seeds", "0"), "seeds must be 1 or more", 2),
        (("--cost-error", "-1"), "error must be a number at least 0", 2),
        (("--currency", "EUR"), "nothing has a price", 2),
        (("--html", "nowhere/a.html"), "there is no folder nowhere", 2),
    ],
)
def test_what_cannot_be_meant(refuse, words, told, code):
    assert told in refuse(table(), *KNOWN, *words, code=code)


def test_words_that_are_no_table(refuse):
    assert "did you mean 'monthly'?" in refuse("monthli")
    assert "there is no file nowhere.parquet" in refuse("nowhere.parquet")
    assert "takes one table" in refuse(table(), "weekly", code=2)


# Bad input: each is a clear line, never a crash


def test_no_timestamps(refuse):
    assert "nothing says which column is --time" in refuse(table(time=None), code=2)


def test_unsorted_times_change_nothing(replay):
    straight = replay(table(), "--label-delay", "3h", "--drop", "known", *TWO)
    order = np.random.default_rng(2).permutation(N)
    shuffled = {k: [v[i] for i in order] for k, v in columns().items()}  # type: ignore[index]
    found = replay(table(**shuffled), "--label-delay", "3h", "--drop", "known", *TWO)
    for name in ("never", "weekly"):
        ours = [step["now"] for step in row(found, name)["curve"]]
        assert ours == pytest.approx([step["now"] for step in row(straight, name)["curve"]])


def test_repeated_times(replay):
    at = columns()["time"]
    found = replay(table(time=[at[k // 20 * 20] for k in range(N)]), "--drop", "known", *TWO)  # type: ignore[index]
    assert any("95% of the rows have the time of another" in a for a in found["history"]["assumed"])


def test_labels_before_their_predictions(replay):
    at = columns()["time"]
    early = [t - timedelta(hours=3) if k % 7 == 0 else t for k, t in enumerate(at)]  # type: ignore[arg-type,var-annotated]
    found = replay(table(known=early), *KNOWN, *TWO)
    assert any("from before the prediction" in w for w in found["history"]["warnings"])


def test_a_window_with_one_class(replay):
    label = np.array(columns()["label"])
    label[252:336] = 1
    found = replay(table(label=label), *KNOWN, *TWO)
    assert [s["now"] for s in row(found, "never")["curve"]].count(None) == 1
    told = why(found, "each step be scored")
    assert told["answer"] == "no"
    assert "1 of 5 steps have labels but no AUC" in told["why"]


@pytest.mark.parametrize(
    ("label", "told"), [([1] * N, "are the same"), ([None] * N, "0 rows have a label")]
)
def test_one_class_or_none_at_all(refuse, label, told):
    line = refuse(table(label=pa.array(label, pa.int64())), *KNOWN, *TWO)
    assert "a backtest would be meaningless" in line
    assert told in line


def test_a_class_never_seen_before(replay):
    names = np.where(np.array(columns()["label"]) == 1, "yes", "no").astype(object)
    names[400:500:3] = "perhaps"
    found = replay(table(label=[str(n) for n in names]), *KNOWN, *TWO)
    assert found["history"]["task"] == "multiclass"
    assert None not in [s["now"] for s in row(found, "weekly")["curve"]]


def test_texts_with_nulls(replay):
    words = [
        None if k % 5 == 0 else f"ticket {k}: it {'works' if k % 3 else 'fails'} again and again"
        for k in range(N)
    ]
    found = replay(table(note=words), *KNOWN, *TWO)
    kinds = {f["name"]: f["kind"] for f in found["history"]["features"]}
    assert kinds["note"] == "text"
    assert row(found, "weekly")["failed"] == 0


def test_a_history_shorter_than_a_window(refuse):
    short = {k: v[:10] for k, v in columns().items()}  # type: ignore[index]
    pq.write_table(pa.table(short), "short.parquet")
    assert "a shorter --step" in refuse("short.parquet", *KNOWN, *TWO)


def test_strategies_that_never_fire_or_always_do(replay, place):
    text = STRATEGY.replace("import All,", "import All, Records,")
    for name, limit in (("silent", "Records(10**6)"), ("eager", "Records(1)")):
        (place / f"{name}.py").write_text(text.replace('Every("14d")', limit))
    found = replay(table(), *KNOWN, "--strategies", "silent.py,eager.py")
    assert any("its trigger never fired" in note for note in row(found, "silent")["notes"])
    assert any("fired at every turn" in note for note in row(found, "eager")["notes"])
