"""``tidemill backtest`` on a table: what it says."""

from __future__ import annotations

import re

import numpy as np
import pytest
from turning import FAST, KNOWN, TWO, N, columns, row, table


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


def test_help_says_every_option(tidemill):
    said = tidemill("backtest", "--help")
    assert said.code == 0
    options = set(re.findall(r"--[a-z-]+", said.out))
    assert {"--label-time", "--strategies", "--cost-error", "--from", "--html"} <= options
