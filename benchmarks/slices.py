"""Print whether planted slices are found, whether any is confirmed where none is, and a storm.

Run ``python benchmarks/slices.py``, about five minutes on one core; ``--flights PATH`` adds what
is said of 8 March 2013 in a table of flights from New York (columns as in the demo, ``ts`` the
time and ``label`` whether the flight was late).

Planted: 20,000 rows of 10 columns; in two conditions together, 5 % of the rows, the error rate
is 30 % instead of 20 %. A slice is right when it shares more than half of the rows of both
together. Null worlds: nothing is worse anywhere; with units, each has an error rate and
features of its own, so that rows are many and units are few.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tidemill.monitoring.regions import domain_classifier, unusual
from tidemill.monitoring.slices import confirmed, explained, slices

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
LEVEL = 0.05


def world(
    rng: np.random.Generator, rows: int, *, units: int = 0
) -> tuple[pa.Table, Floats, NDArray[np.int64]]:
    """Draw five numbers and five categories a row, a chance of error, and units."""
    unit = rng.integers(0, units, rows) if units else np.arange(rows)
    columns = {}
    for at, levels in enumerate((4, 5, 10, 30, 3)):
        # Half of the columns belong to the unit: its age, its city.
        own = unit if units and at % 2 == 0 else np.arange(rows)
        columns[f"n{at}"] = rng.normal(size=own.max() + 1)[own]
        columns[f"c{at}"] = np.array([f"v{k}" for k in range(levels)])[
            rng.integers(0, levels, own.max() + 1)
        ][own]
    chance = np.full(rows, 0.2)
    if units:
        chance = np.clip(chance + 0.1 * rng.normal(size=units)[unit], 0.01, 0.99)
    return pa.table(columns), chance, unit


def planted(rng: np.random.Generator, rows: int) -> tuple[pa.Table, Floats, Bools]:
    """Draw a world with one bad slice, its errors, and the rows of the slice."""
    table, chance, _ = world(rng, rows)
    number = table["n0"].to_numpy()
    hard = (table["c0"].to_numpy() == "v1") & (number > np.quantile(number, 0.8))
    return table, (rng.random(rows) < chance + 0.1 * hard).astype(float), hard


def alike(one: Bools, other: Bools) -> bool:
    """Tell whether two sets of rows share more than half of both together."""
    return bool(np.sum(one & other) > np.sum(one | other) / 2)


def finding(runs: int) -> None:
    """Print how often a planted slice is found and confirmed."""
    top, proven = [0, 0], 0
    for seed in range(runs):
        table, loss, hard = planted(np.random.default_rng(seed), 20_000)
        found = [alike(one.where.mask(table), hard) for one in slices(table, loss)[:3]]
        top[0] += any(found[:1])
        top[1] += any(found)
        tested = confirmed(table, loss, seed=seed)
        proven += any(t.confirmed and alike(t.slice.where.mask(table), hard) for t in tested)
    shares = f"first {top[0] / runs:.2f}, in the top 3 {top[1] / runs:.2f}"
    print(f"planted, {runs} worlds: {shares}, confirmed {proven / runs:.2f}")


def nulls(runs: int) -> None:
    """Print how often anything is confirmed where nothing is worse."""
    for units in (0, 300, 40):
        any_slice = any_part = by_row = 0
        for seed in range(runs):
            rng = np.random.default_rng((1, units, seed))
            table, chance, unit = world(rng, 6000, units=units)
            loss = (rng.random(6000) < chance).astype(float)
            of = unit if units else None
            any_slice += any(one.confirmed for one in confirmed(table, loss, unit=of, seed=seed))
            if units:
                by_row += any(one.confirmed for one in confirmed(table, loss, seed=seed))
            now = unit >= units / 2 if units else unit >= 3000  # noqa: PLR2004 - half of the rows
            sides = [(table.filter(pa.array(side)), loss[side]) for side in (~now, now)]
            own = (unit[~now], unit[now]) if units else None
            any_part += bool(explained(*sides[0], *sides[1], units=own, seed=seed).parts)
        words = f"{units} units" if units else "rows alone"
        line = f"null, {words}, {runs} worlds: any slice confirmed {any_slice / runs:.3f}"
        line += f", any part of a change {any_part / runs:.3f}"
        print(line + (f"; were rows taken as units {by_row / runs:.3f}" if units else ""))


def days(runs: int) -> None:
    """Print how often an ordinary day is unusual, and how often an odd one."""
    for effect in (0.0, 0.3, 1.0):
        hits = np.zeros(2)
        for seed in range(runs):
            rng = np.random.default_rng((2, seed))
            past = [_day(rng, effect, at) for at in range(21)]
            today = past.pop()
            odd = today["x"].to_numpy().copy()
            odd[:50] = 2.5 + 0.2 * rng.normal(size=50)
            other = today.set_column(0, "x", pa.array(odd))
            for at, table in enumerate((today, other)):
                hits[at] += unusual(table, past, alpha=LEVEL, seed=seed).judgement.p <= LEVEL
        share = hits / runs
        print(
            f"unusual at 5 %, day effects of {effect} sd, with an id that counts, {runs} days: "
            f"ordinary {share[0]:.3f}, a fifth of the rows in a new place {share[1]:.3f}"
        )


def _day(rng: np.random.Generator, effect: float, at: int) -> pa.Table:
    x, y = rng.normal(size=(2, 250)) + effect * rng.normal(size=(2, 1))
    kind = rng.choice(["a", "b", "c"], 250)
    return pa.table({"x": x, "y": y, "kind": kind, "id": 1000 * at + np.arange(250)})


def timing() -> None:
    """Print what a search costs."""
    for rows in (20_000, 200_000):
        table, loss, _ = planted(np.random.default_rng(0), rows)
        start = time.process_time()
        slices(table, loss)
        spent = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{rows:>7} rows, 10 columns, depth 3: {spent:.2f} CPU s, {peak:.0f} MB peak")


def storm(path: Path) -> None:
    """Print what is said of 8 March 2013, against the four weeks before it."""
    table = pq.read_table(path).drop_columns(["month", "dow"])
    day = table["ts"].cast(pa.date32()).to_numpy()
    at = np.datetime64("2013-03-08")
    now, before = day == at, (day < at) & (day >= at - 28)
    today, past = table.filter(pa.array(now)), table.filter(pa.array(before))
    print("\n8 March 2013 against the 28 days before")
    told = domain_classifier(past, today)
    print(f"domain classifier, rows as units: AUC {told.auc}")
    for region in told.regions:
        print(f"  {region.words()}")
    usual = [table.filter(pa.array(day == at - back)) for back in range(28, 0, -1)]
    weather = ["temp", "humid", "wind_speed", "precip", "pressure", "visib"]
    for name, drop in (("all columns", []), ("without the weather", weather)):
        found = unusual(today.drop_columns(drop), [one.drop_columns(drop) for one in usual])
        print(f"unusual, {name}: {found.judgement.verdict.value}, {found.judgement.why}")
        print(f"  not asked, as usual days always differ in them: {', '.join(found.always) or '-'}")
        for region in found.regions:
            print(f"  {region.words()}")
    late = [one["label"].to_numpy().astype(float) for one in (past, today)]
    tables = [one.drop_columns(["label"]) for one in (past, today)]
    change = explained(tables[0], late[0], tables[1], late[1])
    print(f"late flights {change.before:.3f} -> {change.now:.3f}; explained by")
    for part in change.parts:
        print(f"  {part.words()}; p {part.adjusted:.1g}")
    hours = table["ts"].cast(pa.int64()).to_numpy()[now] // 3_600_000
    print("late on that day, slices confirmed by hour")
    for one in confirmed(tables[1], late[1], unit=hours):
        print(f"  {one.words()}")
        if one.confirmed:
            print(f"    {one.slice.where.source()}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--flights", type=Path)
    given = parser.parse_args()
    timing()
    if given.flights:
        storm(given.flights)
    finding(max(1, given.runs // 4))
    nulls(given.runs)
    days(max(1, given.runs // 4))
