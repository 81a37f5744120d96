"""Training that goes wrong fails its candidate with a reason, never the mill."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from tidemill import AUC, Accuracy, AtLeast, Function, Manual
from tidemill.adapters.trainers.pool import ProcessPool

AT = datetime(2024, 1, 1, tzinfo=UTC)


class Model:
    """Answers well, unless told otherwise."""

    classes_ = (0.0, 1.0)

    def __init__(self, *, short=0, nan=False, alone=False):
        self.short, self.nan, self.alone = short, nan, alone

    def predict_proba(self, frame):
        p = 1 / (1 + np.exp(-frame["x"].to_numpy()))
        if self.nan and len(frame) == 40:  # the spot check asks about 40 records
            p = np.where(np.arange(40) % 2, np.nan, p)
        if self.short and len(frame) == 40:
            p = p[: -self.short]
        return np.column_stack([1 - p, p])

    predict = None


def raises(data, previous):
    raise ValueError("no such\n column")


def exits(data, previous):
    raise SystemExit(3)


def hangs(data, previous):
    import time

    time.sleep(60)


def eats(data, previous):
    return len([bytearray(10**7) for _ in range(200)])


def dies(data, previous):
    import os
    import signal

    os.kill(os.getpid(), signal.SIGSEGV)


def wrong(data, previous):
    return {"accuracy": 1.0}


def shapeless(data, previous):
    return lambda frame: [0.0] * (len(frame) + 1)


def chatters(data, previous):
    import sys

    for _ in range(20_000):
        print("x" * 100)  # noqa: T201 - what it is about
        print("y" * 100, file=sys.stderr)  # noqa: T201
    return data_mean(data, previous)


def one_class(data, previous):
    if len(set(data.label)) < 2:
        raise ValueError("This solver needs samples of at least 2 classes")
    return data_mean(data, previous)


def data_mean(data, previous):
    from tidemill.loop.training.function import always_the_mean

    return always_the_mean(data, previous)


def fortnight(week):
    parts = [week(k, n=200) for k in range(3)]
    return tuple(pa.concat_tables(t) for t in zip(*parts, strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture(scope="module")
def pool(folder):
    made = ProcessPool(folder)
    yield made
    worker = made._worker
    made.close()
    worker.wait()


def ready(small, week, **changes):
    mill = small(**changes)
    records, labels = fortnight(week)
    mill.clock.move_to(AT + timedelta(days=22))
    mill.records(records, available_at="at")
    mill.labels(labels, happened_at="done", available_at="done")
    return mill


CASES = {
    raises: "the fit failed: ValueError: no such column. Fix: mend the training",
    exits: "the fit failed: SystemExit: 3. Fix: mend the training",
    hangs: "the fit failed: it took longer than the 1 s it may take",
    eats: "the fit failed: it needed more than the 300 MB it may use",
    dies: "the fit failed: its process was killed by signal 11",
    wrong: "the fit failed: BadInput: training returned dict, which cannot answer. Fix: return an",
    shapeless: "the fit failed: BadInput: the model answered with shape (51,) for 50 records. Fix",
}


@pytest.mark.parametrize("train", list(CASES), ids=lambda f: f.__name__)
def test_a_fit_that_goes_wrong_fails_its_candidate_and_the_next_one_may_do_better(
    small, week, pool, train
):
    import cloudpickle

    cloudpickle.register_pickle_by_value(__import__("sys").modules[__name__])
    seconds = 1 if train is hangs else 30
    mill = ready(small, week, training=Function(train, seconds=seconds, memory_mb=300))
    mill.world = replace(mill.world, jobs=pool)
    mill.run()
    release = mill.world.state.machine("release", "v1")
    assert release.state == "failed"
    assert release.payload["why"].startswith(CASES[train])
    assert "\n" not in release.payload["why"]
    assert "Fix:" in release.payload["why"]
    assert mill.world.state.front() is None
    assert mill.problems() == []
    mill.with_strategy(training=data_mean)
    mill.run(days=7)
    second = mill.world.state.machine("release", "v2")
    assert second.state in ("refused", "inconclusive"), second.payload["why"]


def test_a_fit_that_prints_a_lot_ends_and_what_it_printed_is_kept(small, week, pool):
    mill = ready(small, week, training=chatters)
    mill.world = replace(mill.world, jobs=pool)
    mill.run()
    assert mill.world.state.machine("release", "v1").payload["model"]["rows"] > 0
    assert len(pool.log("v1-fit")) > 4_000_000


def test_a_fit_that_has_seen_one_class_fails_or_has_no_verdict(small, week):
    for train, state in ((one_class, "failed"), (data_mean, "inconclusive")):
        mill = small(training=train)
        records, labels = fortnight(week)
        labels = labels.set_column(1, "label", pa.array(np.zeros(len(labels))))
        mill.clock.move_to(AT + timedelta(days=22))
        mill.records(records, available_at="at")
        mill.labels(labels, happened_at="done", available_at="done")
        mill.run()
        release = mill.world.state.machine("release", "v1")
        assert release.state == state
    assert "too few to tell" in release.payload["why"]


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [
        ({"short": 1}, "BadInput: the model answered with shape (39, 2) for 40 records. Fix:"),
        ({"nan": True}, "20 of 40 answers are missing or NaN"),
    ],
)
def test_a_model_that_answers_badly_at_the_spot_check_is_refused(small, week, flaw, reason):
    from tidemill import Immediate

    mill = ready(small, week, training=lambda data, previous: Model(**flaw),
                 online=Immediate(sample=40))  # fmt: skip
    mill.run()
    release = mill.world.state.machine("release", "v1")
    assert (release.state, release.payload["why"][: len(reason)]) == ("refused", reason)
    assert mill.world.state.front() is None


class Broken:
    name, higher_is_better, needs = "broken", True, "output"

    def __call__(self, label, answer, weight):
        raise ZeroDivisionError("division by zero")


@pytest.mark.parametrize(
    ("gate", "label", "why"),
    [
        (AtLeast(AUC(), 0.5), 2.0, "auc: it cannot tell: BadInput: label 2.0 is not 0 or 1. Fix:"),
        (AtLeast(Broken(), 0.5), 1.0, "broken: it cannot tell: ZeroDivisionError: division by ze"),
    ],
)
def test_a_metric_that_breaks_gives_no_verdict_and_the_mill_turns_on(small, week, gate, label, why):
    mill = small(offline=[gate], training=data_mean)
    records, labels = fortnight(week)
    labels = labels.set_column(1, "label", pa.array(np.full(len(labels), label)))
    mill.clock.move_to(AT + timedelta(days=22))
    mill.records(records, available_at="at")
    mill.labels(labels, happened_at="done", available_at="done")
    mill.run()
    release = mill.world.state.machine("release", "v1")
    assert (release.state, release.payload["verdict"]) == ("inconclusive", "NO_VERDICT")
    assert release.payload["why"].startswith(why)


def test_a_retrain_asked_for_before_there_is_enough_to_test_on_has_no_verdict(small, week):
    mill = small(trigger=Manual(), offline=[AtLeast(Accuracy(), 0.5)])
    records, labels = week(0)
    mill.clock.move_to(AT + timedelta(days=8))
    mill.records(records, available_at="at")
    mill.labels(labels, happened_at="done", available_at="done")
    mill.run()
    with mill.world.state.lease("test") as lease:
        mill.world.state.set_fact(lease, "asked", "ana")
    mill.run()
    release = mill.world.state.machine("release", "v1")
    assert release.state == "inconclusive"
    assert "0 rows on 0 days are too few to tell" in release.payload["why"]


def test_records_without_any_feature_fail_the_fit_with_a_fix(small, week):
    mill = small(training=data_mean, offline=[AtLeast(Accuracy(), 0.0)])
    records, labels = fortnight(week)
    mill.clock.move_to(AT + timedelta(days=22))
    mill.records(records.select(["record_id", "at"]), available_at="at")
    mill.labels(labels, happened_at="done", available_at="done")
    mill.run()
    release = mill.world.state.machine("release", "v1")
    assert (release.state, release.payload.get("why")) == (
        "failed",
        "the fit failed: BadInput: the records have no feature to learn from. Fix: log some.",
    )


def test_a_champion_that_cannot_answer_is_no_verdict_and_not_the_candidates_fault():
    import pickle

    import numpy as np

    from tidemill import AUC, NoWorseThan
    from tidemill.core.ports import Job
    from tidemill.core.work import work
    from tidemill.loop.offline.comparison import answered, compare_on

    def good(frame):
        return {"output": np.zeros(len(frame)), "score": np.linspace(0, 1, len(frame))}

    def broken(frame):
        raise ValueError("gone")

    models = {"candidate": b"good", "champion": b"broken"}
    table = pa.table({"x": np.arange(700.0)})
    job = Job(id="a", kind="answer", table=table, models=models)
    done = work(job, pickle.dumps, {b"good": good, b"broken": broken}.__getitem__)
    assert done.ok
    assert done.facts["champion_error"].startswith("ValueError: gone")
    at = np.datetime64("2024-01-01") + np.arange(700) // 100
    rows = pa.table(
        {
            "label": np.tile([0.0, 1.0], 350),
            "label_text": pa.nulls(700, pa.string()),
            "predicted_at": at.astype("datetime64[us]"),
            "weight": np.ones(700),
        }
    )
    test = compare_on(rows, {name: answered(t) for name, t in done.tables.items()})
    assert NoWorseThan("champion", AUC(), margin=0.1)(test).verdict == "NO_VERDICT"
