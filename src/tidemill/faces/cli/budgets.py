"""``tidemill alerts budget``: what would have been paged on the project's own past."""

from __future__ import annotations

from rich.console import Console

from tidemill.core.ports import Json
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, table

SHOWN = 20
"""Signals shown to a person; the rest paged least."""


def budget(
    *, pages: float | None = None, last: str | None = None, options: Options = USUAL
) -> Exit:
    """Say how often the rules would have paged in the past, and at another budget.

    Parameters
    ----------
    pages
        False incidents in 30 days, at most, on average: shown beside the strategy's own.
    last
        How far back; all there is if left out.
    """
    from tidemill.core.errors import BadValue
    from tidemill.strategy.watching.budgeting import budgets

    if pages is not None and not 0 < pages <= 100:  # noqa: PLR2004 - the limits of Monitoring
        raise BadValue(
            f"--pages {pages:g} must be above 0 and at most 100.", fix="pass such a number."
        )
    with options.open() as mill:
        document = budgets(mill.world, mill.strategy, pages=pages, last=last)
    answer(document, options, lambda out: _show(out, document, options))
    return Exit.DONE


def _show(out: Console, found: Json, options: Options) -> None:
    for one in found["budgets"]:
        out.print(said(one, found["days"]), soft_wrap=True)
    for text in found["notes"]:
        out.print(f"note: {text}", soft_wrap=True)
    paged = [s for s in found["signals"] if any(s["incidents"])]
    if paged:
        out.print()
        heads = [f"incidents, pages={b['pages']:g}" for b in found["budgets"]]
        columns = ("signal", "judged", *heads)
        rows = [(one["signal"], one["judged"], *_cells(one)) for one in paged[:SHOWN]]
        out.print(table(columns, rows, right=columns[1:]))
        if len(paged) > SHOWN:
            out.print(f"and {len(paged) - SHOWN} more: --json")
    if len(found["budgets"]) == 1:
        out.print(f"\nNext: {options.command('alerts budget --pages 0.5')}", soft_wrap=True)


def _cells(one: Json) -> list[str]:
    """Write how many incidents each budget would have made, and how many a month."""
    return [
        f"{n}" if r is None else f"{n} ({r:.2g} a month)"
        for n, r in zip(one["incidents"], one["per_month"], strict=True)
    ]


def said(one: Json, days: float) -> str:
    """Say what a budget would have paged.

    Examples
    --------
    >>> said({"pages": 1.0, "paged": 3, "per_month": 1.5, "low": 0.3, "high": 4.4}, 60.0)
    'With pages=1: 3 pages in 60 days, 1.5 a month (0.3 to 4.4), where 1 a month may be false.'
    """
    many = "1 page" if one["paged"] == 1 else f"{one['paged']} pages"
    if one["per_month"] is None:
        return f"With pages={one['pages']:g}: nothing could be judged."
    rate = f"{one['per_month']:.2g} a month ({one['low']:.2g} to {one['high']:.2g})"
    return (
        f"With pages={one['pages']:g}: {many} in {days:g} days, {rate}, "
        f"where {one['pages']:g} a month may be false."
    )
