"""What a look counts is read in parts, so that its memory is bounded, and is the same as of the whole."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from tidemill.core.as_of import as_of
from tidemill.core.records import FEATURE
from tidemill.measures.numbers import Numbers
from tidemill.measures.profile import Profile, of_table
from tidemill.strategy.watching import profiling


def test_windows_are_read_together_while_they_are_small_and_a_large_one_in_parts(
    live: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = live(rows=120)
    served = [life.serve() for _ in range(3)]
    life.rows = 20
    served += [life.serve() for _ in range(3)]
    read: list[int] = []
    all_rows = profiling.new_rows

    def noted(*what: Any) -> pa.Table:
        table = all_rows(*what)
        read.append(table.num_rows)
        return table

    monkeypatch.setattr(profiling, "new_rows", noted)
    monkeypatch.setattr(profiling, "AT_ONCE", 1)
    monkeypatch.setattr(profiling, "_FEWEST", 50)
    life.steps()
    assert read == [40] * 9 + [40, 20]
    world = life.mill.world
    view = as_of(world, life.clock.now())
    rows = view.arrow(view.table("profiles").order_by("predicted_at")).to_pylist()
    assert [r["rows"] for r in rows] == [120] * 3 + [20] * 3
    for row, table in zip(rows, served, strict=True):
        found = Profile.from_bytes(row["profile"])
        column = found.columns[f"{FEATURE}x"]
        assert isinstance(column, Numbers)
        whole = of_table(
            pa.table({f"{FEATURE}x": table["x"], f"{FEATURE}c": table["c"]}),
            grids={f"{FEATURE}x": column.grid},
        )
        assert {n: found.columns[n] for n in whole.columns} == whole.columns
