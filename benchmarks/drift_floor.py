"""The floor of drift: the essential work, by hand, in DuckDB and numpy, and nothing else.

Per column and window one GROUP BY: of ``floor((x - lo) / width)`` for numbers, of the value for
categories. Null rates; earth mover's distance of numbers, L1 and L-infinity of all.
Run as a process: ``python drift_floor.py REFERENCE CURRENT``; it prints a JSON document.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import duckdb
import numpy as np

BINS = 30
NUMBERS = ("INTEGER", "BIGINT", "DOUBLE", "FLOAT")

Counts = dict[Any, int]


def main(reference: str, current: str) -> dict[str, Any]:
    """Compare two Parquet files column by column."""
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    kinds = {
        name: kind
        for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM '{reference}'").fetchall()
    }
    found: dict[str, Any] = {}
    for name, kind in kinds.items():
        if kind in NUMBERS:
            found[name] = numbers(connection, name, reference, current)
        else:
            found[name] = categories(connection, name, reference, current)
    return found


def numbers(connection: Any, name: str, reference: str, current: str) -> dict[str, float]:
    """Compare a column of numbers in equal bins between the ends of the reference."""
    low, high = connection.execute(f"SELECT min({name}), max({name}) FROM '{reference}'").fetchone()
    width = (high - low) / BINS or 1.0
    cell = f"floor(({name} - {float(low)!r}) / {float(width)!r}::DOUBLE)"
    one, two = (counts(connection, cell, path) for path in (reference, current))
    nulls = [missing(c) for c in (one, two)]
    shares = np.zeros((2, BINS + 2))
    for k, window in enumerate((one, two)):
        for at, n in window.items():
            shares[k, int(min(max(at, -1), BINS)) + 1] += n
    shares /= shares.sum(axis=1, keepdims=True)
    gap = shares[0] - shares[1]
    return {
        "earth_mover": float(np.abs(np.cumsum(gap)).sum() * width),
        **distances(gap),
        "nulls": nulls[1] - nulls[0],
    }


def categories(connection: Any, name: str, reference: str, current: str) -> dict[str, float]:
    """Compare a column of categories value by value."""
    one, two = (counts(connection, name, path) for path in (reference, current))
    nulls = [missing(c) for c in (one, two)]
    values = sorted(one.keys() | two.keys())
    shares = np.array([[c.get(v, 0) for v in values] for c in (one, two)], dtype=float)
    shares /= shares.sum(axis=1, keepdims=True)
    return {**distances(shares[0] - shares[1]), "nulls": nulls[1] - nulls[0]}


def missing(counted: Counts) -> float:
    """Take the nulls out of counts, and return their share."""
    rows = sum(counted.values())
    return counted.pop(None, 0) / (rows or 1)


def counts(connection: Any, expression: str, path: str) -> Counts:
    """Count what an expression says of the rows of a file."""
    return dict(
        connection.execute(
            f"SELECT {expression} AS k, count(*) FROM '{path}' GROUP BY k"
        ).fetchall()
    )


def distances(gap: Any) -> dict[str, float]:
    """Return L1 and L-infinity of two distributions."""
    return {"l1": float(np.abs(gap).sum()), "l_infinity": float(np.abs(gap).max())}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2])))
