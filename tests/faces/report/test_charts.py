"""The charts: valid Vega-Lite with every strategy, whatever is missing, and exact areas."""

from __future__ import annotations

import json
import math
import sys
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("altair", reason="altair is not installed")

from tidemill.core.errors import MissingExtra
from tidemill.faces.report import charts, curves
from tidemill.faces.report.look import PAGE
from tidemill.faces.report.numbers import moment
from tidemill.faces.report.places import places

PAIR = ("yours", "hindsight")
CHARTS = (charts.performance, charts.lanes, charts.labels, charts.compute, charts.front)


@pytest.mark.parametrize("draw", CHARTS, ids=lambda draw: draw.__name__)
def test_every_chart_is_valid_for_every_document(made: ModuleType, draw: Any) -> None:
    rich = made.example()
    bare = made.example(steps=1, costs=False, nulls=False)
    for backtest in (rich, bare, made.example(empty=True), made.hostile()):
        spec = draw(backtest).to_dict()  # Altair validates it against the schema of Vega-Lite
        assert spec["$schema"].startswith("https://vega.github.io/schema/vega-lite/v6")
        json.dumps(spec, allow_nan=False)


def test_it_draws_in_vega_lite_too(made: ModuleType) -> None:
    convert = pytest.importorskip("vl_convert", reason="vl-convert-python is not installed")
    spec = charts.performance(made.example()).to_dict()
    spec["width"] = 600
    svg = convert.vegalite_to_svg(spec, vl_version="6.4", allowed_base_urls=[])
    assert "NaN" not in svg
    for name in ("weekly", "monthly", "performance", "yours", "hindsight"):
        assert name in svg


def test_a_notebook_has_controls_and_the_page_has_its_own(made: ModuleType) -> None:
    backtest = made.example()
    bound = {p["name"]: p for p in charts.performance(backtest).to_dict()["params"]}
    assert bound["chosen"]["bind"]["options"][0] == "weekly"
    assert bound["versus"]["bind"]["options"] == ["hindsight", "yours"]
    spec = charts.performance(backtest, look=PAGE, controls=False).to_dict()
    assert all("bind" not in param for param in spec["params"])
    assert "#1d4fd7" not in json.dumps(spec)  # colours of the page are its own variables


def test_the_area_is_the_opportunity_cost(made: ModuleType) -> None:
    backtest = made.example(nulls=False)
    rows = [r for r in curves.gaps(backtest) if (r["strategy"], r["against"]) == PAIR]
    by_piece: dict[tuple[str, int], list[Any]] = {}
    for row in rows:
        by_piece.setdefault((row["side"], row["piece"]), []).append(row)
    curve = {s["name"]: [w["now"] for w in s["curve"]] for s in backtest["strategies"]}
    own, other = curve["yours"], curve["hindsight"]
    losses = [b - a for a, b in zip(own, other, strict=True)]
    exact = sum((p + q) / 2 for p, q in pairwise(losses))
    area = sum(_area(piece) for piece in by_piece.values())
    assert area == pytest.approx(exact, abs=1e-5)
    for (side, _), piece in by_piece.items():
        signs = [row["value"] - row["other"] for row in piece]
        assert all(gap <= 1e-9 for gap in signs) if side == "behind" else min(signs) >= -1e-9


def _area(piece: list[Any]) -> float:
    points = [
        (moment(row["at"]).timestamp() / 604_800, row["other"] - row["value"]) for row in piece
    ]
    return sum((later - now) * (a + b) / 2 for (now, a), (later, b) in pairwise(points))


def test_without_hindsight_the_best_at_each_step_is_the_measure(made: ModuleType) -> None:
    backtest = made.example()
    backtest["strategies"] = [s for s in backtest["strategies"] if s["name"] != "hindsight"]
    assert curves.against(backtest)[0] == curves.BEST
    gaps = [row for row in curves.gaps(backtest) if row["against"] == curves.BEST]
    assert {row["side"] for row in gaps if row["value"] != row["other"]} == {"behind"}


def test_lower_is_better_turns_the_sides_round(made: ModuleType) -> None:
    backtest = made.example()
    up = [row["side"] for row in curves.gaps(backtest)]
    backtest["metric"]["higher_is_better"] = False
    down = [row["side"] for row in curves.gaps(backtest)]
    turned = {"ahead": "behind", "behind": "ahead"}
    assert [turned[side] for side in up] == down


def test_nothing_drawn_is_nan_even_if_the_document_has_some(made: ModuleType) -> None:
    backtest = made.example()
    backtest["strategies"][0]["curve"][3]["now"] = math.nan
    backtest["strategies"][1]["value"] = math.inf
    for draw in CHARTS:
        json.dumps(draw(backtest).to_dict(), allow_nan=False)


def test_compute_ends_at_what_was_spent(made: ModuleType) -> None:
    backtest = made.example()
    last = {row["strategy"]: row["seconds"] for row in curves.compute(backtest)}
    for strategy in backtest["strategies"]:
        assert last[strategy["name"]] == pytest.approx(strategy["seconds"])


def test_effort_is_money_with_prices_and_seconds_without(made: ModuleType) -> None:
    paid = {row["strategy"]: row for row in curves.efforts(made.example())}
    cost = made.example()["strategies"][0]["cost"]
    assert paid["weekly"]["effort"] == cost["labels"] + cost["compute"] + cost["review"]
    free = {row["strategy"]: row for row in curves.efforts(made.example(costs=False))}
    assert free["weekly"]["effort"] == made.example()["strategies"][0]["seconds"]


def test_names_of_points_keep_apart() -> None:
    assert len(set(places([("aaaa", 0.5, 0.5), ("bbbb", 0.5, 0.5), ("cccc", 0.0, 0.0)])[:2])) == 2
    assert places([]) == []


def test_without_altair_the_fix_is_named(made: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(MissingExtra, match="tidemill\\[report\\]"):
        charts.performance(made.example())


def test_of_many_strategies_the_best_are_shown_at_first(made: ModuleType) -> None:
    backtest = made.example(steps=6)
    asked = backtest["strategies"][0]
    for n in range(9):
        backtest["strategies"].insert(0, {**asked, "name": f"s{n}", "value": 0.5 + 0.01 * n})
    first = charts.shown(backtest)
    assert first == ["s8", "s7", "weekly", "monthly", "performance", "yours", "never", "hindsight"]
    backtest["metric"]["higher_is_better"] = False
    assert charts.shown(backtest)[:5] == ["s4", "s3", "s2", "s1", "s0"]
