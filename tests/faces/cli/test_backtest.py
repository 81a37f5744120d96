"""``tidemill backtest``: on a table, in a project, and on every kind of bad input."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.faces.report.reference import problems

START = datetime(2024, 1, 1, tzinfo=UTC)
N = 600
KNOWN = ("--label-time", "known")
FAST = ("--workers", "1", "--step", "7d")
TWO = ("--strategies", "never,weekly")
TRAIN = """
import numpy as np

import shapes


def train(dataset, _previous):
    n = len(dataset.label)
    if 300 < n < 450:
        raise ValueError(f"{n} rows <b>are</b> too many")
    x = dataset.to_pandas()["x"]
    return shapes.Sign(float(np.sign(np.corrcoef(x, dataset.label)[0, 1])))


def never(dataset, _previous):
    raise RuntimeError("the licence ran out")


def made():
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression()


def three(a, b, c): ...


number = 7
"""
SHAPES = """
import numpy as np


class Sign:
    classes_ = (0.0, 1.0)

    def __init__(self, sign):
        self.sign = sign

    def predict_proba(self, frame):
        p = 1 / (1 + np.exp(-self.sign * frame["x"].to_numpy()))
        return np.column_stack([1 - p, p])

    def predict(self, frame):
        return (self.predict_proba(frame)[:, 1] > 0.5).astype(float)
"""
STRATEGY = """
from shapes import Sign
from tidemill import All, Every, Nothing, Outcome, Strategy, Unchecked, Uniform


def train(dataset, _previous):
    return Sign(1.0)


