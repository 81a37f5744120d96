"""The large crash test: many random kills, and every failpoint at every step that passes it.

Run as ``python benchmarks/crash.py --seeds 50`` or ``--every`` or ``--only NAME``; each run must
end with a clean check and the digest of an undisturbed run. Tests run the small version.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SCENARIOS = Path(__file__).parent.parent / "tests" / "scenarios"
sys.path.insert(0, str(SCENARIOS))

import crash_teller  # noqa: E402  # pyright: ignore[reportMissingImports]

PLOTS = ("outcomes", "labeller")


def judge(teller: Any, root: Path, plot: str, calm: dict[str, Any], name: str) -> bool:
    """Tell a story to its end; say and keep what differs."""
    found = teller.end(root, plot)
    if found["problems"] == [] and found["digest"] == calm[plot]["digest"]:
        shutil.rmtree(root)
        return True
    print(f"DIFFERS {name}: {found} in {root}", flush=True)
    return False


def at_random(
    teller: Any, base: Path, calm: dict[str, Any], seeds: range, enough: float = float("inf")
) -> int:
    """Kill at random times, seed by seed until it is enough; return how many runs differed."""
    wrong = kills = 0
    for seed in seeds:
        plot = PLOTS[seed % 2]
        root = base / f"seed-{seed}"
        # Short lives and long ones.
        longest = (0.6, 1.2, 2.5, 5.0)[seed // 2 % 4]
        kills += crash_teller.random_kills(teller, root, plot, seed, longest=longest)
        wrong += not judge(teller, root, plot, calm, f"seed {seed}")
        print(f"seed {seed}: {kills} kills so far, {wrong} runs differ", flush=True)
        if kills >= enough:
            break
    return wrong


def at_failpoints(teller: Any, base: Path, calm: dict[str, Any], only: str | None) -> int:
    """Kill once at each failpoint in each step that passes it; return how many differed."""
    wrong = runs = 0
    for plot in PLOTS:
        for step, passed in enumerate(calm[plot]["passed"]):
            for name in dict.fromkeys(passed):
                if only in (None, name):
                    root = base / f"{plot}-{step}-{name}"
                    missed = crash_teller.chain(teller, root, plot, [(step, name)])
                    where = f"{plot} step {step} {name}{' (missed)' if missed else ''}"
                    wrong += not judge(teller, root, plot, calm, where) or bool(missed)
                    runs += 1
                    print(f"{where}: {runs} runs, {wrong} differ", flush=True)
    return wrong


def main() -> int:
    """Run what the arguments ask for."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--seeds", type=int, default=20)
    ask.add_argument(
        "--kills", type=int, help="so many kills at random, by as many seeds as it takes"
    )
    ask.add_argument("--first", type=int, default=0)
    ask.add_argument("--every", action="store_true", help="every failpoint in every step")
    ask.add_argument("--only", help="this failpoint, in every step")
    said = ask.parse_args()
    start, base = time.perf_counter(), Path(tempfile.mkdtemp(prefix="tidemill-crash-"))
    teller = crash_teller.Teller()
    calm = {p: crash_teller.undisturbed(teller, base / p, p) for p in PLOTS}
    if said.every or said.only:
        wrong = at_failpoints(teller, base, calm, said.only)
    elif said.kills:
        wrong = at_random(teller, base, calm, range(said.first, 10**6), said.kills)
    else:
        wrong = at_random(teller, base, calm, range(said.first, said.first + said.seeds))
    teller.close()
    print(f"{time.perf_counter() - start:.0f} s; {wrong} runs differ")
    if not wrong:
        shutil.rmtree(base)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
