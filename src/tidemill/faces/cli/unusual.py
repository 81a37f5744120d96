"""``tidemill alerts unusual``: where a base window is most unlike the usual ones."""

from __future__ import annotations

import shlex

from rich.console import Console

from tidemill.core.ports import Json
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, count, table


def unusual(*, window: str | None = None, alpha: float = 0.01, options: Options = USUAL) -> Exit:
    """Say whether a base window is unlike those before it, by all features at once, and where.

    Nothing has to be watched for it: it finds what nobody thought of. Ends with 4 when it is.

    Parameters
    ----------
    window
        When the window begins, such as 2013-03-08; the last one that is over if left out.
    alpha
        How likely a false ALERT may be.
    """
    from tidemill.core.clock import instant
    from tidemill.strategy.watching.unusual_window import unusual_window

    at = None if window is None else instant(window)
    with options.open() as mill:
        document = unusual_window(mill.world, mill.strategy, window=at, alpha=alpha)
    answer(document, options, lambda out: _show(out, document, options))
    return Exit.PROBLEMS if document["verdict"] == "ALERT" else Exit.DONE


def _show(out: Console, found: Json, options: Options) -> None:
    at = found["window"][:16].replace("T", " ")
    out.print(f"{at}: {found['verdict']}", style="bold")
    compared = found["compared"]
    span = ""
    if compared["first"]:
        span = f", {compared['first'][:10]} to {compared['last'][:10]}"
    out.print(
        f"{count(found['rows'], 'record')} against {compared['windows']} usual windows "
        f"({compared['of']}{span}).",
        soft_wrap=True,
    )
    out.print(f"{found['why']}.", soft_wrap=True)
    if found["regions"]:
        out.print("\nWhere it is most unlike them:")
        rows = [
            (one["where"], f"{one['now']:.1%}", f"{one['usual']:.1%}", f"{one['highest']:.1%}")
            for one in found["regions"]
        ]
        heads = ("records with", "in it", "usually", "at most before")
        out.print(table(heads, rows, right=heads[1:]))
    if found["always"]:
        names = ", ".join(found["always"])
        out.print(f"\nNot asked, as they tell any two windows apart: {names}", soft_wrap=True)
    for one in found["left_out"]:
        out.print(f"Not asked: {one['column']}, {one['why']}", soft_wrap=True)
    if found["verdict"] == "ALERT" and found["regions"]:
        where = shlex.quote(found["regions"][0]["condition"])
        line = options.command(f"cohorts add NAME --where {where}")
        out.print(f"\nTo watch these records from now on: {line}", soft_wrap=True)
