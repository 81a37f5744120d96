"""Estimates before labels are final: what they see, what they cannot, and how they are scored."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest

from tidemill.core.clock import instant
from tidemill.faces.cli.app import main
from tidemill.measures import Accuracy
from tidemill.monitoring.estimates import Constant
from tidemill.strategy.watching import estimating, telling
from tidemill.strategy.watching.changing import looks_like
from tidemill.strategy.watching.standing import estimates

METHODS = {"cbpe", "dle", "atc", "doc", "mandoline", "constant"}
FIRST = [f"01-{k:02}" for k in range(15, 24)]
SECOND = ["01-24", "01-25", "01-26", "01-27", "01-28", "01-29", "01-30", "01-31", "02-01"]


def said(rows, method: str) -> dict[str, dict]:
    asked = ("accuracy_estimated", method)
    return {f"{r['start']:%m-%d}": r for r in rows if (r["metric"], r["column"]) == asked}


def test_each_window_is_estimated_while_its_labels_are_not_final(alternating, points) -> None:
    for rows, days in (
        (alternating.early, FIRST),
        (alternating.mill.signals().to_pylist(), SECOND),
    ):
        found = {m: said(rows, m) for m in METHODS}
        assert all(list(by)[-9:] == days for by in found.values())
        assert all(r["verdict"] is None for by in found.values() for r in by.values())
    real = points(alternating.mill, "accuracy", cohort="")
    cbpe = said(alternating.early, "cbpe")
    # Rows are hard and easy in turn: accuracy goes from 0.7 to 0.9 and back, and CBPE follows.
    assert max(abs(cbpe[d]["value"] - real[d]["value"]) for d in FIRST[:-1]) < 0.08
    assert sum(cbpe[d]["low"] <= real[d]["value"] <= cbpe[d]["high"] for d in FIRST[:-1]) >= 7


def test_flipped_labels_are_not_seen_and_what_was_said_stays(alternating, points) -> None:
    before = said(alternating.early, "cbpe")
    assert 0.6 < before["01-23"]["value"] < 0.8
    assert "true only while P(label given the row)" in before["01-23"]["why"]
    real = points(alternating.mill, "accuracy", cohort="")["01-23"]
    assert real["value"] < 0.4
    after = said(alternating.mill.signals().to_pylist(), "cbpe")
    assert {d: after[d] for d in FIRST} == before
    # Nothing of it pages: only the labels, once they are final, say that the model is wrong.
    bad = [s for i in telling.incidents(alternating.mill.world, all_=True) for s in i["signals"]]
    assert not [s for s in bad if "estimated" in s["metric"] or s["metric"] == estimating.OUTSIDE]


def test_the_closest_so_far_is_used_and_the_baseline_stands_beside(alternating) -> None:
    found = estimates(alternating.mill.world, alternating.mill.strategy, "accuracy")
    by = {m["method"]: m for m in found["methods"]}
    assert set(by) == METHODS
    assert found["used"] in METHODS - {"constant"}
    assert [m["method"] for m in found["methods"] if m["used"]] == [found["used"]]
    assert (by["cbpe"]["windows"], by["cbpe"]["of"]) == (9, 9)
    assert by["cbpe"]["error"] < 0.7 * by["constant"]["error"]
    assert by["constant"]["ratio"] == 1.0
    assert [start[5:10] for start in found["windows"]] == SECOND
    last = list(found["windows"].values())[-1]
    assert last["method"] == found["used"]
    assert last["disagreement"] > 0


def test_an_estimate_is_printed_as_one(alternating, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")  # a name that is broken over lines is not found
    folder = str(alternating.folder)
    main(["metrics", "accuracy", "--project", folder])
    shown = capsys.readouterr().out
    row = shown.split("2024-02-01 00:00")[1].splitlines()[0]
    assert row.split()[0].startswith("~0.")
    assert "estimated by" in row
    assert "cannot see that P(label | row) has changed" in shown
    main(["metrics", "--project", folder])
    assert "accuracy estimated by cbpe" in " ".join(capsys.readouterr().out.split())


def test_an_incident_says_which_kind_of_change_it_looks_like(alternating, capsys) -> None:
    found = telling.incidents(alternating.mill.world)
    (nulls,) = [i for i in found if i["kind"] == "quality"]
    assert (nulls["change"]["kind"], nulls["change"]["onset"][:10]) == ("sudden", "2024-01-29")
    main(["alerts", "show", nulls["id"], "--project", str(alternating.folder)])
    assert "sudden, since 2024-01-29" in capsys.readouterr().out


@pytest.mark.parametrize(("bad", "kind"), [(31, "temporary"), (36, "unknown"), (5, "unknown")])
def test_a_change_that_does_not_hold_the_bad_window_is_not_its_kind(bad, kind) -> None:
    noise = np.random.default_rng(0).normal(size=60)
    levels = noise + 8 * ((np.arange(60) >= 30) & (np.arange(60) < 34))
    first, day = instant("2024-01-01"), timedelta(days=1)
    series = {first + k * day: float(v) for k, v in enumerate(levels)}
    found = looks_like(series, day, bad=first + bad * day)
    assert found["kind"] == kind
    assert found["onset"] == ("2024-01-31T00:00:00+00:00" if kind == "temporary" else None)


def test_a_broken_estimator_says_so_and_hides_no_other(live, monkeypatch) -> None:
    class Broken(Constant):
        name = "broken"

        def __call__(self, *_) -> None:
            raise ZeroDivisionError("nothing to divide by")

    monkeypatch.setitem(estimating.METHODS, Accuracy, (Broken, Constant))
    life = live(rows=60)
    for _ in range(5):
        life.serve()
    life.steps()
    (broken,) = said(life.mill.signals().to_pylist(), "broken").values()
    assert broken["value"] is None
    assert "nothing to divide by" in broken["why"]
    (constant,) = said(life.mill.signals().to_pylist(), "constant").values()
    assert math.isfinite(constant["value"])
    # Too few rows outside to tell: a question is answered with no verdict, never with OK.
    (outside,) = life.mill.signals(estimating.OUTSIDE).to_pylist()
    assert outside["verdict"] == "NO_VERDICT"
    assert "too few" in outside["said"]


def test_nothing_is_estimated_where_nobody_asked(live) -> None:
    life = live(more="estimated=False", rows=30)
    for _ in range(3):
        life.serve()
    life.steps()
    metrics = set(life.mill.signals()["metric"].to_pylist())
    assert "accuracy" in metrics
    assert not {m for m in metrics if m.endswith(estimating.SUFFIX) or m == estimating.OUTSIDE}
    assert estimates(life.mill.world, life.mill.strategy, "accuracy") is None
