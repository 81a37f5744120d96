"""Two tables on one map: rows that came anew lie apart, and what cannot be mapped is said."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.core.errors import BadInput, BadValue, MissingExtra
from tidemill.faces.counted import Asked
from tidemill.faces.mapping import map_of, save_map


@pytest.fixture
def tables(tmp_path: Path) -> tuple[str, str]:
    rng = np.random.default_rng(0)
    before, now = rng.normal(size=(90, 3)), rng.normal(size=(90, 3))
    now[:30] += 8
    paths = []
    for name, rows in (("before", before), ("now", now)):
        table = pa.table({f"x{k}": rows[:, k] for k in range(3)} | {"c": ["a"] * 90})
        pq.write_table(table, tmp_path / f"{name}.parquet")
        paths.append(str(tmp_path / f"{name}.parquet"))
    return paths[0], paths[1]


def test_rows_of_a_new_kind_lie_apart_and_the_page_needs_no_network(
    tables: tuple[str, str], tmp_path: Path
) -> None:
    found = map_of(*tables, Asked())
    assert (found["method"], found["columns"]) == ("t-SNE", ["x0", "x1", "x2"])
    assert found["left_out"] == ["c"]
    at = np.array([[p["x"], p["y"]] for p in found["points"]])
    sides = [p["side"] for p in found["points"]]
    assert (sides.count("reference"), sides.count("current")) == (90, 90)
    new = at[90:120]
    others = np.concatenate([at[:90], at[120:]])
    apart = np.linalg.norm(new[:, None] - others[None], axis=2).min(axis=1)
    among = np.sort(np.linalg.norm(new[:, None] - new[None], axis=2), axis=1)[:, 1]
    assert np.median(apart) > 2 * np.median(among)
    save_map(found, tmp_path / "map.html")
    page = (tmp_path / "map.html").read_text()
    assert "Content-Security-Policy" in page
    assert "90 rows of current" in page


def test_what_cannot_be_mapped_is_said(
    tables: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadValue, match="no rows to map"):
        map_of("a.profile", tables[1], Asked())
    with pytest.raises(BadInput, match="Fix:"):
        map_of(*tables, Asked(columns=("c",)))
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(MissingExtra, match=r"tidemill\[sklearn\]"):
        map_of(*tables, Asked())
