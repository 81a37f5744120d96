"""How long ``tidemill --help`` takes beside a bare Cyclopts app, and what it loads."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 15
BARE = """
from cyclopts import App
app = App(name="bare", help="A bare app.")
def command(path: str, *, times: int = 1):
    "Do a thing."
for name in ("one", "two", "three", "four"):
    app.command(command, name=name)
app()
"""
OURS = "from tidemill.faces.cli import main; main()"
HEAVY = (
    "duckdb",
    "ibis",
    "pandas",
    "pyarrow",
    "sklearn",
    "sqlalchemy",
    "deltalake",
    "numpy",
    "scipy",
)


def seconds(code: str) -> float:
    """Run code with --help in a fresh process."""
    start = time.perf_counter()
    command = [sys.executable, "-c", code, "--help"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def loaded() -> list[str]:
    """Return the heavy modules that our help loads."""
    code = (
        f"import sys; {OURS}; print(*[m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], check=True, capture_output=True, text=True
    )
    return done.stderr.split()


def measure(runs: int = RUNS) -> tuple[float, float]:
    """Return the medians of bare and ours, run in turns so that noise hits both."""
    seconds(BARE), seconds(OURS)
    pairs = [(seconds(BARE), seconds(OURS)) for _ in range(runs)]
    bare, ours = (statistics.median(side) for side in zip(*pairs, strict=True))
    return bare, ours


if __name__ == "__main__":
    bare, ours = measure()
    print(f"bare Cyclopts app --help  {bare * 1000:6.0f} ms")
    print(f"tidemill --help           {ours * 1000:6.0f} ms  {ours / bare:.2f}x (at most 1.5x)")
    print(f"heavy modules loaded      {', '.join(loaded()) or 'none'}")
