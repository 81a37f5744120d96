"""Print how often the claims of a backtest hold, in many worlds whose truth is known.

Run ``python benchmarks/backtest.py``; ``--worlds 50`` is quicker, ``--workers 2`` uses two
cores, and ``--only itself null growth`` runs some of it. With 500 worlds it takes about an hour
and a half on two cores.

``itself`` compares a strategy with itself under other seeds, with models kept 1, 4, 13 and all
weeks: between .93 and .97 of the intervals should hold 0. ``null`` compares calendars with never
where nothing changes and all learn from as many rows: in at least .93 of the worlds no lower
limit should be above 0. ``growth`` learns from all labels so far: without drift the report
should name sample size, with drift it should not.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "scenarios"))

import backtest_worlds as worlds

LOW, HIGH = 0.93, 0.97
WEEKS = 28
"""Two models are kept 13 weeks each, after two weeks of history."""


def itself(seed: int) -> dict[str, tuple[bool, float]]:
    """Tell for each time a model is kept whether 0 is covered, and how wide the interval is."""
    found = worlds.against_itself(seed, list(worlds.KEPT), weeks=WEEKS)
    parts = {kept: c.this_history for kept, c in found.items()}
    return {k: (e.low <= 0 <= e.high, e.high - e.low) for k, e in parts.items()}


def null(seed: int, *, resample: bool) -> dict[str, bool]:
    """Tell whether no limit is above 0, and whether no gain is claimed."""
    report = worlds.null_world(seed, resample=resample)
    none = all(c["this_history"]["limit"] <= 0 for c in report["comparisons"])
    return {"limits": none, "headline": report["conclusion"][0].startswith("It cannot be said")}


def growth(seed: int, *, turn: float) -> str:
    """Tell what the report says a gain is from."""
    said = " ".join(worlds.growth_world(seed, turn=turn)["conclusion"])
    words = {
        "more data": "not from drift",
        "cannot be told": "cannot be told",
        "both": "freshness alone",
        "drift": "Fewer, newer rows",
    }
    return next((name for name, text in words.items() if text in said), "no gain")


def rate(hits: int, n: int) -> str:
    """Write a share with its standard error."""
    share = hits / n
    return f"{share:.3f} +- {math.sqrt(max(share * (1 - share), 1 / n) / n):.3f}"


def main() -> None:
    """Run the worlds and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=500)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=["itself", "null", "growth"])
    given = parser.parse_args()

    def each(work: Callable[[int], Any]) -> Iterator[Any]:
        if given.workers == 1:
            yield from map(work, range(given.worlds))
            return
        with ProcessPoolExecutor(given.workers) as pool:
            yield from pool.map(work, range(given.worlds), chunksize=4)

    if "itself" in given.only:
        found = list(each(itself))
        print(f"a strategy against itself, {given.worlds} worlds: coverage of 0 in [{LOW}, {HIGH}]")
        for kept in worlds.KEPT:
            hits = sum(one[kept][0] for one in found)
            width = sum(one[kept][1] for one in found) / len(found)
            print(f"  kept {kept:>3} weeks: {rate(hits, len(found))}, mean width {width:.4f}")
    if "null" in given.only:
        for how, resample in (("as it comes", False), ("every seed draws its rows anew", True)):
            found = list(each(partial(null, resample=resample)))
            print(f"nothing changes, equal sizes, {how}, {given.worlds} worlds: at least {LOW}")
            for name in ("limits", "headline"):
                print(f"  {name}: {rate(sum(one[name] for one in found), len(found))}")
    if "growth" in given.only:
        print("all labels so far: what the report says the gain is from")
        for name, turn in (("no drift", 0.0), ("drift", 0.5)):
            said = Counter(each(partial(growth, turn=turn)))
            parts = ", ".join(f"{k} {rate(n, given.worlds)}" for k, n in said.most_common())
            print(f"  {name}: {parts}")


if __name__ == "__main__":
    main()