strategy = Strategy(
    training=train,
    trigger=Every("14d"),
    curation=Uniform(1000, per="7d"),
    dataset=All(),
    holdout=Nothing(),
    offline=Unchecked(),
)
"""


def columns() -> dict[str, object]:
    """Fifty days in which what x says of the label turns round."""
    rng = np.random.default_rng(0)
    at = [START + timedelta(hours=2 * k) for k in range(N)]
    x = rng.normal(size=N)
    turn = np.cos(np.linspace(0, 3, N))
    return {
        "time": at,
        "x": x,
        "noise": rng.normal(size=N),
        "label": (x * turn + 0.5 * rng.normal(size=N) > 0).astype(int),
        "known": [t + timedelta(hours=3) for t in at],
    }


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch) -> Path:
    """A folder with a model and a strategy, as a user has it."""
    (tmp_path / "mine.py").write_text(TRAIN)
    (tmp_path / "shapes.py").write_text(SHAPES)
    (tmp_path / "fortnightly.py").write_text(STRATEGY)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("mine", "shapes"):  # another test has its own, in its own folder
        sys.modules.pop(name, None)


def table(**other: object) -> str:
    kept = {k: v for k, v in {**columns(), **other}.items() if v is not None}
    pq.write_table(pa.table(kept), "rows.parquet")
    return "rows.parquet"


@pytest.fixture
def replay(tidemill):
    """Run a backtest, and return its document."""

    def run(*words: object):
        said = tidemill("backtest", *words, *FAST, "--json")
        assert (said.code, said.err) == (0, "")
        assert list(problems(said.json)) == []
        return said.json

    return run


@pytest.fixture
def refuse(tidemill):
    """Run a backtest that cannot be, and return its one line."""

    def run(*words: object, code: int = 1) -> str:
        said = tidemill("backtest", *words, *FAST)
        assert (said.code, said.out) == (code, ""), said.err
        lines = [line for line in said.err.splitlines() if line.startswith("tidemill: ")]
        assert len(lines) == 1, said.err
        assert " Fix: " in lines[0]
        assert "internal error" not in lines[0]
        return lines[0]

    return run


def row(document, name):
    return next(s for s in document["strategies"] if s["name"] == name)


def why(document, question):
    return next(v for v in document["validity"] if question in v["question"])


# What it says


def test_it_says_what_it_understood_and_then_the_report(tidemill, place):
    path = table()
    before = {p.name: p.read_bytes() for p in place.iterdir() if p.is_file()}
    said = tidemill("backtest", path, "--label-delay", "0h", *TWO, *FAST, "--drop", "known")
    assert said.code == 0
    first = "This is not your model: a built-in logistic regression."
    assert said.err.splitlines()[0] == said.out.splitlines()[0] == first
    understood, report = " ".join(said.err.split()), " ".join(said.out.split())
    assert "x (number), noise (number)" in understood
    assert "replays never, weekly, in steps of 7d" in understood
    assert "Traceback" not in said.err
    for text in (understood, report):
        assert "ASSUMED labels are known at once" in text
    assert "Conclusion" in report
    assert "weekly" in report
    after = {p.name: p.read_bytes() for p in place.iterdir() if p.is_file()}
    assert after == before


def test_the_page_is_written_where_it_was_asked_for(tidemill, place):
    said = tidemill(
        "backtest",
        table(),
        "--label-delay",
        "0h",
        "--drop",
        "known",
        *TWO,
        *FAST,
        "--html",
        "a.html",
    )
    assert said.code == 0
    assert "wrote a.html" in said.err
    page = (place / "a.html").read_text(encoding="utf-8")
    assert "This is not your model" in page
    assert "labels are known at once" in page
    assert [p.name for p in place.glob("*.html")] == ["a.html"]


def test_a_leak_is_told_first(replay):
    leak = columns()["label"] + np.random.default_rng(1).normal(size=N) / 100  # type: ignore[operator]
    found = replay(table(refund=leak), *KNOWN, *TWO)
    assert any("refund" in line for line in found["history"]["warnings"])


def test_prices_give_a_ledger_that_adds_up(replay):
    prices = ("--cost-label", "0.01", "--cost-false-negative", "5", "--cost-error", "1")
    found = replay(table(), *KNOWN, *TWO, *prices, "--currency", "CHF")
    cost = row(found, "weekly")["cost"]
    parts = (cost[k] for k in ("labels", "compute", "review", "errors"))
    assert cost["total"] == pytest.approx(sum(parts), rel=1e-12)
    assert cost["currency"] == "CHF"
    assert cost["errors"] > 0
    assert found["comparisons"][0]["money_per_year"]["currency"] == "CHF"


def test_your_own_answers_are_a_row_of_their_own(replay):
    score = 1 / (1 + np.exp(-np.asarray(columns()["x"])))
    version = [f"v{k // 200}" for k in range(N)]
    path = table(p=score, v=version)
    found = replay(path, *KNOWN, *TWO, "--score", "p", "--model-version", "v")
    assert row(found, "yours")["kind"] == "yours"
    assert {c["against"] for c in found["comparisons"]} == {"yours"}
    assert {c["name"] for c in found["comparisons"]} == {"never", "weekly"}


def test_usual_strategies_fit_the_step(tidemill):
    words = ("--workers", "1", "--step", "1d", "--to", "2024-01-15")
    said = tidemill("backtest", table(), *KNOWN, *words, "--json")
    asked = [s["name"] for s in said.json["strategies"] if s["kind"] == "asked"]
    assert asked == ["never", "daily", "weekly", "performance"]


def test_a_step_that_divides_no_period_is_told(replay):
    found = replay(table(), *KNOWN, "--strategies", "never,quarterly,daily")
    told = " ".join(found["history"]["warnings"])
    assert "daily is due every 1d, but a mill that turns every 7d retrains it every 7d" in told
    assert "quarterly" not in told


def test_kept_fits_are_not_done_again(tidemill, place):
    words = ("backtest", table(), *KNOWN, *TWO, *FAST, "--json", "--cache", "fits")
    first, second = tidemill(*words).json, tidemill(*words).json
    assert list((place / "fits").rglob("*"))
    assert [s["curve"] for s in first["strategies"]] == [s["curve"] for s in second["strategies"]]


# Whose model it is


def test_a_model_of_ones_own_travels_with_what_it_imports(place):
    """In processes of their own, which do not know the user's folder."""
    words = [table(), *KNOWN, *TWO, "--step", "7d", "--workers", "2", "--model", "mine:train"]
    main = "import sys; from tidemill.faces.cli import main; sys.exit(main(sys.argv[1:]))"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", main, "backtest", *words, "--json"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["model"] == {"yours": True, "words": "your own training"}
    assert row(found, "never")["failed"] == 0
    assert row(found, "never")["value"] is not None


def test_what_makes_an_estimator_is_a_model(replay):
    found = replay(table(), *KNOWN, *TWO, "--model", "mine:made", "--metric", "brier")
    assert found["metric"]["name"] == "brier"
    assert row(found, "weekly")["value"] is not None


