"""Should they have retrained? Four real histories; writes docs/results.md.

``python benchmarks/results.py [--check]`` replays each history of ``../shared/data`` with the
same strategies and writes the table; with ``--check`` it only says whether the table would be
the same (seconds of training apart).
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import tidemill

DATA = Path(__file__).parents[2] / "shared" / "data"
PAGE = Path(__file__).parents[1] / "docs" / "results.md"
HISTORIES: dict[str, dict[str, Any]] = {
    "bike_hourly": {"time": "ts", "label": "label", "label_delay": "1h", "step": "7d"},
    "bank_marketing": {
        "time": "ts",
        "label": "label",
        "label_delay": "7d",
        "drop": ["duration"],
        "step": "14d",
    },
    "angular_cli_commits": {"time": "ts", "label": "label", "label_delay": "1d", "step": "56d"},
    "flights_nyc13": {"time": "ts", "label": "label", "label_delay": "6h", "step": "7d"},
}
STRATEGIES: dict[str, tuple[str, ...]] = {
    "bike_hourly": ("never", "weekly", "monthly", "performance"),
    "bank_marketing": ("never", "monthly", "quarterly", "performance"),
    "angular_cli_commits": ("never", "quarterly", "performance"),
    "flights_nyc13": ("never", "weekly", "monthly", "performance"),
}
HEAD = """# Four histories, replayed

Written by `python benchmarks/results.py` from the real, time-ordered data it names; the models are
built in and nobody's best. Each row is a strategy on the same history, fitted on all labels so far;
the gain is over never retraining, with the interval for this history.

| history | strategy | metric | value | retrains | gain over never | verdict |
|---|---|---|---|---|---|---|
"""


def row(name: str, told: dict[str, Any], one: dict[str, Any]) -> str:
    """Write a line of the table."""
    found = next((c for c in told["comparisons"] if c["name"] == one["name"]), None)
    gain, verdict = "", ""
    if found is not None:
        d = found["this_history"]
        gain = f"{d['value']:+.4f} [{d['low']:+.4f}, {d['high']:+.4f}]"
        verdict = found["verdict"]
    value = "" if one["value"] is None else f"{one['value']:.4f}"
    metric = told["metric"]["words"]
    return f"| {name} | {one['name']} | {metric} | {value} | {one['retrains']:g} | {gain} | {verdict} |\n"


def main() -> None:
    """Replay, and write or check the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    if not DATA.exists():
        sys.exit("no ../shared/data: nothing to replay")
    lines, said = [HEAD], ["\n## What it concludes\n"]
    for name, terms in HISTORIES.items():
        found = tidemill.backtest(
            DATA / f"{name}.parquet", strategies=list(STRATEGIES[name]), dataset="all", **terms
        ).to_dict()
        lines += [row(name, found, one) for one in found["strategies"]]
        said.append(f"\n**{name}**, {found['history']['steps']} steps of {terms['step']}:\n\n")
        said += [f"- {sentence}\n" for sentence in found["conclusion"]]
        print(name, f"{found['effort']['seconds']:.0f} s", found["conclusion"][0], flush=True)
    page = "".join([*lines, *said])
    if asked.check:
        same = re.sub(r"\s+", " ", PAGE.read_text()) == re.sub(r"\s+", " ", page)
        sys.exit(0 if same else "docs/results.md would change: run python benchmarks/results.py")
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
