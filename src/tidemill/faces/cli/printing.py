"""How answers are printed: tables for people, one JSON document for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table

from tidemill.core.printable import printable, printable_json
from tidemill.faces.cli.options import Options

if TYPE_CHECKING:  # ports loads Ibis
    from tidemill.core.ports import Json

Show = Callable[[Console], None]


def answer(document: Json, options: Options, show: Show) -> None:
    """Print a document as JSON, or let ``show`` print it for people."""
    if options.json:
        print(as_json(document))
    else:
        show(out())


def as_json(document: Json) -> str:
    """Write a document on one line that a terminal may be given."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, default=str)
    return printable_json(text)


class _Out(Console):
    """A console that shows control characters, and leaves to ``main`` what a closed pipe means."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else printable(segment.text)
            yield segment if text == segment.text else Segment(text, segment.style)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def out() -> Console:
    """Return standard output; what users wrote is never taken for markup."""
    return _Out(markup=False, highlight=False, emoji=False)


def err() -> Console:
    """Return standard error, for what is not the answer."""
    return _Out(stderr=True, markup=False, highlight=False, emoji=False)


def note(text: str) -> None:
    """Tell something that is not the answer, on standard error."""
    print(printable(text), file=sys.stderr)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], right: Collection[str] = ()
) -> Table:
    """Make a table; ``right`` are the columns of numbers."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for name in columns:
        is_number = name in right
        made.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        made.add_row(*("-" if v is None or v == "" else printable(str(v)) for v in row))
    return made


def facts(rows: Iterable[tuple[str, object]]) -> Table:
    """Make a table of names and values without a heading."""
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        if value not in (None, ""):
            made.add_row(name, printable(str(value)))
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
