"""Few bars that add up, hold what lies beyond, and name the numbers that people wrote."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tidemill.faces.report.distributions import distribution
from tidemill.measures.profile import of_table


def both(before: object, after: object) -> dict:
    one = of_table(pa.table({"x": before}))
    two = of_table(pa.table({"x": after}), grids=one.grids)
    return distribution(one.columns["x"], two.columns["x"])


def test_bars_of_numbers_hold_every_row_of_either_window():
    rng = np.random.default_rng(0)
    found = both(
        pa.array(rng.lognormal(size=5000), mask=rng.random(5000) < 0.1), rng.lognormal(1, 1, 5000)
    )
    bars = found["bars"]
    assert sum(b["reference"] for b in bars) == pytest.approx(1)
    assert sum(b["current"] for b in bars) == pytest.approx(1)
    assert len(bars) <= 28
    assert bars[-1]["value"] == "missing"
    inner = [b for b in bars if b.get("to") is not None and b.get("from") is not None]
    widths = {round(b["to"] - b["from"], 6) for b in inner}
    assert len(widths) == 1


def test_few_numbers_are_named_as_they_were_written():
    rng = np.random.default_rng(0)
    rates = np.array([-3.4, -2.9, -1.8, -1.7, -0.1, 1.1, 1.4])
    found = both(rng.choice(rates, 4000), rng.choice(rates, 4000))
    assert [b["value"] for b in found["bars"]] == rates.tolist()
    assert [b["value"] for b in both([0.0] * 90, [0.0, 1.0, 7.0] * 30)["bars"]] == [0, 1, 7]


def test_a_constant_and_nothing_at_all():
    assert both([5.0] * 9, [5.0] * 9)["bars"] == [{"value": 5.0, "reference": 1.0, "current": 1.0}]
    assert both(pa.nulls(3, pa.float64()), pa.nulls(3, pa.float64())) is None


def test_rare_categories_share_a_bar():
    found = both([f"v{k % 40}" for k in range(400)], ["v1"] * 400)
    assert len(found["bars"]) == 9
    assert found["bars"][-1]["value"] == "others"
    assert sum(b["reference"] for b in found["bars"]) == pytest.approx(1)
