"""Where numbers are counted: a grid of cells fixed by a reference, fine near its middle."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadValue

if TYPE_CHECKING:  # the edge counts without Ibis
    from ibis.expr import types as ir

Floats = NDArray[np.float64]
BELOW, ABOVE, NAN = -100_000, 100_000, 100_001
"""What :meth:`Grid.cells` says of minus infinity, infinity and NaN, beside every cell."""

_LARGEST = 1.7976931348623157e308
_FURTHEST = 1e290  # where all values beyond it stand, so that sums of distances are finite
_BLOCK = 1 << 14
_SAMPLE = 200_000  # so many give a median known to .003 sd
_RANGES = ((0.25, 1.349), (0.1, 2.563), (0.05, 3.290), (0.01, 4.653))  # of a normal, in sd
_LEVELS = 100  # so many different values may lie on a lattice by their nature, not by rounding
_OFF = 1e-3  # of a step: how far from a lattice rounding puts a value


@dataclass(frozen=True)
class Grid:
    """Cells as wide as ``unit`` at the centre, each 1 % wider than the one before it.

    The cell of ``x`` is ``floor(100 * ln(1 + |x - centre| / (100 * unit)) + 1/2)``, with the
    sign of ``x - centre``. So a cell is ``unit`` plus 1 % of its distance wide: heavy tails
    need few cells. Once its numbers are fixed a grid does not depend on data, and counts from
    any machine or engine can be added and subtracted.

    No edge of a cell is a number people write, so every engine finds the same cell, unless a
    value lies within rounding (about 1e-14 of its distance) of an edge: then engines whose
    logarithms round differently may count it in neighbouring cells.

    Parameters
    ----------
    centre
        The middle of cell 0, in the units of the values; usually the reference's median.
    unit
        The width of cell 0, in the same units; usually 1 % of a robust sd.
    step
        Where values lie on a lattice through the centre (whole numbers, prices), its step: a
        cell is then represented by the value of the lattice in it. 0 without one.

    Raises
    ------
    BadValue
        If the centre is beyond 1e300, the unit not from 1e-150 to 1e300, the step negative.

    Examples
    --------
    >>> grid = Grid(10.0, 0.5)
    >>> grid.cells(np.array([9.9, 10.3, 60.0, 1e6, np.nan])).tolist()
    [0, 1, 69, 990, 100001]
    >>> low, high = grid.edges(np.array([0, 1]))
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([9.749, 10.251], [10.251, 10.756])
    """

    centre: float
    unit: float
    step: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", _number("centre", self.centre, -1e300, 1e300) + 0.0)
        object.__setattr__(self, "unit", _number("unit", self.unit, 1e-150, 1e300))
        object.__setattr__(self, "step", _number("step", self.step, 0, 1e300) + 0.0)

    @classmethod
    def around(cls, values: NDArray[Any]) -> Grid:
        """Fit the grid to a reference: its median, and 1 % of a robust sd.

        The robust sd is the interquartile range / 1.349. Where more than half of the values
        are one, wider ranges are tried, then the sd, then 1. On a lattice whose step is more
        than 2 % of the sd, the unit is 1/2 to 1/10 of a step: each value within 50 steps of
        the median has its own cell, and distances between values of the lattice are exact.

        Parameters
        ----------
        values
            Numbers of the reference, shape (n,); NaN and infinity are left out. Beyond
            200,000 values every k-th is looked at.

        Examples
        --------
        >>> Grid.around(np.linspace(0, 1000, 1001) ** 1.1)
        Grid(centre=931.0, unit=7.6, step=0.0)
        >>> Grid.around(np.array([0.0, 1.0, 2.0] * 50))
        Grid(centre=1.0, unit=0.1, step=1.0)
        >>> Grid.around(np.array([]))
        Grid(centre=0.0, unit=0.01, step=0.0)
        """
        known = np.asarray(values, dtype=np.float64).ravel()
        known = known[:: max(1, known.size // _SAMPLE)]
        known = np.sort(np.clip(known[np.isfinite(known)], -1e300, 1e300))
        if not known.size:
            return cls(0.0, 0.01)
        centre = float(known[(known.size - 1) // 2])
        unit = max(min(_spread(known), 1e300) / 100, 1e-12 * abs(centre), 1e-150)
        step = _step(known, centre)
        if step > 2 * unit:
            return cls(centre, _short(step / min(10, math.ceil(step / unit)), 6), step)
        unit = _short(unit, 2)
        return cls(round(centre, -math.floor(math.log10(unit))), unit)

    @property
    def id(self) -> str:
        """A short digest; counts on grids of different ids are never added."""
        text = f"grid 1 {self.centre.hex()} {self.unit.hex()} {self.step.hex()}"
        return "g" + hashlib.sha256(text.encode()).hexdigest()[:12]

    def cells(self, values: NDArray[Any]) -> NDArray[np.int32]:
        """Find the cell of each value.

        Parameters
        ----------
        values
            Numbers, shape (n,).

        Returns
        -------
        int32, shape (n,)
            At most 71,000 from 0 where finite; else BELOW, ABOVE or NAN. A value too far
            from the centre to say how far, in units, counts as infinite.
        """
        known = np.asarray(values, dtype=np.float64)
        found = np.empty(known.shape, np.int32)
        away, cell = np.empty((2, min(known.size, _BLOCK)))  # blocks stay in the cache
        with np.errstate(over="ignore", invalid="ignore"):
            for at in range(0, known.size, _BLOCK):
                n = known[at : at + _BLOCK].size
                self._cells(known[at : at + n], away[:n], cell[:n])
                found[at : at + n] = self.codes(cell[:n])
        return found

    def _cells(self, values: Floats, away: Floats, found: Floats) -> None:
        """Find cells as floating-point numbers, with memory that is given."""
        np.subtract(values, self.centre, out=away)
        np.abs(away, out=found)
        found /= 100 * self.unit
        found += 1.0
        np.log(found, out=found)
        found *= 100.0
        found += 0.5
        np.floor(found, out=found)
        np.copysign(found, away, out=found)

    @staticmethod
    def codes(cells: NDArray[Any]) -> NDArray[np.int32]:
        """Turn cells as floating-point numbers, as from :meth:`sql`, into those of `cells`.

        Examples
        --------
        >>> Grid.codes(np.array([-3.0, np.inf, -np.inf, np.nan])).tolist()
        [-3, 100000, -100000, 100001]
        """
        known = np.asarray(cells, np.float64)
        if not np.isfinite(known).all():
            known = np.nan_to_num(known, nan=NAN, posinf=ABOVE, neginf=BELOW)
        return known.astype(np.int32)

    def edges(self, cells: NDArray[Any]) -> tuple[Floats, Floats]:
        """Return where each cell begins and ends, shape (n,) each."""
        known = np.asarray(cells, dtype=np.float64)
        return self._at(known - 0.5), self._at(known + 0.5)

    def middle(self, cells: NDArray[Any]) -> Floats:
        """Return the value that stands for each cell, shape (n,).

        It is halfway between the edges; on a lattice, the value of the lattice nearest to
        that, if it lies in the cell.
        """
        low, high = self.edges(cells)
        halfway = low / 2 + high / 2
        if not self.step:
            return halfway
        on_lattice = self.centre + self.step * np.round((halfway - self.centre) / self.step)
        slack = _OFF * self.step
        inside = (on_lattice > low - slack) & (on_lattice < high + slack)
        return np.where(inside, on_lattice, halfway)

    def expression(self, column: ir.NumericValue) -> ir.IntegerValue:
        """Ask an engine for the same cells.

        Parameters
        ----------
        column
            A number of each row, in Ibis.

        Returns
        -------
        ir.IntegerValue
            32-bit cells, with the codes BELOW, ABOVE and NAN, null where the column is null.

        Examples
        --------
        >>> import ibis
        >>> table = ibis.memtable({"x": [9.9, 10.3, 60.0, 1e6, None]})
        >>> Grid(10.0, 0.5).expression(table.x).to_pyarrow().to_pylist()
        [0, 1, 69, 990, None]
        """
        import ibis

        def exactly(number: float) -> Any:
            # As text: an engine that reads 0.1 as a decimal would round it twice.
            return ibis.literal(repr(number)).cast("float64")

        away: Any = column.cast("float64") - exactly(self.centre)
        distance = away.abs() / exactly(100 * self.unit)
        cell = ((distance + exactly(1.0)).ln() * exactly(100.0) + exactly(0.5)).floor()
        # NaN is the largest number in some engines and not comparable in others; IS NaN is IS NaN.
        found: Any = ibis.cases(
            (away.isnan(), NAN),
            (distance <= exactly(_LARGEST), cell.cast("int32") * away.sign().cast("int32")),
            (away > 0, ABOVE),
            (away < 0, BELOW),
            else_=ibis.null("int32"),
        )
        return found.cast("int32")

    def sql(self, column: str) -> str:
        """Write the cell as the fastest SQL DuckDB has for it, a DOUBLE.

        Parameters
        ----------
        column
            The column, quoted as SQL wants it.

        Returns
        -------
        str
            Infinite and NaN where the column is, null where it is null; group by it, then
            use :meth:`codes` and add up what falls together.

        Examples
        --------
        >>> Grid(10.0, 0.5).sql('"x"')
        'sign("x"::DOUBLE - 10.0e0) * floor(ln(abs("x"::DOUBLE - 10.0e0) / 50.0e0 + 1e0) * 100e0 + 0.5e0)'
        """
        away = f"{column}::DOUBLE - {_double(self.centre)}"
        distance = f"abs({away}) / {_double(100 * self.unit)}"
        return f"sign({away}) * floor(ln({distance} + 1e0) * 100e0 + 0.5e0)"

    def _at(self, edge: Floats) -> Floats:
        """Return the value that lies so many cells from the centre."""
        with np.errstate(over="ignore"):
            grown = np.expm1(np.abs(edge) / 100) * (100 * self.unit)
        return np.clip(self.centre + np.copysign(grown, edge), -_FURTHEST, _FURTHEST)


def _spread(known: Floats) -> float:
    """Return a robust sd of sorted values, and 1 where all are the same."""
    last = known.size - 1
    for tail, normal in _RANGES:
        low, high = float(known[int(tail * last)]), float(known[math.ceil((1 - tail) * last)])
        if high > low:
            return high / normal - low / normal
    largest = float(np.abs(known).max())
    spread = float(np.std(known / largest)) * largest if largest else 0.0
    return spread if spread > 0 else 1.0


def _step(known: Floats, centre: float) -> float:
    """Return the step of the lattice on which sorted values lie, 0 where there is none."""
    levels = known[np.flatnonzero(np.diff(known, prepend=-np.inf))]
    if levels.size == 1 or levels.size > max(_LEVELS, known.size // 20):
        return 0.0
    with np.errstate(over="ignore"):
        step = _short(float(np.diff(levels).min()), 6)
        if not 1e-9 * float(np.abs(levels).max()) < step <= 1e300:  # noqa: PLR2004 - Grid's limit
            return 0.0
        at = (levels - centre) / step
    return step if bool((np.abs(at - np.round(at)) < _OFF).all()) else 0.0


def _short(number: float, digits: int) -> float:
    return float(f"{number:.{digits - 1}e}")


def _double(number: float) -> str:
    """Write a number so that DuckDB reads a DOUBLE; without an exponent it reads a DECIMAL."""
    text = repr(number)
    return text if "e" in text else text + "e0"


def _number(name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, int | float) and low <= value <= high:
        return float(value)
    raise BadValue(
        f"Grid({name}={value!r}): {name} must be a number from {low:g} to {high:g}.",
        fix="use Grid.around(values) of the reference.",
    )
