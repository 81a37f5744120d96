"""The colours of the charts: plain ones for a notebook, the page's own variables on the page."""

from __future__ import annotations

from dataclasses import dataclass

from tidemill.core.ports import Json
from tidemill.faces.report.standings import is_hindsight

FONT = "Inter, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Helvetica, Arial, sans-serif"
_DASHES = ((2, 2), (6, 3), (1, 3), (8, 3, 2, 3), (4, 4))
_SOLID = (1, 0)


@dataclass(frozen=True)
class Look:
    """What the charts are painted with.

    Parameters
    ----------
    ink, quiet, hair
        Words, quieter words, lines of the grid.
    strategies
        Colours of the strategies that were asked for, taken in turn.
    behind, ahead
        The areas where a strategy is worse and better than what it is compared with.
    waiting
        What fills the windows whose labels are still coming.
    paper
        What the chart is drawn on.
    usual
        What a reference is filled with.
    """

    ink: str = "#171a21"
    quiet: str = "#5b6472"
    hair: str = "#e3e7ee"
    strategies: tuple[str, ...] = (
        "#1d4fd7",
        "#b45309",
        "#0f766e",
        "#9333b8",
        "#be185d",
        "#4d7c0f",
    )
    behind: str = "#d93f21"
    ahead: str = "#2f9e6b"
    waiting: str = "#e9edf3"
    paper: str = "#ffffff"
    usual: str = "#c6cedb"


LIGHT = Look()
PAGE = Look(
    ink="var(--ink)",
    quiet="var(--quiet)",
    hair="var(--hair)",
    strategies=tuple(f"var(--s{n})" for n in range(1, 7)),
    behind="var(--behind)",
    ahead="var(--ahead)",
    waiting="url(#hatch)",
    paper="transparent",
    usual="var(--usual)",
)
"""On the page a colour is a variable of its style sheet, so dark mode repaints nothing."""


@dataclass(frozen=True)
class Line:
    """How the line of a strategy is drawn."""

    colour: str
    width: float
    dash: tuple[int, ...]


def drawn(backtest: Json, look: Look) -> dict[str, Line]:
    """Give each strategy its line: asked ones in colour, yours in ink, references dashed grey."""
    found: dict[str, Line] = {}
    asked = others = 0
    for strategy in backtest["strategies"]:
        if strategy["kind"] == "asked":
            line = Line(look.strategies[asked % len(look.strategies)], 2, _SOLID)
            asked += 1
        elif strategy["kind"] == "yours":
            line = Line(look.ink, 2.4, _SOLID)
        elif is_hindsight(strategy):
            line = Line(look.quiet, 1.6, _SOLID)
        else:
            line = Line(look.quiet, 1.3, _DASHES[others % len(_DASHES)])
            others += 1
        found[strategy["name"]] = line
    return found
