"""How many of the texts of a column are numbers: a few bad cells make no column of numbers text."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

FEW = 0.05
"""The share of values that may be no number in a column of numbers."""
_PLAIN = r"^[ \t]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t]*$"


@dataclass
class Numerals:
    """How many texts there were, how many of them are no number, and the first of those.

    Examples
    --------
    >>> column = Numerals()
    >>> column.see(pa.array(["1", "2.5", "far", None]))
    >>> column.total, column.odd, column.first, column.few
    (3, 1, 'far', False)
    """

    total: int = 0
    odd: int = 0
    first: str | None = None

    def see(self, texts: pa.Array | pa.ChunkedArray) -> None:
        """Count some more; a missing one is none."""
        texts = texts.drop_null()
        self.total += len(texts)
        rest = texts.filter(pc.invert(pc.match_substring_regex(texts, _PLAIN)))
        counts = rest.value_counts()
        for text, n in zip(
            counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True
        ):
            if not is_number(text):
                self.note(text, n)

    def note(self, text: str, n: int) -> None:
        """Count a text that is no number, which was counted in the total."""
        self.odd += n
        self.first = text if self.first is None else self.first

    @property
    def few(self) -> bool:
        """Whether there are some that are no numbers, and few."""
        return 0 < self.odd <= FEW * self.total


def is_number(text: str) -> bool:
    """Tell whether Python reads a text as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
