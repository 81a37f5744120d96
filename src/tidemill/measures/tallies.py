"""What every tally of a column must be: whole numbers, none negative, none subtracted twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput


def whole(values: Any, kind: type) -> NDArray[Any]:
    """Copy whole numbers into an array nobody can change."""
    found = np.array(values, dtype=kind)
    found.flags.writeable = False
    return found


def not_negative(owner: Any, names: Sequence[str]) -> None:
    """Refuse a tally below 0."""
    for name in names:
        value = getattr(owner, name)
        if value < 0:
            raise BadInput(f"{name} is {value}.", fix="count rows: 0 or more.")


def not_among() -> BadInput:
    """Build the error for taking away what was never there."""
    return BadInput(
        "what is taken away was not part of the whole.", fix="subtract only what was merged."
    )
