"""Fitted and random projections: many numbers of a record become a few."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from ibis.expr import types as ir
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.core.limits import Whole
from tidemill.core.rule import check

Floats = NDArray[np.float64]
Numbers = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class PCA:
    """The directions in which a reference varies most, as plain numbers.

    Parameters
    ----------
    middle, scale
        One number a dimension: what is taken off, and what the rest is divided by.
    directions
        The components, each one number a dimension and of length 1.
    variances
        The variance of the reference along each.
    total
        The variance of the reference in all dimensions together.

    References
    ----------
    Jolliffe, I. T. (2002). Principal Component Analysis. Springer.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> line = rng.normal(size=(200, 1)) * [[1.0, 2.0]]
    >>> found = PCA.fit(line, 1)
    >>> found(line).shape, float(found.error(line).max().round(6))
    ((200, 1), 0.0)
    >>> float(found.error(np.array([[1.0, -2.0]]))[0].round(1)) > 1
    True
    >>> PCA.from_numbers(found.numbers()) == found
    True
    """

    middle: Numbers
    scale: Numbers
    directions: tuple[Numbers, ...]
    variances: Numbers
    total: float

    def __post_init__(self) -> None:
        d, k = len(self.middle), len(self.directions)
        fits = d and k and len(self.scale) == d and len(self.variances) == k
        if not fits or any(len(way) != d for way in self.directions):
            raise BadInput(
                f"a PCA of {d} dimensions with {len(self.scale)} scales, {k} directions.",
                fix="make it with PCA.fit, or from what numbers() gave.",
            )
        flat = (*self.middle, *self.scale, *self.variances, self.total)
        inner = [number for way in self.directions for number in way]
        if not np.isfinite([*flat, *inner]).all() or min(self.scale) <= 0:
            raise BadInput("a PCA with a number missing.", fix="make it with PCA.fit.")

    @classmethod
    def fit(cls, reference: NDArray[Any], k: int, *, standardise: bool = True) -> PCA:
        """Find the k directions in which the reference varies most.

        Parameters
        ----------
        reference
            Shape (n, d); rows with a missing or infinite number are left out.
        k
            Directions, at most d.
        standardise
            Divide each dimension by its standard deviation first.

        Raises
        ------
        BadInput
            When fewer than two rows are left, or k is more than d.
        """
        check("PCA.fit", "k", k, Whole(1))
        rows = np.asarray(reference, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] < k:  # noqa: PLR2004 - rows and dimensions
            raise BadInput(
                f"reference has shape {rows.shape}, and {k} directions are asked for.",
                fix="pass shape (rows, dimensions), with k at most the dimensions.",
            )
        rows = rows[np.isfinite(rows).all(axis=1)]
        if len(rows) < 2:  # noqa: PLR2004 - a spread needs two
            raise BadInput(
                f"{len(rows)} rows of the reference have all numbers.",
                fix="pass at least two; leave out dimensions that are mostly missing.",
            )
        middle = rows.mean(axis=0)
        centred = rows - middle
        spread = centred.std(axis=0, ddof=1)
        scale = np.where(spread > 0, spread, 1.0) if standardise else np.ones(rows.shape[1])
        # The d x d matrix, not the n x d: the same directions, in memory that rows cannot fill.
        moments = (centred / scale).T @ (centred / scale) / (len(rows) - 1)
        _, values, ways = np.linalg.svd(moments, hermitian=True)
        ways = ways[:k]
        # A direction has no sign of its own: its largest number is positive, on every machine.
        ways *= np.sign(ways[np.arange(k), np.abs(ways).argmax(axis=1)])[:, None]
        return cls(
            middle=_plain(middle),
            scale=_plain(scale),
            directions=tuple(_plain(way) for way in ways),
            variances=_plain(values[:k]),
            total=float(np.trace(moments)),
        )

    @property
    def explained(self) -> float:
        """The share of the reference's variance that the directions hold; 0 if it has none."""
        return sum(self.variances) / self.total if self.total > 0 else 0.0

    def __call__(self, rows: NDArray[Any], /) -> Floats:
        """Project rows of shape (n, d) to shape (n, k); NaN where a number is missing."""
        return _times(self._standard(rows), np.array(self.directions).T)

    def error(self, rows: NDArray[Any], /) -> Floats:
        """Return how far each row is from its reconstruction, in units of ``scale``.

        Changes that leave the directions seen so far show here and nowhere else.
        """
        standard = self._standard(rows)
        ways = np.array(self.directions)
        back = _times(_times(standard, ways.T), ways)
        with np.errstate(over="ignore", invalid="ignore"):
            return np.sqrt(np.square(standard - back).sum(axis=1))

    def component(self, at: int, columns: Sequence[str]) -> Callable[[ir.Table], Any]:
        """Return what a ``Projection`` takes: the number along one direction, in any engine.

        Parameters
        ----------
        at
            Which direction, from 0.
        columns
            The column of each dimension, such as ``["f_age", "f_income"]``.

        Examples
        --------
        >>> import ibis
        >>> from tidemill.measures.projection import Projection
        >>> found = PCA.fit(np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 4.0]]), 1)
        >>> first = Projection("first direction", found.component(0, ["f_a", "f_b"]))
        >>> records = ibis.memtable({"f_a": [1.0], "f_b": [2.0]})
        >>> bool(np.isclose(first(records).execute()[0], found(np.array([[1.0, 2.0]]))[0, 0]))
        True
        """
        if len(columns) != len(self.middle) or not 0 <= at < len(self.directions):
            raise BadInput(
                f"direction {at} of {len(columns)} columns.",
                fix=f"pass {len(self.middle)} columns and at most {len(self.directions) - 1}.",
            )
        return _Along(
            columns=tuple(columns),
            middle=self.middle,
            slopes=_plain(np.array(self.directions[at]) / np.array(self.scale)),
        )

    def numbers(self) -> dict[str, Any]:
        """Return it as plain numbers, for JSON."""
        return asdict(self)

    @classmethod
    def from_numbers(cls, numbers: Mapping[str, Any]) -> PCA:
        """Read what ``numbers`` gave, also after JSON made lists of tuples.

        Raises
        ------
        BadInput
            When something is missing or is no number.
        """
        try:
            return cls(
                middle=_plain(numbers["middle"]),
                scale=_plain(numbers["scale"]),
                directions=tuple(_plain(way) for way in numbers["directions"]),
                variances=_plain(numbers["variances"]),
                total=float(numbers["total"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(
                f"not the numbers of a PCA: {error}.", fix="pass what numbers() gave."
            ) from error

    def _standard(self, rows: NDArray[Any]) -> Floats:
        points = _points(rows)
        if points.shape[1] != len(self.middle):
            raise BadInput(
                f"rows have {points.shape[1]} dimensions, the PCA {len(self.middle)}.",
                fix="pass the dimensions it was fitted on, in the same order.",
            )
        with np.errstate(over="ignore"):
            return (points - np.array(self.middle)) / np.array(self.scale)


@dataclass(frozen=True)
class RandomLinear:
    """Projections along k random directions, the same for the same seed and dimensions.

    They look nowhere in particular, so no change can hide from all of them for long; a fitted
    projection sees more where its reference varies.

    Parameters
    ----------
    k
        Directions, each of length 1.
    seed
        Another seed, other directions.

    References
    ----------
    Johnson, W. B. and Lindenstrauss, J. (1984). Extensions of Lipschitz mappings into a
    Hilbert space. Contemporary Mathematics 26, 189-206.

    Examples
    --------
    >>> few = RandomLinear(2, seed=1)
    >>> few(np.eye(3)).shape, bool((few(np.eye(3)) == RandomLinear(2, seed=1)(np.eye(3))).all())
    ((3, 2), True)
    """

    k: int
    seed: int = 0

    def __post_init__(self) -> None:
        check("RandomLinear", "k", self.k, Whole(1))
        check("RandomLinear", "seed", self.seed, Whole(0))

    def directions(self, d: int) -> Floats:
        """Return the directions for d dimensions, shape (d, k)."""
        drawn = np.random.default_rng((self.seed, d)).normal(size=(d, self.k))
        return drawn / np.sqrt(np.square(drawn).sum(axis=0))

    def __call__(self, rows: NDArray[Any], /) -> Floats:
        """Project rows of shape (n, d) to shape (n, k); NaN where a number is missing."""
        points = _points(rows)
        return _times(points, self.directions(points.shape[1]))

    def numbers(self) -> dict[str, int]:
        """Return it as plain numbers, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Along:
    """A linear function of columns, as an expression."""

    columns: tuple[str, ...]
    middle: Numbers
    slopes: Numbers

    def __call__(self, records: ir.Table) -> Any:
        terms: list[Any] = [
            (records[name].cast("float64") - middle) * slope
            for name, middle, slope in zip(self.columns, self.middle, self.slopes, strict=True)
        ]
        whole = terms[0]
        for term in terms[1:]:
            whole = whole + term
        return whole


def _points(rows: NDArray[Any]) -> Floats:
    points = np.asarray(rows, dtype=np.float64)
    if points.ndim != 2 or not points.shape[1]:  # noqa: PLR2004 - rows and dimensions
        raise BadInput(f"rows have shape {points.shape}.", fix="pass (rows, dimensions).")
    return points


def _times(points: Floats, matrix: Floats) -> Floats:
    """Multiply, with NaN and without a warning where a row has a number missing or too large."""
    whole = np.isfinite(points).all(axis=1, keepdims=True)
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.where(whole, points, 0.0) @ matrix
    return np.where(whole, found, np.nan)


def _plain(numbers: Any) -> Numbers:
    return tuple(float(number) for number in numbers)
