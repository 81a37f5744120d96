"""A backtest adds up, shares its fits, survives being killed, and tells what it was not given."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tidemill import Recent
from tidemill.adapters.trainers.shared import Work
from tidemill.core.costs import Costs
from tidemill.core.errors import BadInput, NotFound
from tidemill.loop.triggers import At, Every, Once
from tidemill.measures import Accuracy
from tidemill.strategy.backtest.report import ledger, opportunity
from tidemill.strategy.backtest.run import Backtest
from tidemill.strategy.backtest.setting import base_strategy, metric_for, moments_of, named
from tidemill.strategy.backtest.simulate import simulate

SCENARIOS = Path(__file__).parents[2] / "scenarios"
sys.path.insert(0, str(SCENARIOS))

import backtest_worlds as tiny  # noqa: E402

WORLD = tiny.turning(2, weeks=8, per_week=40, turn=0.3)
PRICES = Costs(label=0.13, second=71.7, error=1.7, false_negative=3.1, review=11.3)


class Optimum(tiny.Rows):
    """Keeps the optimum in hindsight."""

    def _hindsight(self, *given: Any) -> Any:
        self.best = super()._hindsight(*given)
        return self.best


@pytest.fixture(scope="module")
def priced() -> Any:
    asked = [
        tiny.strategy_of("weekly"),
        tiny.strategy_of("never", trigger=Once()),
        tiny.strategy_of("signed", trigger=Every("21d"), signing="approve"),
    ]
    ours = Optimum(tiny.given_of(WORLD), asked, tiny.setting_of(costs=PRICES, references=True))
    return ours, ours.run()


def test_the_items_of_a_ledger_add_up_exactly(priced):
    _, report = priced
    for row in report["strategies"]:
        cost = dict(row["cost"])
        assert cost.pop("currency") == "EUR"
        total = cost.pop("total")
        assert math.fsum(cost.values()) == total
        assert total > 0
    signed = tiny.row(report, "signed")
    assert signed["cost"]["review"] == pytest.approx(11.3 * signed["retrains"])
    assert any("a person signs it" in note for note in signed["notes"])


def test_the_errors_of_a_ledger_are_those_of_its_answers(priced):
    ours, _ = priced
    scorer, told = ours.rows.scorer, ours.told["weekly"]
    expected = [scorer.errors(k, told.by[0][i]) for i, k in enumerate(ours.rows.scored)]
    assert ledger(told, ours.terms)["errors"] == pytest.approx(math.fsum(expected))


@pytest.mark.parametrize("money", [True, False])
def test_opportunity_is_nothing_against_itself_and_adds_up_over_time(priced, money):
    if money:
        ours = priced[0]
    else:
        asked = [tiny.strategy_of("weekly"), tiny.strategy_of("never", trigger=Once())]
        ours = Optimum(tiny.given_of(WORLD), asked, tiny.setting_of(references=True))
        report = ours.run()
        values = {s["name"]: s["value"] for s in report["strategies"]}
    best = ours.best["told"]
    assert set(opportunity(best, best, ours.terms)) == {0.0}
    weekly, never = ours.told["weekly"], ours.told["never"]
    parts = [np.array(opportunity(a, b, ours.terms)) for a, b in
             ((weekly, never), (never, best), (weekly, best))]  # fmt: skip
    np.testing.assert_allclose(parts[0] + parts[1], parts[2], atol=1e-12)
    if money:
        gap = ledger(weekly, ours.terms)["errors"] - ledger(best, ours.terms)["errors"]
        assert math.fsum(parts[2]) == pytest.approx(gap)
    else:
        gap = values["hindsight optimum"] - values["weekly"]
        assert math.fsum(parts[2]) == pytest.approx(gap)
        assert tiny.row(report, "weekly")["opportunity"] == pytest.approx(gap)


def test_the_optimum_has_no_opportunity_cost_against_itself(priced):
    assert tiny.row(priced[1], "hindsight optimum")["opportunity"] == 0.0


def test_a_report_is_plain_json(priced):
    text = json.dumps(priced[1], allow_nan=False)
    assert json.loads(text) == priced[1]
    assert priced[1]["schema"] == "tidemill.backtest/1"
    # Retraining every step and never were asked for: no reference is replayed again.
    assert priced[1]["effort"]["strategy_steps"] == 3 * 6


def schedules(n: int) -> list[Any]:
    """Return strategies that retrain at random weeks, on one of two datasets."""
    rng = np.random.default_rng(1)
    moments = tiny.weekly(WORLD)
    found = []
    for k in range(n):
        at = [moments[0], *(moments[i] for i in np.flatnonzero(rng.random(5) < 0.4) + 1)]
        dataset = {"dataset": Recent("14d")} if k % 2 else {}
        found.append(tiny.strategy_of(f"s{k}", trigger=At(at), **dataset))
    return found


def test_fifty_strategies_cost_the_union_of_their_fits():
    work, moments = tiny.Counting(), tiny.weekly(WORLD)
    strategies = schedules(50)
    with tiny.benched(WORLD, moments, work=work) as bench:
        runs = [bench.run(s.name, s) for s in strategies]
        simulate(runs, moments[:-1], until=moments[-1])
        asked = sum(len(r.world.state.machines("release")) for r in runs)
        datasets = {
            m.payload["dataset"]["digest"] for r in runs for m in r.world.state.machines("release")
        }
    fits = [key for kind, key in work.did if kind == "fit"]
    assert len(fits) == len(set(fits)) == len(datasets)
    assert asked > 10 * len(fits)
    # Six moments and two datasets; at the first two of them both hold the same rows.
    assert len(fits) <= 12


def test_a_second_run_with_a_cache_fits_nothing(tmp_path):
    strategies = schedules(3)

    class Counted(Backtest):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self.work = self.bench.work = tiny.Counting(cache=tmp_path)

    reports, did = [], []
    for _ in range(2):
        ours = Counted(tiny.given_of(WORLD), strategies, tiny.setting_of(references=True))
        reports.append(ours.run())
        did.append([kind for kind, _ in ours.work.did])
    assert did[0].count("fit") > 5
    assert did[1].count("fit") == 0
    assert comparable(reports[0]) == comparable(reports[1])


def comparable(report: Any) -> Any:
    """Return a report without what depends on how busy the machine was."""
    return json.loads(json.dumps(report), object_hook=_timeless)


def _timeless(part: Any) -> Any:
    return {k: v for k, v in part.items() if k not in ("seconds", "effort", "on_front")}


STORY = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
import backtest_worlds as tiny
from tidemill.loop.triggers import Every, Once
from pathlib import Path

def slow(dataset, _previous):
    time.sleep(float(sys.argv[3]))
    return tiny.line(dataset, None)

world = tiny.turning(2, weeks=8, per_week=40, turn=0.3)
asked = [tiny.strategy_of("weekly", training=slow),
         tiny.strategy_of("never", training=slow, trigger=Once())]
report = tiny.report_of(world, *asked, references=True, cache=Path(sys.argv[2]))
json.dump(report, open(sys.argv[4], "w"))
"""


