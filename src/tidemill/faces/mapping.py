"""Two tables on one map: rows that resemble each other lie near each other."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidemill.core.errors import BadInput, BadValue, MissingExtra
from tidemill.core.ports import Json
from tidemill.faces.counted import PROFILE, Asked

Floats = NDArray[np.float64]
ROWS = 500
"""Rows of each side that are drawn, at random."""
LEAST = 30
SIDES = ("reference", "current")


def map_of(reference: str, current: str, asked: Asked, *, seed: int = 0) -> Json:
    """Lay some rows of two tables out on a plane, by their numbers.

    UMAP does it where it is installed, t-SNE of scikit-learn otherwise. A map shows which rows
    are alike; sizes of and distances between clusters on it mean nothing, and it is no evidence.

    Parameters
    ----------
    reference, current
        Paths or addresses of tables with rows.
    asked
        Which columns; those that are no numbers and no vectors are left out.
    seed
        Of the rows and of the map.

    Returns
    -------
    dict
        ``points`` with ``x``, ``y`` and ``side``; ``method``, ``columns``, ``left_out``, and
        the names of both tables.

    Raises
    ------
    MissingExtra
        If neither is installed.
    BadInput
        If too few rows have all their numbers.

    References
    ----------
    van der Maaten, L. and Hinton, G. (2008). Visualizing data using t-SNE. Journal of Machine
    Learning Research 9, 2579-2605.
    McInnes, L., Healy, J. and Melville, J. (2018). UMAP: uniform manifold approximation and
    projection for dimension reduction. arXiv:1802.03426.
    """
    from tidemill.monitoring.joint.points import is_numeric, points

    for path in (reference, current):
        if path.endswith(PROFILE):
            raise BadValue(f"{path} has no rows to map.", fix="give the table instead.")
    paths = (reference, current)
    tables = [asked.for_one(path, *paths).read(path) for path in paths]
    wanted = asked.wanted([table.column_names for table in tables])
    fits = [n for n in wanted if all(_numeric(table, n, is_numeric) for table in tables)]
    rng = np.random.default_rng(seed)
    some = [_some(rng, table.select(fits)) for table in tables]
    rows = [side[np.isfinite(side).all(axis=1)] for side in points(some)]
    if min(len(side) for side in rows) < LEAST:
        raise BadInput(
            f"{len(rows[0])} and {len(rows[1])} rows drawn have a number in every column.",
            fix="leave out columns that are mostly missing, with --ignore.",
        )
    placed, method = _placed(_scaled(np.concatenate(rows)), seed)
    sides = [SIDES[0]] * len(rows[0]) + [SIDES[1]] * len(rows[1])
    return {
        "reference": reference,
        "current": current,
        "method": method,
        "columns": fits,
        "left_out": [n for n in wanted if n not in fits],
        "points": [
            {"x": round(float(x), 3), "y": round(float(y), 3), "side": side}
            for (x, y), side in zip(placed, sides, strict=True)
        ],
    }


def save_map(found: Json, file: Path) -> None:
    """Write a map as one HTML file that needs no network."""
    from tidemill.faces.report.map_page import page

    file.write_text(page(found), encoding="utf-8")


def _numeric(table: pa.Table, name: str, is_numeric: Any) -> bool:
    return name in table.column_names and is_numeric(table.schema.field(name).type)


def _some(rng: np.random.Generator, table: pa.Table) -> pa.Table:
    rows = table.num_rows
    return table.take(np.sort(rng.choice(rows, min(rows, ROWS), replace=False)))


def _scaled(rows: Floats) -> Floats:
    """Divide each number by its spread, and keep what is far out at twenty times that."""
    spread = rows.std(axis=0)
    return np.clip((rows - np.median(rows, axis=0)) / np.where(spread > 0, spread, 1.0), -20, 20)


def _placed(rows: Floats, seed: int) -> tuple[Floats, str]:
    try:
        umap: Any = importlib.import_module("umap")
    except ImportError:
        pass
    else:
        return np.asarray(umap.UMAP(random_state=seed).fit_transform(rows), np.float64), "UMAP"
    try:
        manifold: Any = importlib.import_module("sklearn.manifold")
    except ImportError:
        raise MissingExtra(
            "a map is laid out by scikit-learn or UMAP, and neither is installed.",
            fix="pip install 'tidemill[sklearn]', or umap-learn, or leave --map out.",
        ) from None
    # No more neighbours than t-SNE can ask for.
    near = min(30.0, (len(rows) - 1) / 3)
    made = manifold.TSNE(perplexity=near, init="pca", random_state=seed).fit_transform(rows)
    return np.asarray(made, np.float64), "t-SNE"
