"""How much answers rest on each feature: the right order, within a budget, never in anybody's way."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pyarrow as pa

from tidemill.core.importance import Importance
from tidemill.core.ports import Job
from tidemill.core.work import work

RNG = np.random.default_rng(0)
ROWS = pa.table({**{f"x{k}": RNG.normal(size=400) for k in range(4)}, "c": ["a", "b"] * 200})


class Scores:
    """A model with a score; it rests on x1, a little on x0 and on c, and on nothing else."""

    classes_ = np.array([0, 1])

    def predict(self, frame: Any) -> Any:
        return (self.predict_proba(frame)[:, 1] > 0.5).astype(float)

    def predict_proba(self, frame: Any) -> Any:
        z = 3 * frame["x1"] + 0.5 * frame["x0"] + 0.2 * (frame["c"] == "a")
        chance = 1 / (1 + np.exp(-z.to_numpy()))
        return np.stack([1 - chance, chance], axis=1)


def texts(frame: Any) -> Any:
    return np.where(frame["x2"] > 0, "up", "down")


def slow(frame: Any) -> Any:
    time.sleep(0.02)
    return frame["x0"]


def picky(frame: Any) -> Any:
    if (frame["x0"].to_numpy()[:5] != ROWS["x0"].to_numpy()[:5]).any():
        raise ValueError("never seen such a row")
    return frame["x0"]


def asked(model: Any, how: Importance) -> dict[str, Any]:
    job = Job(id="a", kind="answer", work=how, table=ROWS, models={"candidate": b""})
    found = work(job, lambda _: b"", lambda _: model)
    assert found.ok
    return found.facts


def test_features_are_in_the_order_in_which_answers_rest_on_them() -> None:
    found = asked(Scores(), Importance())["importance"]
    assert sorted(found, key=lambda n: -found[n])[:3] == ["x1", "x0", "c"]
    assert found["x2"] == found["x3"] == 0.0
    assert asked(texts, Importance(rows=100))["importance"]["x2"] > 0.3
    assert asked(Scores(), Importance())["importance"] == found


def test_a_model_that_is_slow_or_breaks_has_none_and_its_answers_stand() -> None:
    late = asked(slow, Importance(seconds=0.03))
    assert "importance" not in late
    assert "longer than 0.03 s" in late["importance_why"]
    assert "never seen such a row" in asked(picky, Importance())["importance_why"]
    few = Importance().of(texts, ROWS.slice(0, 5))
    assert "5 rows are too few" in few["importance_why"]


def test_whoever_does_not_ask_is_told_nothing() -> None:
    job = Job(id="a", kind="answer", table=ROWS, models={"candidate": b""})
    assert set(work(job, lambda _: b"", lambda _: Scores()).facts) == {"seconds"}