def test_a_run_that_was_killed_goes_on_and_ends_as_an_undisturbed_one(tmp_path):
    script = tmp_path / "story.py"
    script.write_text(STORY)

    def start(cache: str, out: str) -> subprocess.Popen[bytes]:
        told = [str(SCENARIOS), str(tmp_path / cache), "0.08", str(tmp_path / out)]
        return subprocess.Popen([sys.executable, str(script), *told])

    calm = start("calm", "calm.json")
    torn = start("torn", "torn.json")
    kept = tmp_path / "torn"
    limit = time.monotonic() + 60
    while sum(1 for f in kept.glob("*/*") if not f.name.startswith(".")) < 3:
        assert time.monotonic() < limit
        assert torn.poll() is None
        time.sleep(0.02)
    os.kill(torn.pid, signal.SIGKILL)
    torn.wait()
    assert not (tmp_path / "torn.json").exists()
    assert start("torn", "torn.json").wait(120) == 0
    assert calm.wait(120) == 0
    reports = [json.loads((tmp_path / f"{n}.json").read_text()) for n in ("calm", "torn")]
    assert comparable(reports[0]) == comparable(reports[1])
    assert {f.name for f in kept.glob("*/*") if not f.name.startswith(".")} == {
        f.name for f in (tmp_path / "calm").glob("*/*")
    }


def test_strategies_are_told_apart_by_their_names():
    given, setting = tiny.given_of(WORLD), tiny.setting_of()
    with pytest.raises(BadInput, match="no strategy"):
        Backtest(given, [], setting)
    with pytest.raises(BadInput, match="two strategies are called 'a'"):
        Backtest(given, [tiny.strategy_of("a"), tiny.strategy_of("a", trigger=Once())], setting)
    with pytest.raises(NotFound, match="weekly"):
        named("weekley", tiny.strategy_of(), Accuracy())


def test_a_history_shorter_than_two_steps_is_a_sentence():
    with pytest.raises(BadInput, match="less than two steps"):
        Backtest(tiny.given_of(WORLD), [tiny.strategy_of()], tiny.setting_of(step="60d"))
    empty = tiny.history_of(np.zeros(0, np.int64), {"f_x": np.zeros(0)}, np.zeros(0))
    with pytest.raises(BadInput, match="empty"):
        Backtest(tiny.given_of(empty), [tiny.strategy_of()], tiny.setting_of())


def test_steps_are_whole_from_the_first_day_on():
    moments = moments_of(tiny.given_of(WORLD), tiny.setting_of())
    assert moments[0] == tiny.START + 2 * tiny.WEEK
    assert {b - a for a, b in pairwise(moments[:-1])} == {tiny.WEEK}
    default = moments_of(tiny.given_of(WORLD), tiny.setting_of(start=None, step="1d"))
    assert tiny.START < default[0] < tiny.START + 7 * timedelta(days=1)


def test_names_differ_in_their_trigger_only():
    base = base_strategy(tiny.line, step="7d")
    found = [named(n, base, metric_for("binary")) for n in ("never", "weekly", "performance")]
    assert len({repr(s.trigger) for s in found}) == 3
    assert len({repr(replace(s, trigger=Once(), name="x")) for s in found}) == 1


def test_how_far_it_is_is_told_and_never_goes_back():
    seen: list[tuple[float, str]] = []
    setting = tiny.setting_of(references=True, told=lambda done, what: seen.append((done, what)))
    Backtest(tiny.given_of(WORLD), [tiny.strategy_of()], setting).run()
    shares = [done for done, _ in seen]
    assert shares == sorted(shares)
    assert all(0 <= x <= 1 for x in shares)
    assert len({what for _, what in seen}) >= 2


def test_a_fit_is_shared_by_whoever_shares_the_work():
    moments = tiny.weekly(WORLD)
    work = Work()
    with tiny.benched(WORLD, moments, work=work) as bench:
        runs = [bench.run(f"{k}", tiny.strategy_of(f"{k}"), seed=k // 2) for k in range(4)]
        simulate(runs, moments[:-1])
        assert work.spent["fit"].jobs == 2 * (len(moments) - 1)
