"""What a service hands to the mill: acknowledged rows are kept, whatever they hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tidemill.core.clock import ReplayedClock
from tidemill.core.errors import TidemillError
from tidemill.project import create_project, open_project

AT = datetime(2024, 1, 1, tzinfo=UTC)
STRATEGY = "from tidemill import *\nstrategy = Strategy(training=lambda data, previous: None)\n"


@pytest.fixture
def mill(tmp_path):
    create_project(tmp_path / "p", strategy=STRATEGY, salt="s")
    with open_project(tmp_path / "p", clock=ReplayedClock(AT)) as made:
        yield made


def fates(mill):
    mill.run()
    rows = mill.world.state.rows("intake")
    names = ("seen", "accepted", "already", "sampled_out", "waiting", "quarantined")
    sums = {n: sum(r[n] for r in rows) for n in names}
    assert sum(v for n, v in sums.items() if n != "seen") == sums["seen"]
    reasons = {k: n for r in rows for k, n in (r["reasons"] or {}).items()}
    assert not mill.run()[0].steps
    return sums["accepted"], reasons


def test_single_records_of_every_make_are_taken_in_with_the_kinds_they_have(mill):
    mill.log({"x": np.float32(1.5), "n": np.int64(3), "b": np.bool_(True)}, record_id="a")
    mill.log({"x": 2, "model": "m", "record_id": 7, "score": 0.1}, score=np.float64(0.5),
             record_id=0, tags={"t": "u"}, latency_ms=3)  # fmt: skip
    accepted, reasons = fates(mill)
    assert (accepted, reasons) == (2, {})
    assert mill.world.state.fact("kinds") == {"x": "number", "n": "number", "b": "number",
                                              "model": "text", "record_id": "number",
                                              "score": "number"}  # fmt: skip


@pytest.mark.parametrize("make", [pa.table, pd.DataFrame, pl.DataFrame,
                                  lambda t: pd.DataFrame(t).to_dict("records")])  # fmt: skip
def test_batches_of_every_make_are_taken_in(mill, make):
    table = make({"x": [1.0, 2.0], "c": ["u", "v"], "score": [1, 2]})
    ids = mill.log(table, record_id=["a", "b"], output=[0, 1], latency_ms=2.0, tags={"k": "v"})
    assert ids == ["a", "b"]
    assert fates(mill) == (2, {})


def test_rows_that_do_not_fit_are_set_aside_and_the_others_stay(mill):
    mill.log({"x": 1.0}, record_id="good")
    fates(mill)
    mill.log({"x": {"deep": 1}}, record_id="nested")
    mill.log({"x": "text"}, record_id="text")
    mill.log({"x": 2**60}, record_id="large")
    mill.log({"x": [1, 2]}, record_id="list")
    mill.log({"x": float("inf")}, record_id="infinite")
    mill.log({"X": 1.0}, record_id="case")
    mill.log({"new": object()}, record_id="object")
    mill.log({"x": 1.0}, record_id="naive", time=datetime(2024, 1, 1))  # noqa: DTZ001 - the point
    mill.log({"x": 1.0}, record_id="future", time=AT + timedelta(days=1))
    mill.log({"x": 1.0}, record_id="odd time", time=17)
    mill.log({"x": 1.0}, record_id="")
    mill.log({}, record_id="nothing")
    mill.log({"x": float("nan")}, record_id="nan")
    mill.log({"x": 5.0}, record_id="also good")
    accepted, reasons = fates(mill)
    assert accepted == 5
    assert sum(reasons.values()) == 10


def test_a_mixed_batch_is_refused_at_once_with_a_fix_and_nothing_of_it_is_kept(mill):
    for rows in ([{"x": 1}, {"x": "a"}], pd.DataFrame({"x": [1, "a"]}), [{1: object()}], [3], 3):
        with pytest.raises(TidemillError, match=r"Fix: "):
            mill.log(rows)
    with pytest.raises(TidemillError, match=r"output has 1 values for 2 records"):
        mill.log([{"x": 1}, {"x": 2}], output=[1])
    with pytest.raises(TidemillError, match=r"the values of output cannot be read"):
        mill.log([{"x": 1}, {"x": 2}], output=[1, "a"])
    assert mill.log([]) == []
    assert fates(mill) == (0, {})


def test_labels_and_feedback_that_do_not_fit_are_set_aside(mill):
    mill.log({"x": 1.0}, record_id="a")
    mill.run()
    mill.label("a", 1)
    mill.label(None, 1)
    mill.label("a", float("nan"))
    mill.feedback("a", np.float64(1), kind="thumb")
    mill.feedback("", 1)
    mill.feedback("b", 1)
    accepted, reasons = fates(mill)
    assert accepted == 3
    assert sum(reasons.values()) == 3
    assert mill.world.state.rows("intake")[-1]["table"] in ("labels", "feedback")


def test_asking_without_a_model_says_what_to_do(mill):
    with pytest.raises(TidemillError, match=r"no model is in front yet. Fix: "):
        mill.predict({"x": 1.0})
