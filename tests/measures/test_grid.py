"""The grid: the same cells everywhere, one for each value of a lattice, fine where it matters."""

from __future__ import annotations

import ibis
import numpy as np
import pyarrow as pa
import pytest

from tidemill.core.errors import BadValue
from tidemill.measures.grid import ABOVE, BELOW, NAN, Grid


def of_many_magnitudes(n: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    part = n // 5
    values = np.concatenate(
        [
            rng.normal(size=part),
            rng.standard_cauchy(part) * 1e3,
            np.exp(rng.uniform(-700, 700, part)) * rng.choice([-1, 1], part),
            rng.integers(-5_000, 5_000, part).astype(float),
            np.round(rng.normal(100, 20, part), 2),
        ]
    )
    values[:8] = [np.nan, np.inf, -np.inf, 1.7e308, -1.7e308, 0.0, -0.0, 5e-324]
    return values


@pytest.mark.parametrize("grid", [Grid(1.5, 0.01), Grid(100.0, 0.1), Grid(-3e7, 7.3)], ids=str)
def test_duckdb_finds_the_cells_numpy_finds(grid):
    values = of_many_magnitudes(400_000)
    with np.errstate(over="ignore"):
        half = values.astype("f4")
    connection = ibis.duckdb.connect()
    table = connection.create_table("t", pa.table({"x": values, "f": half}))
    want = grid.cells(values)
    found = table.select(c=grid.expression(table.x)).to_pyarrow()["c"].to_numpy()
    assert (found == want).all()
    fast = connection.raw_sql(f"SELECT {grid.sql('x')} AS c FROM t").fetchnumpy()["c"]
    assert (Grid.codes(fast) == want).all()
    short = table.select(c=grid.expression(table.f)).to_pyarrow()["c"].to_numpy()
    assert (short == grid.cells(half)).all()


def test_null_stays_null_and_whole_numbers_are_numbers():
    table = ibis.memtable({"x": [None, 5, -7]}, schema={"x": "int64"})
    found = table.select(c=Grid(0.0, 1.0).expression(table.x)).to_pyarrow()["c"].to_pylist()
    assert found == [None, *Grid(0.0, 1.0).cells(np.array([5, -7])).tolist()]


def test_what_is_no_finite_number_has_a_code_of_its_own():
    cells = Grid(0.0, 1.0).cells(np.array([np.nan, np.inf, -np.inf, 1e308, -1e308]))
    assert cells[:3].tolist() == [NAN, ABOVE, BELOW]
    assert BELOW < cells[4] < cells[3] < ABOVE


def test_each_value_lies_in_its_cell_and_cells_follow_one_another():
    grid = Grid(3.0, 0.02)
    values = of_many_magnitudes(20_000)
    values = values[np.isfinite(values) & (np.abs(values) < 1e290)]
    low, high = grid.edges(grid.cells(values))
    slack = 1e-12 * np.maximum(np.abs(values), 1)
    assert ((low - slack <= values) & (values <= high + slack)).all()
    every = np.arange(-900, 900)
    low, high = grid.edges(every)
    assert np.allclose(high[:-1], low[1:])
    width = high - low
    distance = np.abs(grid.middle(every) - 3.0)
    assert np.allclose(width, 0.02 + 0.01 * distance, rtol=0.01)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).poisson(1, 5_000).astype(float),
        np.random.default_rng(0).integers(0, 2, 500).astype(float),
        np.round(np.random.default_rng(0).normal(5, 0.3, 5_000), 1),
        np.array([0.0] * 90 + list(range(10))),
        1e6 + 12.5 * np.random.default_rng(0).integers(-40, 40, 2_000),
    ],
    ids=["counts", "bits", "tenths", "mostly zero", "far from zero"],
)
def test_values_of_a_lattice_have_a_cell_each_that_stands_for_them_exactly(values):
    grid = Grid.around(values)
    levels = np.unique(values)
    cells = grid.cells(levels)
    assert (np.diff(cells) > 0).all()
    assert np.allclose(grid.middle(cells), levels, rtol=0, atol=1e-9 * np.abs(levels).max())


def test_a_grid_is_fitted_to_anything():
    for values in ([], [np.nan, np.inf], [5.0] * 9, [1e308, -1e308], [1e-300, 2e-300], [-0.0]):
        grid = Grid.around(np.array(values, dtype=float))
        assert grid.unit > 0
        assert grid.cells(np.array(values, dtype=float)).shape == (len(values),)
    heavy = Grid.around(np.random.default_rng(0).standard_cauchy(10_000))
    assert heavy.unit == pytest.approx(0.0148, rel=0.05)  # a wild tail does not widen the cells


def test_grids_of_different_numbers_have_different_ids():
    assert len({Grid(0.0, 1.0).id, Grid(0.5, 1.0).id, Grid(0.0, 2.0).id, Grid(0, 1, 1).id}) == 4
    assert Grid(-0.0, 1.0).id == Grid(0, 1).id
    for centre, unit in ((np.nan, 1.0), (0.0, 0.0), (0.0, np.inf), ("0", 1.0)):
        with pytest.raises(BadValue, match=r"Grid\(.*Fix: use Grid.around"):
            Grid(centre, unit)
