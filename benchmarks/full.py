"""A disk that is full at any write: the test of ``tests/scenarios/test_disk_full.py`` in small steps.

Run as root, as ``python benchmarks/full.py --step 8``: kilobytes between two fillings. Each run must
end in one line with a fix, and after space was made as if nothing had happened.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

SCENARIOS = Path(__file__).parent.parent / "tests" / "scenarios"
sys.path.insert(0, str(SCENARIOS))

import test_disk_full as full  # noqa: E402  # pyright: ignore[reportMissingImports]

from tidemill.core.errors import TidemillError  # noqa: E402


def attempt(place: Path, left: int, calm: object) -> tuple[str, bool]:
    """Fill a disk and do all there is to do; returns what was said, and whether it ended well."""
    project = full.unpack(place)
    stuff, said, well = full.fill(place, left), "", True
    try:
        full.tell(project)
    except TidemillError as error:
        said = str(error)
    except Exception as error:  # noqa: BLE001 - what it is about
        said, well = f"{type(error).__name__}: {error}", False
    stuff.unlink()
    try:
        return said, full.tell(project) == calm and well
    except Exception as error:  # noqa: BLE001
        return f"{said}, then {type(error).__name__}: {error}", False


def main() -> int:
    """Fill a disk more and more, and say what failed first and how it ended."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--step", type=int, default=8, help="kilobytes")
    ask.add_argument("--first", type=int, default=0, help="kilobytes left at least")
    ask.add_argument("--most", type=int, default=6000, help="kilobytes left at most")
    asked = ask.parse_args()
    start, wrong, where, runs = time.perf_counter(), 0, Counter[str](), 0
    with tempfile.TemporaryDirectory(prefix="tidemill-full-") as base:
        calm = full.tell(full.unpack(Path(base)))
        for left in range(asked.first, asked.most, asked.step):
            place = Path(base) / "disk"
            place.mkdir()
            mount = ["mount", "-t", "tmpfs", "-o", f"size={full.SIZE}", "tmpfs", str(place)]
            subprocess.run(mount, check=True)
            said, well = attempt(place, left << 10, calm)
            subprocess.run(["umount", "-l", str(place)], check=True)
            place.rmdir()
            runs, wrong = runs + 1, wrong + (not well)
            where[re.sub(r"[0-9a-f]{8,}\S*|[/\\]\S+|\d+", "_", said)[:110]] += 1
            if not well:
                print(f"WRONG with {left} kB left: {said}", flush=True)
            if not said:
                break
    for words, n in where.most_common():
        print(f"{n:5} {words or '(enough space)'}")
    print(f"{runs} fillings, {wrong} ended badly, {time.perf_counter() - start:.0f} s")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
