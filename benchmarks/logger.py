"""What a record costs a service, and whether eight services lose or double one:

the CPU of ``Logger.log`` against that of msgspec encoding the same record as JSON, in one run, with
one thread and with eight; then 8 processes log 100,000 records each while turns run, with the state
in SQLite and then in PostgreSQL.

    python benchmarks/logger.py [--records 100000] [--processes 8] [--speed-only]
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from tidemill import Logger, open
from tidemill.project import create_project

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from servers import Postgres  # pyright: ignore[reportMissingImports]

N = 40_000
REPEATS = 5
STRATEGY = """
from tidemill import Manual, Outcome, Recent, Strategy, Uniform
strategy = Strategy(
    curation=Uniform(10, per="1d"), labels=Outcome(final_after="1d"), trigger=Manual(),
    dataset=Recent("20d"), training=lambda dataset, previous: None,
)
"""
SERVICE = """
import sys
from tidemill import Logger
logger = Logger(sys.argv[1], model="v1")
for n in range(int(sys.argv[3])):
    logger.log({"x": float(n), "y": "text"}, record_id=f"{sys.argv[2]}-{n}", output=1)
assert logger.counts()["lost"] == {}, logger.counts()
"""


def features() -> dict[str, float | str]:
    """Make a record of 14 numbers and 10 texts."""
    rng = random.Random(7)
    numbers = {f"number_{k}": rng.gauss(0, 100) for k in range(14)}
    return {**numbers, **{f"text_{k}": f"category {rng.randrange(1000)}" for k in range(10)}}


def cpu(work: Callable[[], None]) -> float:
    """Return microseconds of CPU a record, of all threads."""
    begin = time.process_time()
    work()
    return (time.process_time() - begin) / N * 1e6


def speed() -> None:
    """Print what a call costs, as a multiple of encoding its record."""
    seen, encode = features(), msgspec.json.Encoder().encode
    record = {
        "record_id": "0123456789abcdef0123456789abcdef",
        "predicted_at": "2024-01-01T00:00:00.000000+00:00",
        "features": seen,
        "output": 1,
        "score": 0.71,
        "unit": "N14228",
        "model": "v1",
    }

    def encodes(value: object) -> None:
        for _ in range(N):
            encode(value)

    def logs(logger: Logger, n: int) -> None:
        for _ in range(n):
            logger.log(seen, output=1, score=0.71, unit="N14228")

    def threads(logger: Logger) -> None:
        work = [threading.Thread(target=logs, args=(logger, N // 8)) for _ in range(8)]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()

    rows = []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as folder, Logger(folder, model="v1") as logger:
            logs(logger, 100)
            rows.append(
                (
                    cpu(lambda: encodes(seen)),
                    cpu(lambda: encodes(record)),
                    cpu(lambda logger=logger: logs(logger, N)),
                    cpu(lambda logger=logger: threads(logger)),
                )
            )
    bare, whole, one, eight = (sorted(r)[REPEATS // 2] for r in zip(*rows, strict=True))
    print(f"encoding the features alone {bare:.2f} us, the record {whole:.2f} us")
    for name, took in (("1 thread", one), ("8 threads", eight)):
        print(f"log, {name}: {took:.2f} us, {took / whole:.2f}x the record")


def many(processes: int, records: int, state: str | None = None) -> None:
    """Let services log while a mill turns; say how many records there are in the end."""
    with tempfile.TemporaryDirectory() as root:
        folder = create_project(Path(root) / "mill", strategy=STRATEGY, salt="many", state=state)
        command = [sys.executable, "-c", SERVICE, str(folder)]
        begin = time.perf_counter()
        services = [subprocess.Popen([*command, str(k), str(records)]) for k in range(processes)]
        turns = 0
        while any(s.poll() is None for s in services) or not turns:
            with open(folder) as mill:
                mill.run()
            turns += 1
        with open(folder) as mill:
            mill.run()
            count = "select count(*) as n, count(distinct record_id) as ids from records"
            (found,) = mill.sql(count).to_pylist()
        took = time.perf_counter() - begin
    ends = [s.wait() for s in services]
    where = "SQLite" if state is None else "PostgreSQL"
    print(
        f"{processes} x {records:,} records, {turns} turns meanwhile, state in {where}: {found} in "
        f"{took:.0f} s"
    )
    if any(ends) or set(found.values()) != {processes * records}:
        raise SystemExit(f"lost or doubled: {found}, {ends}")


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--records", type=int, default=100_000)
    asked.add_argument("--processes", type=int, default=8)
    asked.add_argument("--speed-only", action="store_true")
    given = asked.parse_args()
    speed()
    if not given.speed_only:
        many(given.processes, given.records)
        server = Postgres()
        try:
            many(given.processes, given.records, server.url)
        finally:
            server.close()
