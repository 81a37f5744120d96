"""How much a backtest costs beyond the fits and predictions it cannot do without.

Flights of 2013 at weekly steps, a logistic regression, 20 strategies:
CPU seconds of the replay over the sum of its distinct fits and predictions, milliseconds per
strategy and step, memory against the number of strategies, time against the length of history.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path
from typing import Any

from tidemill.adapters.sources.addresses import read
from tidemill.adapters.trainers import shared
from tidemill.adapters.trainers.pipeline import pipeline
from tidemill.loop.curation import Outcome, Uniform
from tidemill.loop.datasets import Newest, Nothing, Recent
from tidemill.loop.offline import AtLeast, NoWorseThan, Unchecked
from tidemill.loop.triggers import Cooldown, Cusum, DroppedBy, Every, MaximumAge, Once, OutputDrift
from tidemill.measures import AUC
from tidemill.strategy.backtest.given import of_table
from tidemill.strategy.backtest.run import Backtest
from tidemill.strategy.backtest.setting import EVERYTHING, Given, Setting
from tidemill.strategy.backtest.table import Meaning, understand
from tidemill.strategy.strategy import Strategy

DATA = Path(__file__).parents[2] / "shared" / "data" / "flights_nyc13.parquet"
SPENT = {"cpu": 0.0, "jobs": 0}


def metered(work: Any) -> Any:
    """Count the CPU seconds of every job."""

    def measured(*args: Any) -> Any:
        start = time.process_time()
        try:
            return work(*args)
        finally:
            SPENT["cpu"] += time.process_time() - start
            SPENT["jobs"] += 1

    return measured


def strategies(features: Any, task: str, n: int, *, gates: bool = False) -> list[Strategy]:
    """Return n strategies over the same dataset rule; two of them with gates if asked."""
    metric = AUC()
    triggers = [
        *(Every(f"{7 * k}d") for k in (1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 17, 20, 26)),
        Once(),
        Cusum(metric),
        Cusum(metric, reference=14),
        DroppedBy(metric, 0.02),
        OutputDrift(),
        Cooldown(DroppedBy(metric, 0.01), "21d"),
        MaximumAge(Cusum(metric), "60d"),
    ]
    plain = {
        "training": pipeline(features, task),
        "curation": Uniform(EVERYTHING, per="7d"),
        "labels": Outcome(final_after="6h"),
        "dataset": Recent("28d"),
    }
    found = [
        Strategy(**plain, trigger=t, holdout=Nothing(), offline=[Unchecked()], name=f"s{k}")
        for k, t in enumerate(triggers)
    ]
    if gates:
        test = [AtLeast(metric, 0.6), NoWorseThan("champion", metric, margin=0.02)]
        gated = {"holdout": Newest(), "offline": test}
        for k, period in enumerate(("7d", "14d")):
            found[k] = Strategy(**plain, **gated, trigger=Every(period), name=f"gated{k}")
    return found[:n]


def once(given: Given, chosen: list[Strategy], *, references: bool) -> dict[str, float]:
    """Run one backtest in this process and say what it took."""
    SPENT.update(cpu=0.0, jobs=0)
    wall, cpu = time.perf_counter(), time.process_time()
    told = Backtest(given, chosen, Setting(step="7d", references=references)).run()
    used = time.process_time() - cpu
    steps = told["effort"]["strategy_steps"]
    return {
        "wall": time.perf_counter() - wall,
        "cpu": used,
        "jobs": SPENT["cpu"],
        "ratio": used / SPENT["cpu"],
        "ms": 1000 * (used - SPENT["cpu"]) / steps,
        "fits": told["effort"]["fits"],
        "predictions": told["effort"]["predictions"],
    }


def show(what: str, found: dict[str, float]) -> None:
    """Print one line."""
    print(
        f"{what:34} {found['wall']:7.1f} s wall {found['cpu']:7.1f} s CPU, of which fits and "
        f"predictions {found['jobs']:6.1f} s ({found['fits']:.0f} + {found['predictions']:.0f}): "
        f"ratio {found['ratio']:.3f}, {found['ms']:.1f} ms a strategy-step; "
        f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB"
    )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", type=int, default=0, help="number of strategies, once")
    asked = parser.parse_args()
    if not DATA.exists():
        sys.exit("no ../shared/data: nothing to measure on")
    shared.work = metered(shared.work)  # type: ignore[assignment]
    table = read(str(DATA))
    meaning = Meaning(time="ts", label="label", label_delay="6h")
    found = understand(table, meaning)
    given = of_table(found, title="flights")
    if asked.only:
        show(
            f"{asked.only} strategies, no references",
            once(given, strategies(found.features, found.task, asked.only), references=False),
        )
        return
    for n in (5, 20):
        chosen = strategies(found.features, found.task, n)
        show(f"{n} strategies, no references", once(given, chosen, references=False))
    show("20 strategies, with references", once(given, chosen, references=True))
    gated = strategies(found.features, found.task, 20, gates=True)
    show("20 strategies, two with gates", once(given, gated, references=False))
    half = found.records["predicted_at"][len(found.records) // 2].as_py()
    short = Setting(step="7d", references=False, end=half)
    for what, setting in (
        ("half of history", short),
        ("all of history", Setting(step="7d", references=False)),
    ):
        SPENT.update(cpu=0.0, jobs=0)
        cpu = time.process_time()
        told = Backtest(given, strategies(found.features, found.task, 20), setting).run()
        rest = time.process_time() - cpu - SPENT["cpu"]
        print(
            f"{what:34} orchestration {rest:6.2f} s, {1000 * rest / told['effort']['strategy_steps']:.1f} ms a strategy-step"
        )


if __name__ == "__main__":
    main()
