"""Projections that are fitted once on a reference: from many numbers of a record a few."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY
from typing import Annotated, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.core.limits import Text, Texts, Whole
from tidemill.core.rule import rule
from tidemill.measures.fitted import PCA, RandomLinear

Floats = NDArray[np.float64]
_COLUMNS = Texts("a list of features, such as ('age', 'income')")


@runtime_checkable
class FittedProjection(Protocol):
    """A named projection that first looks at a reference.

    What it learns there is plain numbers, as JSON: nothing is unpickled.
    """

    @property
    def name(self) -> str: ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The features it takes, numbers or vectors."""
        ...

    def fit(self, rows: Floats, /) -> dict[str, Any]:
        """Learn from the rows of the reference, shape (n, d); NaN is missing.

        Raises
        ------
        BadInput
            If nothing can be learnt from them.
        """
        ...

    def values(self, learnt: Mapping[str, Any], rows: Floats, /) -> Floats:
        """Return shape (n, k) for rows of shape (n, d); NaN where a number is missing."""
        ...


@rule
class PrincipalComponents:
    """The numbers of a record along the directions in which a reference varies most.

    Parameters
    ----------
    name
        What people call it; its numbers are ``name 1``, ``name 2`` and so on.
    columns
        The features it takes, numbers or vectors.
    k
        How many directions.

    References
    ----------
    Jolliffe, I. T. (2002). Principal Component Analysis. Springer.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(100, 1)) * [[1.0, 2.0]]
    >>> shape = PrincipalComponents("shape", ("x", "y"), k=1)
    >>> shape.values(shape.fit(rows), rows).shape
    (100, 1)
    """

    name: Annotated[str, Text()]
    columns: Annotated[tuple[str, ...], _COLUMNS]
    _: KW_ONLY
    k: Annotated[int, Whole(1)] = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))

    def fit(self, rows: Floats, /) -> dict[str, Any]:
        """Find the directions."""
        return PCA.fit(rows, self.k).numbers()

    def values(self, learnt: Mapping[str, Any], rows: Floats, /) -> Floats:
        """Project rows on the directions."""
        return PCA.from_numbers(learnt)(rows)

    @classmethod
    def examples(cls) -> Iterator[PrincipalComponents]:
        yield cls("shape", ("number", "other"))
        yield cls("shape", ("embedding",), k=3)


@rule
class RandomDirections:
    """The numbers of a record along random directions, each feature divided by its spread.

    Parameters
    ----------
    name
        What people call it; its numbers are ``name 1``, ``name 2`` and so on.
    columns
        The features it takes, numbers or vectors.
    k
        How many directions.
    seed
        Another seed, other directions.

    References
    ----------
    Johnson, W. B. and Lindenstrauss, J. (1984). Extensions of Lipschitz mappings into a
    Hilbert space. Contemporary Mathematics 26, 189-206.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(100, 3)) * 1000
    >>> some = RandomDirections("some", ("x", "y", "z"), k=2)
    >>> bool(np.abs(some.values(some.fit(rows), rows)).max() < 10)
    True
    """

    name: Annotated[str, Text()]
    columns: Annotated[tuple[str, ...], _COLUMNS]
    _: KW_ONLY
    k: Annotated[int, Whole(1)] = 2
    seed: Annotated[int, Whole(0)] = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))

    def fit(self, rows: Floats, /) -> dict[str, Any]:
        """Find the middle and the spread of each number."""
        return standards(rows)

    def values(self, learnt: Mapping[str, Any], rows: Floats, /) -> Floats:
        """Project rows on the directions."""
        return RandomLinear(self.k, self.seed)(standardised(learnt, rows))

    @classmethod
    def examples(cls) -> Iterator[RandomDirections]:
        yield cls("some", ("number", "other"))
        yield cls("some", ("embedding",), k=4, seed=1)


def standards(rows: Floats) -> dict[str, list[float]]:
    """Return the middle and the standard deviation of each number of a reference.

    Raises
    ------
    BadInput
        When fewer than two rows have all numbers.

    Examples
    --------
    >>> standards(np.array([[1.0, 5.0], [3.0, 5.0]]))
    {'middle': [2.0, 5.0], 'scale': [1.4142135623730951, 1.0]}
    """
    whole = rows[np.isfinite(rows).all(axis=1)]
    if len(whole) < 2:  # noqa: PLR2004 - a spread needs two
        raise BadInput(
            f"{len(whole)} rows of the reference have all numbers.",
            fix="leave out columns that are mostly missing.",
        )
    spread = whole.std(axis=0, ddof=1)
    scale = np.where(spread > 0, spread, 1.0)
    return {"middle": whole.mean(axis=0).tolist(), "scale": scale.tolist()}


def standardised(learnt: Mapping[str, Any], rows: Floats) -> Floats:
    """Take the middle off rows and divide them by the spread of the reference.

    Raises
    ------
    BadInput
        When they have another number of dimensions.
    """
    middle, scale = np.array(learnt["middle"]), np.array(learnt["scale"])
    if rows.shape[1] != middle.size:
        raise BadInput(
            f"rows have {rows.shape[1]} dimensions, the reference had {middle.size}.",
            fix="give vectors of one length.",
        )
    return (rows - middle) / scale
