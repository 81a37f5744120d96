"""Slices in which something is worse than elsewhere, found by a search that prunes by bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.core.limits import Whole
from tidemill.core.rule import check
from tidemill.measures.condition import All
from tidemill.monitoring.slices.search import best
from tidemill.statistics.weighted import checked_weights, weighted_mean

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Rows that people can name, and how much worse they are than the others.

    Parameters
    ----------
    where
        The conditions; ``where.cohort()`` makes them a cohort, ``where.source()`` its line in
        a strategy file.
    n
        Rows in it.
    support
        Their share of the weight of all rows.
    mean, rest
        Mean loss in it, and of all other rows.
    effect
        ``mean`` less ``rest``.
    score
        What slices are ordered by: the excess over the mean of all rows, in standard errors
        of as many rows drawn at random. It was searched for, so it is no evidence:
        ``confirmed`` tests slices on rows the search did not see.
    """

    where: All
    n: int
    support: float
    mean: float
    rest: float
    effect: float
    score: float

    def words(self) -> str:
        """Say which rows, how many, and how they do.

        Examples
        --------
        >>> from tidemill.measures.condition import Condition
        >>> where = All((Condition(column="carrier", values=("9E",)),))
        >>> print(Slice(where=where, n=50, support=0.05, mean=0.3, rest=0.2, effect=0.1,
        ...             score=1.8).words())
        carrier is 9E: 50 rows (5.0%), 0.3 against 0.2 elsewhere
        """
        size = f"{self.n} rows ({self.support:.1%})"
        return f"{self.where.words()}: {size}, {self.mean:.4g} against {self.rest:.4g} elsewhere"


def slices(
    features: pa.Table,
    loss: NDArray[Any],
    weight: NDArray[Any] | None = None,
    *,
    least: int | None = None,
    depth: int = 3,
    most: int = 10,
) -> list[Slice]:
    """Find the slices of a table in which the loss is highest above its mean.

    Conditions are joined level by level, as in SliceLine: a slice is built on only if a part
    of it, at the best possible size, could still beat the slices found so far, and if all its
    parents could. Levels beyond the second build on the 256 best slices of the level before.

    Parameters
    ----------
    features
        One row a record. Times, and columns of other types than numbers, texts and booleans,
        are not looked at.
    loss
        What is worse when higher, one number a row, such as an error; rows where it is
        missing or infinite are left out.
    weight
        One weight a row, at least 0; None for equal ones.
    least
        Fewest rows of a slice; None for 1 % of the rows, and at least 32.
    depth
        Most conditions of a slice, 1 to 4.
    most
        Most slices. After each the rows of it are set aside, so that the next one has
        something else to say.

    Returns
    -------
    list of Slice
        The best first; empty where nothing is worse than the mean, or nothing varies.

    References
    ----------
    Sagadeeva, S. and Boehm, M. (2021). SliceLine: fast, linear-algebra-based slice finding
    for ML model debugging. SIGMOD, 2290-2299. Its bounds are kept, with the number of rows
    where its code has that of columns; its score asks for an arbitrary trade-off between
    size and error, and is replaced by one in standard errors.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> features = pa.table({"carrier": rng.choice(["9E", "UA", "DL"], 3000),
    ...                      "humid": rng.integers(0, 101, 3000)})
    >>> hard = (np.array(features["carrier"]) == "9E") & (np.array(features["humid"]) > 80)
    >>> found = slices(features, rng.random(3000) < np.where(hard, 0.5, 0.2))
    >>> found[0].where.words(), found[0].n > 100
    ('carrier is 9E and humid > 80', True)
    """
    check("slices", "depth", str(depth), _Depth())
    check("slices", "most", most, Whole(1))
    rows, known, weights = checked(features, loss, weight)
    fewest = max(32, -(-int(rows.sum()) // 100)) if least is None else least
    check("slices", "least", fewest, Whole(1))
    if int(rows.sum()) < 2 * fewest or not np.ptp(known[rows]) > 0:
        return []
    table = features if rows.all() else features.filter(pa.array(rows))
    known, weights = known[rows], weights[rows]
    value = weights * (known - weighted_mean(known, weights))
    found = best(table, value, least=fewest, depth=depth, most=most)
    return [described(where, inside, known, weights, score) for where, inside, score in found]


@dataclass(frozen=True)
class _Depth:
    """One to four conditions: more are no longer read by people."""

    def broken(self, value: object) -> str | None:
        return None if value in ("1", "2", "3", "4") else "a whole number from 1 to 4"

    def bad(self) -> Any:
        yield from ("0", "5", "2.5")


def checked(
    features: pa.Table, loss: NDArray[Any], weight: NDArray[Any] | None
) -> tuple[Bools, Floats, Floats]:
    """Return which rows have a loss and a weight, the losses and the weights.

    Raises
    ------
    BadInput
        If there is not one loss and one weight per row.
    """
    known = np.asarray(loss, dtype=np.float64)
    weights = np.ones(known.shape) if weight is None else checked_weights(weight)
    for name, given in (("loss", known), ("weight", weights)):
        if given.shape != (features.num_rows,):
            raise BadInput(
                f"{name} has shape {given.shape}, the table {features.num_rows} rows.",
                fix="pass one per row.",
            )
    rows = np.isfinite(known) & (weights > 0)
    return rows, np.where(rows, known, 0.0), weights


def described(where: All, inside: Bools, loss: Floats, weight: Floats, score: float) -> Slice:
    """Say what is in a slice and what is not."""
    mean = weighted_mean(loss[inside], weight[inside])
    rest = weighted_mean(loss[~inside], weight[~inside])
    return Slice(
        where=where,
        n=int(inside.sum()),
        support=float(weight[inside].sum() / weight.sum()),
        mean=mean,
        rest=rest,
        effect=mean - rest,
        score=score,
    )
