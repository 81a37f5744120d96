"""Before anything is run: what a table can tell, what it cannot, and what is missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from tidemill.core.errors import BadValue
from tidemill.strategy.backtest.conclusions import conclude
from tidemill.strategy.backtest.table import Meaning, understand
from tidemill.strategy.backtest.table_steps import suggest_step

START = datetime(2024, 1, 1, tzinfo=UTC)


def made(*, days: float = 100, n: int = 5000, **columns):
    """A table whose rows lie evenly over some days."""
    rng = np.random.default_rng(0)
    at = [START + timedelta(days=days) * (k / n) for k in range(n)]
    base = {"at": at, "x": rng.normal(size=n), "y": rng.integers(0, 2, n)}
    return pa.table(base | columns)


def answers(table, *, step: str = "7d", **more):
    """The conclusions by the first words of their question."""
    meaning = Meaning(**({"time": "at", "label": "y", "label_delay": "1d"} | more))
    found = conclude(understand(table, meaning), step=step)
    names = ("long", "labels", "step", "features", "known", "periods", "yours", "depend", "unit")
    return dict(zip(names, found, strict=True))


def test_a_table_that_is_fine():
    found = answers(made())
    assert [k for k, c in found.items() if c.hinders] == []
    said = {k: c.answer for k, c in found.items()}
    assert said == {
        "long": "yes",
        "labels": "yes",
        "step": "yes",
        "features": "not known",
        "known": "yes",
        "periods": "yes",
        "yours": "no",
        "depend": "not known",
        "unit": "no",
    }
    assert "5,000 rows from 2024-01-01 00:00" in found["long"].why
    assert "15 steps of 7d" in found["long"].why
    assert "a median of 1d after the prediction, 95 % within 1d" in found["known"].why
    assert all(c.fix for c in found.values() if c.answer != "yes")
    assert set(found["long"].to_dict()) == {"question", "answer", "why", "fix", "hinders"}


@pytest.mark.parametrize(
    ("table", "more", "which"),
    [
        (made(days=10), {}, "long"),
        (made(y=[1] * 5000), {}, "labels"),
        (made(y=pa.nulls(5000, pa.int64())), {}, "labels"),
        (made(y=pa.nulls(5000, pa.int64())), {"absent": 0}, "labels"),
        (made(y=[k % 2 if k < 100 else None for k in range(5000)]), {}, "step"),
        (made(x=[1.0] * 5000), {}, "features"),
        (made(), {"step": "1s"}, "step"),
    ],
)
def test_what_makes_a_backtest_meaningless(table, more, which):
    found = answers(table, **more)
    assert which in [k for k, c in found.items() if c.hinders]
    assert found[which].answer == "no"
    assert found[which].fix


def test_absence_that_means_something_is_a_label_once_it_is_final():
    y = [1 if k % 4 == 0 else None for k in range(5000)]
    found = answers(made(y=y), absent=0, final_after="50d")
    assert found["labels"].answer == "yes"
    assert "1,250 rows have a label, 75.0% have none, which means 0" in found["labels"].why
    assert "7 of 15 steps have 200" in found["step"].why  # later ones are not final yet
    assert "final after 50d" in found["known"].why
    assert found["periods"].answer == "no"
    assert answers(made(y=y))["labels"].hinders


def test_labels_known_at_once_and_labels_with_times():
    assert answers(made(), label_delay="0s")["known"].answer == "no"
    table = made()
    known = [t + timedelta(days=(k % 20) + 1) for k, t in enumerate(table["at"].to_pylist())]
    found = answers(made(known=known), label_time="known")
    assert "labels came a median of 10d" in found["known"].why
    assert "95 % within 19d" in found["known"].why
    # 100 days hold five stretches of 19 days, and a claim needs six
    assert found["periods"].answer == "no"
    assert "of 19d there are 5" in found["periods"].why.replace("20d", "19d")


def test_periods_need_six_lives_of_a_model():
    version = [str(k // 1250) for k in range(5000)]
    found = answers(made(v=version, p=np.linspace(0, 1, 5000)), score="p", model_version="v")
    assert "a model lives (25d)" in found["periods"].why
    assert found["periods"].answer == "no"
    assert (found["yours"].answer, found["yours"].why[:10]) == ("yes", "4 versions")
    mixed = answers(
        made(v=["a", "b"] * 2500, p=np.linspace(0, 1, 5000)), score="p", model_version="v"
    )
    assert mixed["yours"].answer == "not known"
    assert "side by side" in mixed["yours"].why


def test_labels_that_come_with_high_scores_only():
    p = np.random.default_rng(1).random(5000)
    seen = [k % 2 if p[k] > 0.5 else None for k in range(5000)]
    found = answers(made(y=seen, p=p), score="p")["depend"]
    assert (found.answer, "AUC 1.00" in found.why) == ("yes", True)
    at_random = [k % 2 if k % 3 else None for k in range(5000)]
    assert answers(made(y=at_random, p=p), score="p")["depend"].answer == "not known"


def test_units_and_leaks():
    y = np.random.default_rng(2).integers(0, 2, 5000)
    found = answers(made(u=[f"u{k % 50}" for k in range(5000)], y=y, copy=y), unit="u")
    assert found["unit"].why == "50 units with 100.0 rows each."
    assert (found["features"].answer, found["features"].hinders) == ("no", False)
    assert found["features"].fix.endswith("--drop copy")


@pytest.mark.parametrize(
    ("days", "n", "step"),
    [
        (365, 20_000, "7d"),
        (365, 3_000, "28d"),  # 57 rows a week are too few
        (30, 20_000, "1d"),
        (2, 20_000, "1h"),
        (3000, 20_000, "28d"),
        (0, 1, "28d"),
    ],
)
def test_a_step_is_suggested(days, n, step):
    found = understand(made(days=days, n=n), Meaning(time="at", label="y"))
    assert suggest_step(found) == step


def test_a_single_moment_and_bad_steps():
    one = understand(made(n=1), Meaning(time="at", label="y"))
    assert any(c.hinders for c in conclude(one, step="7d"))
    for bad in ("0s", "soon"):
        with pytest.raises(BadValue):
            conclude(one, step=bad)
