"""What reports share in the terminal: facts in two columns, and all of it as plain text."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

WIDE = 100
"""From this width on an interval stands beside its value instead of below it."""


def facts(rows: Iterable[tuple[str, str]], *, style: str = "dim") -> Table:
    """Put words of a style in front of lines that may wrap."""
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(no_wrap=True, style=style)
    made.add_column(overflow="fold")
    for name, line in rows:
        made.add_row(name, Text(line))
    return made


def plain(lines: Iterable[RenderableType], *, width: int) -> str:
    """Return what is printed as plain text, without colour.

    Examples
    --------
    >>> print(plain([facts([("read", "a.parquet"), ("rows", "1,200")])], width=40), end="")
    read  a.parquet
    rows  1,200
    """
    file = io.StringIO()
    console = Console(
        file=file, width=width, no_color=True, markup=False, highlight=False, emoji=False
    )
    for line in lines:
        console.print(line)
    return "\n".join(row.rstrip() for row in file.getvalue().splitlines()) + "\n"
