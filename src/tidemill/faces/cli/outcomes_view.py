"""``tidemill metrics --against``: the standing view of what a better model does for users."""

from __future__ import annotations

from rich.console import Console

from tidemill.core.ports import Json
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import Options
from tidemill.faces.cli.printing import answer, table


def against(metric: str, outcome: str, options: Options) -> Exit:
    """Say of each metric and outcome whether a better one is felt in the other."""
    from tidemill.strategy.watching.standing_view import standing

    with options.open() as mill:
        document = standing(mill.world, mill.strategy, metric=metric, outcome=outcome)
    answer(document, options, lambda out: _show(out, document))
    return Exit.DONE


def _show(out: Console, found: Json) -> None:
    rows = [(one["metric"], one["outcome"], one["said"], one["why"]) for one in found["pairs"]]
    out.print(table(("metric", "outcome", "felt", "why"), rows))
    for text in dict.fromkeys(one["note"] for one in found["pairs"] if one["note"]):
        out.print(f"note: {text}", soft_wrap=True)
    out.print(
        f"\nChanges from window to window, without the season; intervals of "
        f"{found['confidence']:.1%}. What moves both at once looks the same.",
        soft_wrap=True,
    )