def test_a_strategy_file_brings_its_own_training(replay):
    found = replay(table(), *KNOWN, "--strategies", "never,fortnightly.py")
    assert found["model"]["words"] == ("a built-in logistic regression; fortnightly trains its own")
    assert row(found, "fortnightly")["retrains"] == 3
    alone = replay(table(), *KNOWN, "--strategies", "fortnightly.py")
    assert alone["model"]["yours"]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("mine", "expected module:function"),
        ("nowhere:train", "there is no module 'nowhere'"),
        ("mine:trian", "did you mean 'train'?"),
        ("mine:three", "takes 3 arguments"),
        ("mine:number", "is no model: 7"),
        ("broken:train", "cannot be imported: ZeroDivisionError"),
        ("lacking:train", "cannot be imported: ModuleNotFoundError"),
    ],
)
def test_a_model_that_is_none(refuse, place, model, told):
    (place / "broken.py").write_text("1 / 0")
    (place / "lacking.py").write_text("import no_such_thing")
    code = 2 if "expected" in told or "is no" in told or "takes" in told else 1
    code = 1 if model.startswith("nowhere") else code
    assert told in refuse(table(), *KNOWN, *TWO, "--model", model, code=code)


# In a project


def test_a_project_replays_its_own_strategy_and_others(tidemill, built):
    said = tidemill("backtest", "monthly", "--project", built.project, *FAST, "--json")
    assert (said.code, said.err) == (0, "")
    assert list(problems(said.json)) == []
    assert said.json["model"]["yours"]
    names = [s["name"] for s in said.json["strategies"] if s["kind"] == "asked"]
    assert names == ["careful", "monthly"]
    shown = tidemill("backtest", "--project", built.project, *FAST)
    assert shown.code == 0
    assert "replays  careful, in steps of 7d" in shown.err
    assert shown.out.startswith("Your model: your own training.")


def test_a_project_is_left_as_it_was(tidemill, project):
    before = tidemill("check", "--project", project, "--json").json["digest"]
    assert tidemill("backtest", "--project", project, *FAST).code == 0
    assert tidemill("check", "--project", project, "--json").json["digest"] == before


def test_what_is_concluded_of_a_project_can_be_kept_with_it(tidemill, refuse, project):
    answers = []
    for words in ((), ("backtest", *FAST, "--keep", "--json")):
        made = tidemill(*words, "--project", project).json if words else None
        answers.append(tidemill("status", "--strategy", "--project", project, "--json").json)
    assert answers[0]["retraining"]["fix"] == "tidemill backtest --keep"
    own = next(c for c in made["retraining"] if c["name"] == "careful")
    assert own["against"] == "never"
    found = answers[1]["retraining"]
    assert found["age_days"] == 0
    said = {"BETTER": "retrain", "SAME": "don't", "WORSE": "don't", "NO_VERDICT": "unknown"}
    assert found["answer"] == said[own["verdict"]]
    assert "retrain?" in tidemill("status", "--strategy", "--project", project).out
    told = refuse("--keep", "--dataset", "28d", "--project", project, code=2)
    assert "not of --dataset" in told


def test_what_is_no_project_and_no_table(refuse, built):
    assert "no project at" in refuse()
    assert "no project at" in refuse("fortnightly.py")
    assert "no table" in refuse("--time", "t", "--project", built.project, code=2)


# What cannot be asked


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


def test_a_training_that_fails_now_and_then(replay):
    found = replay(table(), *KNOWN, *TWO, "--model", "mine:train")
    weekly = row(found, "weekly")
    assert weekly["failed"] == 2
    assert any("2 of 6 fits failed" in n and "too many" in n for n in weekly["notes"])
    assert weekly["value"] is not None


def test_a_training_that_always_fails(tidemill):
    said = tidemill("backtest", table(), *KNOWN, *TWO, *FAST, "--model", "mine:never")
    assert said.code == 0
    assert "Nothing could be scored" in said.out
    assert "the licence ran out" in said.out
    assert "Traceback" not in said.out + said.err


def test_help_says_every_option(tidemill):
    said = tidemill("backtest", "--help")
    assert said.code == 0
    options = set(re.findall(r"--[a-z-]+", said.out))
    assert {"--label-time", "--strategies", "--cost-error", "--from", "--html"} <= options
