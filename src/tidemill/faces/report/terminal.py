"""A backtest in the terminal: readable at 80 columns, without colour, from top to bottom."""

from __future__ import annotations

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tidemill.core.ports import Json
from tidemill.faces.report.printed import WIDE, facts, plain
from tidemill.faces.report.standings import (
    Standing,
    baseline,
    currency,
    future,
    model,
    spent,
    standings,
    understood,
    yearly,
)

_VERDICTS = {"BETTER": "green", "WORSE": "red", "SAME": "", "NO_VERDICT": "yellow", "": ""}


def lines(backtest: Json, *, width: int = WIDE) -> list[RenderableType]:
    """Make what is printed of a backtest, from the first line to the conclusion.

    Parameters
    ----------
    backtest
        The document that ``Backtest.to_dict()`` returns.
    width
        Columns of the terminal.

    Returns
    -------
    list of renderables
        To be printed by rich one after the other; names in them are never taken for markup.

    Notes
    -----
    The conclusion comes last because in a terminal the last lines are what stays in sight.
    """
    return [
        Text(model(backtest), style="bold"),
        Text(""),
        *_understanding(backtest),
        *_totals(backtest, width),
        *_notes(backtest),
        *_future(backtest),
        *_validity(backtest),
        *_section("Conclusion", [Text(line) for line in backtest["conclusion"]]),
    ]


def text(backtest: Json, *, width: int = WIDE) -> str:
    """Return what is printed as plain text, without colour."""
    return plain(lines(backtest, width=width), width=width)


def _understanding(backtest: Json) -> list[RenderableType]:
    history = backtest["history"]
    return [
        facts([("read", backtest["title"]), *understood(backtest)]),
        *(facts([("ASSUMED", line)], style="yellow") for line in history["assumed"]),
        *(facts([("WARNING", line)], style="red") for line in history["warnings"]),
    ]


def _totals(backtest: Json, width: int) -> list[RenderableType]:
    money, against = currency(backtest), baseline(backtest)
    rows = list(standings(backtest))
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    made.padding = (0, 1 if width >= WIDE else 0, 0, 0)
    made.add_column("strategy", overflow="fold", min_width=10)
    made.add_column(backtest["metric"]["words"], justify="right", overflow="fold")
    made.add_column(f"against {against}" if against else "gain", no_wrap=True)
    for name in ("retrains", "labels", "fit s", *([money] if money else ())):
        made.add_column(name, justify="right", overflow="fold")
    made.add_column("verdict", no_wrap=True)
    asked = [row for row in rows if row.kind in {"asked", "yours"}]
    for row in asked:
        made.add_row(*_cells(row, width, money=bool(money)))
    made.add_section()
    for row in rows:
        if row not in asked:
            made.add_row(*_cells(row, width, money=bool(money)), style="dim")
    return [Text(""), made, *_below(rows)]


def _below(rows: list[Standing]) -> list[RenderableType]:
    """Say under the table what its marks mean."""
    if all(row.kind in {"asked", "yours"} for row in rows):
        return []
    told = ["~ for reference, not a strategy you asked for"]
    told += [f"~ {row.name}: {row.mark}" for row in rows if row.kind == "reference" and row.mark]
    return [Text(line, style="dim") for line in ("", *told)]


def _cells(row: Standing, width: int, *, money: bool) -> list[Text]:
    is_reference = row.kind not in {"asked", "yours"}
    name = Text(f"~ {row.name}" if is_reference else row.name)
    if row.short:
        name.append(f"\n  {row.short}")
    gap = " " if width >= WIDE else "\n"
    gain = f"{row.gain}{gap}{row.interval}" if row.interval else row.gain
    spent_on = [row.retrains, row.labels, row.seconds, *([row.cost] if money else [])]
    verdict = Text(row.verdict, style=_VERDICTS.get(row.verdict, ""))
    return [name, Text(row.value), Text(gain), *map(Text, spent_on), verdict]


def _notes(backtest: Json) -> list[RenderableType]:
    rows = [f"{s['name']}: {note}" for s in backtest["strategies"] for note in s["notes"]]
    hindsight = backtest["hindsight"]
    if hindsight is not None:
        rows.append(f"hindsight: {hindsight['words']}")
    return _section("Notes", [Text(row) for row in rows])


def _future(backtest: Json) -> list[RenderableType]:
    rows: list[RenderableType] = []
    for row in backtest["comparisons"]:
        rows.append(Text(f"{row['name']} against {row['against']}: {future(row)}"))
        if worth := yearly(row):
            rows.append(Text(f"{row['name']} is worth {worth}"))
    return _section("In periods like these", rows)


def _validity(backtest: Json) -> list[RenderableType]:
    rows: list[RenderableType] = []
    for row in backtest["validity"]:
        rows.extend(
            [
                Text(f"{row['question']} {row['answer']}"),
                Padding(Text(row["why"], style="dim"), (0, 0, 0, 2)),
            ]
        )
    return _section("Can it be trusted?", [*rows, Text(spent(backtest), style="dim")])


def _section(heading: str, rows: list[RenderableType]) -> list[RenderableType]:
    if not rows:
        return []
    return [Text(""), Text(heading, style="bold"), *(Padding(row, (0, 0, 0, 2)) for row in rows)]
