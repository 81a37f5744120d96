"""A history in which what x says of the label turns round, and what a user has beside it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

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


def table(**other: object) -> str:
    kept = {k: v for k, v in {**columns(), **other}.items() if v is not None}
    pq.write_table(pa.table(kept), "rows.parquet")
    return "rows.parquet"


def row(document, name):
    return next(s for s in document["strategies"] if s["name"] == name)


def why(document, question):
    return next(v for v in document["validity"] if question in v["question"])
