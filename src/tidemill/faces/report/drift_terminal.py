"""What drifted, in the terminal: readable at 80 columns, without colour, the worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tidemill.faces.report.numbers import NOTHING, count, day
from tidemill.faces.report.printed import WIDE, facts, plain

if TYPE_CHECKING:  # ports loads Ibis
    from tidemill.core.ports import Json

SHOWN = 30
"""Columns that are OK are named in one line from this many rows on."""
_STYLES = {"ALERT": "red", "WARN": "yellow", "NO_VERDICT": "yellow", "OK": "green"}
_NAMED = 12


def lines(found: Json, *, width: int = WIDE) -> list[RenderableType]:
    """Make what is printed of a comparison: the table, and last the conclusion.

    Parameters
    ----------
    found
        The document that ``Drift.to_dict()`` returns.
    width
        Columns of the terminal.
    """
    rows = found["columns"]
    shown = [r for k, r in enumerate(rows) if r["verdict"] != "OK" or k < SHOWN]
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    made.add_column("verdict", no_wrap=True)
    made.add_column("column", overflow="fold", min_width=8, max_width=max(12, width // 4))
    made.add_column("what changed", overflow="fold", ratio=1)
    made.add_column("distance", no_wrap=True)
    made.add_column("rows", justify="right", no_wrap=True)
    for row in shown:
        made.add_row(*_cells(row, width))
    rest = [r["column"] for r in rows[len(shown) :]]
    more: list[RenderableType] = []
    if rest:
        named = ", ".join(rest[:_NAMED]) + (", ..." if len(rest) > _NAMED else "")
        more = [Text(f"and {count(len(rest))} more that are OK: {named}", style="dim")]
    return [
        facts((name, side(found[name])) for name in ("reference", "current")),
        Text(""),
        made,
        *more,
        Text(""),
        *(Text(line, style="bold" if k == 0 else "") for k, line in enumerate(found["conclusion"])),
    ]


def text(found: Json, *, width: int = WIDE) -> str:
    """Return what is printed as plain text, without colour."""
    return plain(lines(found, width=width), width=width)


def side(window: Json) -> str:
    """Say what a window is.

    Examples
    --------
    >>> side({"name": "a.parquet", "rows": 1200, "days": 0, "start": None, "end": None})
    'a.parquet: 1,200 rows'
    """
    said = f"{window['name']}: {count(window['rows'])} rows"
    if window["days"]:
        said += f" of {count(window['days'])} days from {day(window['start'])}"
    return said


def size(row: Json) -> tuple[str, str]:
    """Write how large a change is, and its interval, in the unit of its distance.

    Examples
    --------
    >>> size({"distance": "earth mover's distance in robust sd", "value": 0.312, "low": 0.3, "high": 0.33})
    ('0.31 sd', '[0.30, 0.33]')
    >>> size({"distance": "total variation, share of rows", "value": 0.08, "low": None, "high": None})
    ('8.0 %', '')
    """
    if row["value"] is None:
        return "", ""
    in_sd = row["distance"].endswith("sd")
    scale, digits, unit = (1, 2, "sd") if in_sd else (100, 1, "%")
    value = f"{row['value'] * scale:.{digits}f} {unit}"
    if row["low"] is None or row["high"] is None:
        return value, ""
    return value, f"[{row['low'] * scale:.{digits}f}, {row['high'] * scale:.{digits}f}]"


def said(row: Json) -> str:
    """Say what changed in a column, or why that cannot be said."""
    if row["verdict"] == "NO_VERDICT":
        return row["why"]
    return row["words"] or row["why"]


def _cells(row: Json, width: int) -> list[Text]:
    value, interval = size(row)
    gap = " " if width >= WIDE else "\n"
    distance = f"{value}{gap}{interval}" if interval else value
    share = "" if row["share"] is None else f"{100 * row['share']:.1f} %"
    style = _STYLES[row["verdict"]]
    words = Text(said(row), style="dim" if row["verdict"] in {"OK", "NO_VERDICT"} else "")
    return [
        Text(row["verdict"], style=style),
        Text(row["column"]),
        words,
        Text(distance or NOTHING),
        Text(share or NOTHING),
    ]
