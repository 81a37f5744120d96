"""Hostile inputs through every door: what became of them, and where the promise broke.

Run as ``python benchmarks/fuzz.py --inputs 10000`` or with ``--only DOOR``. Each input must be taken
in, set aside with a reason, or refused in one line with a fix. Tests run the small version.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import math
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

SCENARIOS = Path(__file__).parent.parent / "tests" / "scenarios"
sys.path.insert(0, str(SCENARIOS))

import hostile_doors as doors  # noqa: E402  # pyright: ignore[reportMissingImports]
from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402

SHARES = {"tables": 25, "mill.log": 20, "Logger": 15, "strategy files": 15, "files": 15, "drift": 3}


def fuzz(
    name: str, inputs: int, first: int, seconds: float, base: Path
) -> tuple[Any, dict[str, list[str]]]:
    """Try so many inputs at a door; return the fates, and what broke by where it broke."""
    fates: collections.Counter[str] = collections.Counter()
    broken: dict[str, list[str]] = {}
    until = time.monotonic() + seconds

    def one(example: Any) -> None:
        if time.monotonic() > until:
            return
        (base / "last").write_text(f"{name}: {example!r}"[:100_000], errors="backslashreplace")
        try:
            fates[doors.through(name, example, base)] += 1
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            fates["BROKEN"] += 1
            frames = traceback.extract_tb(error.__traceback__)
            place = next(
                (f for f in reversed(frames) if "/src/tidemill/" in f.filename), frames[-1]
            )
            where = f"{place.filename.rpartition('/tidemill/')[2]}:{place.lineno}"
            what = f"{type(error).__name__} at {where}: {' '.join(str(error).split())[:200]}"
            key = f"{type(error).__name__} {where} {str(error)[:30]}"
            if key not in broken:
                print(f"  BROKEN {name}: {what}", flush=True)
            broken.setdefault(key, []).append(f"{what}\n    {_short(example)}")

    run = settings(
        max_examples=inputs,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )(seed(first)(given(doors.DOORS[name].inputs)(one)))
    run()
    return fates, broken


def _short(example: Any) -> str:
    try:
        return repr(example)[:600]
    except Exception:  # noqa: BLE001 - a rude value among them
        return "an input that cannot be shown"


def main() -> int:
    """Try so many inputs, and print a summary."""
    given_ = argparse.ArgumentParser(description=__doc__)
    given_.add_argument("--inputs", type=int, default=10_000)
    given_.add_argument("--only", choices=[*doors.DOORS])
    given_.add_argument("--seed", type=int, default=0)
    given_.add_argument("--seconds", type=float, default=math.inf, help="of each door at most")
    asked = given_.parse_args()
    warnings.simplefilter("ignore")
    faulthandler.enable()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        doors.template(base / "template")
        for name in [asked.only] if asked.only else doors.DOORS:
            share = 100 if asked.only else SHARES.get(name, 7)
            start = time.process_time()
            fates, broken = fuzz(
                name, max(1, asked.inputs * share // 100), asked.seed, asked.seconds, base
            )
            took = time.process_time() - start
            wrong += fates["BROKEN"]
            told = ", ".join(f"{n} {fate}" for fate, n in sorted(fates.items()))
            print(f"{name}: {sum(fates.values())} inputs: {told}; {took:.0f} CPU s", flush=True)
            for found in sorted(broken.values(), key=len, reverse=True):
                print(f"  {len(found)}x {min(found, key=len)}", flush=True)
    print(f"{wrong} broke the promise")
    return min(wrong, 1)


if __name__ == "__main__":
    raise SystemExit(main())
