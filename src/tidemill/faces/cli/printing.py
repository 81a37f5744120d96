"""How answers are printed: tables for people, one JSON document for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from tidemill.faces.cli.options import Options

if TYPE_CHECKING:  # ports loads Ibis
    from tidemill.core.ports import Json

Show = Callable[[Console], None]


def answer(document: Json, options: Options, show: Show) -> None:
    """Print a document as JSON, or let ``show`` print it for people."""
    if options.json:
        print(json.dumps(document, ensure_ascii=False, allow_nan=False, default=str))
    else:
        show(out())


class _Out(Console):
    """A console that leaves it to ``main`` what a closed pipe means."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def out() -> Console:
    """Return standard output; what users wrote is never taken for markup."""
    return _Out(markup=False, highlight=False, emoji=False)


def err() -> Console:
    """Return standard error, for what is not the answer."""
    return Console(stderr=True, markup=False, highlight=False, emoji=False)


def note(text: str) -> None:
    """Tell something that is not the answer, on standard error."""
    print(text, file=sys.stderr)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], right: Collection[str] = ()
) -> Table:
    """Make a table; ``right`` are the columns of numbers."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for name in columns:
        is_number = name in right
        made.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        made.add_row(*("-" if v is None or v == "" else str(v) for v in row))
    return made


def facts(rows: Iterable[tuple[str, object]]) -> Table:
    """Make a table of names and values without a heading."""
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        if value not in (None, ""):
            made.add_row(name, str(value))
    return made


def at(text: str | datetime | None) -> str:
    """Write a moment as people read it, in UTC.

    Examples
    --------
    >>> at("2013-01-07T06:00:00+00:00")
    '2013-01-07 06:00 UTC'
    """
    if text is None:
        return "-"
    moment = datetime.fromisoformat(text) if isinstance(text, str) else text
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def count(n: int, one: str, many: str = "") -> str:
    """Write a number with its noun.

    Examples
    --------
    >>> count(1, "row"), count(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"
