"""Print how often suggested data quality rules alarm on fresh days, and what they find.

Run ``python benchmarks/quality.py``; ``--worlds 10`` is quicker. Each world has 60 days whose
rates, shares, scales and counts differ from day to day; rules are learnt on the first 30, proven
on the others, and then asked about 60 fresh days of the same world, on which every alarm is
false: each rule may alarm on one day of a hundred. Then one fault a day is planted on fresh
days, and what names it is counted. 20 worlds take about three minutes of one core.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections import Counter
from pathlib import Path
from typing import Any

WORLDS = Path(__file__).parents[1] / "tests" / "monitoring" / "quality" / "test_suggest.py"
ROWS = (40, 150, 600)


def worlds() -> Any:
    """Load the worlds of the test, of which this is the large run."""
    spec = importlib.util.spec_from_file_location("quality_worlds", WORLDS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=20)
    chosen = parser.parse_args()
    made = worlds()
    fresh = made.FIRST + 60 * made.DAY
    for rows in ROWS:
        alarms: Counter[str] = Counter()
        days: Counter[str] = Counter()
        refused: Counter[str] = Counter()
        found: Counter[str] = Counter()
        for seed in range(chosen.worlds):
            said = made.suggest(made.days_of(60, seed=seed, rows=rows), made.ENGINE)
            refused.update(type(s.rule).__name__ for s in said.refused)
            table = made.days_of(60, seed=10_000 + seed, first=fresh, rows=rows)
            for rule, n in made.alarms(said.rules, table, fresh, 60).items():
                alarms[type(rule).__name__] += n
                days[type(rule).__name__] += 60
            monday = made.FIRST + 70 * made.DAY
            for fault, kind in made.FAULTS:
                broken = fault(made.days_of(1, seed=20_000 + seed, first=monday, rows=rows))
                hits = made.alarms(said.rules, broken, monday, 1)
                found[f"{fault.__name__} by {kind.__name__}"] += any(
                    n for rule, n in hits.items() if isinstance(rule, kind)
                )
        print(f"\n{rows} rows a day: {sum(alarms.values()) / sum(days.values()):.4f} false alarms")
        for name in sorted(days):
            rate = alarms[name] / days[name]
            print(f"  {name:12} {rate:.4f} of {days[name]} rule-days; refused {refused[name]}")
        for name, n in found.items():
            print(f"  {name:40} found in {n / chosen.worlds:.0%} of worlds")


if __name__ == "__main__":
    main()
