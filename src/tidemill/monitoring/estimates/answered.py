"""What a model answered in a window of time: scores, outputs, and labels where they came."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.statistics.weighted import checked_weights, n_effective

Array = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Answered:
    """Arrays with one entry per row; what is absent is None.

    A reference must be rows the model was not fitted on: on its own training rows it looks
    better than it is, and every estimate from them with it.

    Parameters
    ----------
    score
        P(positive), shape (n,), or the probability of each class, shape (n, c).
    output
        What the model answered, shape (n,): 0 or 1, a class, a number.
    label
        The truth, shape (n,); the reference has it, a window without labels does not.
    weight
        One weight per row, at least 0, such as 1 / inclusion probability. Rows of weight 0
        are never looked at.
    day
        The day of each row. Where the reference has at least five, days are the units of
        evidence; a current window without days is then taken for one day.
    loss
        Your own loss per row, for the metric ``"loss"``.
    cohorts
        Whether each row is in each of k cohorts, shape (n, k).
    features
        Numbers, shape (n, f); missing ones NaN.
    categories
        Values with no order, such as texts, shape (n, k).

    Raises
    ------
    BadInput
        If the arrays are not of one length, or a weight is not one.

    Examples
    --------
    >>> Answered(score=np.array([0.2, 0.9]), output=np.array([0, 1])).n
    2
    """

    score: Array | None = None
    output: Array | None = None
    label: Array | None = None
    weight: Array | None = None
    day: Array | None = None
    loss: Array | None = None
    cohorts: NDArray[np.bool_] | None = None
    features: Array | None = None
    categories: Array | None = None

    def __post_init__(self) -> None:
        lengths: dict[str, int] = {}
        for name, values in self._given().items():
            flat = name not in {"score", "cohorts", "features", "categories"}
            if values.ndim != 1 and (flat or values.ndim != 2):  # noqa: PLR2004 - a table
                raise BadInput(f"{name} has shape {values.shape}.", fix="pass one entry per row.")
            if values.ndim == 1 and not flat and name != "score":
                raise BadInput(
                    f"{name} has shape {values.shape}.", fix=f"pass {name} as a table of rows."
                )
            lengths[name] = len(values)
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{n} {k}" for k, n in lengths.items())
            raise BadInput(f"the arrays differ in length: {told}.", fix="pass one entry per row.")
        if self.weight is not None:
            checked_weights(self.weight)

    def _given(self) -> dict[str, Array]:
        named = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: np.asarray(v) for name, v in named.items() if v is not None}

    @property
    def n(self) -> int:
        """Number of rows."""
        return next((len(v) for v in self._given().values()), 0)

    @property
    def weights(self) -> Floats:
        """One weight per row, 1 where none was given."""
        return np.ones(self.n) if self.weight is None else checked_weights(self.weight)

    @property
    def n_effective(self) -> float:
        """The equally weighted rows that say as much."""
        return n_effective(self.weights)

    def rows(self, keep: NDArray[np.bool_]) -> Answered:
        """Keep some rows."""
        return replace(self, **{name: v[keep] for name, v in self._given().items()})

    def with_weight(self) -> Answered:
        """Keep the rows that have weight."""
        keep = self.weights > 0
        return self if keep.all() else self.rows(keep)

    def enough(self, least: int) -> None:
        """Refuse fewer rows than ``least``, counted in equally weighted ones."""
        if self.n_effective < least:
            raise BadInput(
                f"the reference has {self.n_effective:.0f} effective rows, fewer than {least}.",
                fix=f"take a longer reference, of {least} rows or more.",
            )

    def right(self, window: str) -> Floats:
        """Say of each row whether its output is its label."""
        label, output = self.column("label", window), self.column("output", window)
        if len(label) and isinstance(label[0], str) != isinstance(output[0], str):
            raise BadInput(
                f"label {label[0]!r} and output {output[0]!r} of the {window} are not of one kind.",
                fix="make both text or both numbers.",
            )
        return np.asarray(label == output, dtype=np.float64)

    def column(self, name: str, window: str) -> Array:
        """Return an array that must be there, with nothing missing in it.

        Raises
        ------
        BadInput
            If it is absent, or an entry is missing or infinite.
        """
        values = getattr(self, name)
        if values is None:
            raise BadInput(f"the {window} has no {name}.", fix=f"pass {name} for every row.")
        known = np.asarray(values)
        bad = _missing(known)
        if bad:
            raise BadInput(
                f"{bad} of {known.shape[0]} rows of the {window} have a {name} that is missing "
                "or infinite.",
                fix=f"mend the {name}, or give those rows weight 0.",
            )
        return known


def _missing(values: Array) -> int:
    """Count the rows with a value that is missing or infinite."""
    if values.dtype.kind == "O":
        odd = np.array([v is None or v != v for v in values.flat], dtype=bool)  # noqa: PLR0124
        bad = odd.reshape(values.shape)
    elif values.dtype.kind == "f":
        bad = ~np.isfinite(values)
    elif values.dtype.kind in "mM":
        bad = np.isnat(values)
    else:
        return 0
    return int((bad if bad.ndim == 1 else bad.any(axis=1)).sum())
