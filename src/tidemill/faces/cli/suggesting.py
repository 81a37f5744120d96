"""``tidemill strategy suggest``: rules of data quality, from the project's own records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console

from tidemill.core.ports import Json
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, count, table

if TYPE_CHECKING:
    from tidemill.monitoring.quality import Suggestion
    from tidemill.project import Mill

MOST_ROWS = 1_000_000
"""Rules of counts need every record, so a time with more than these must be made shorter."""


def suggest(*, last: str = "60d", alpha: float = 0.01, options: Options = USUAL) -> Exit:
    """Suggest data quality rules from the records there are, proven on later days of them.

    Each rule is learnt on the earlier half of the days and tried on the later half, by the very
    expression that a turn measures; it is offered only if it would have alarmed on no more of
    these days than alpha allows. It changes nothing: paste what you like into strategy.py.

    Parameters
    ----------
    last
        How far back, from the newest record.
    alpha
        How likely a rule may alarm on a day without any change.
    """
    with options.open() as mill:
        document = _suggested(mill, last, alpha)
    answer(document, options, lambda out: _show(out, document))
    return Exit.DONE


def _suggested(mill: Mill, last: str, alpha: float) -> Json:
    from tidemill.core.errors import BadValue
    from tidemill.monitoring.quality import suggest as suggested
    from tidemill.strategy.watching.past import Past

    past = Past.of(mill.world, mill.strategy)
    since = past.since(last)
    rows = past.view.records(since=since, until=past.until)
    n = past.view.arrow(rows.count().as_table()).column(0)[0].as_py()
    if n > MOST_ROWS:
        days = (past.until - since).days * MOST_ROWS // n
        raise BadValue(f"--last {last} holds {n:,} records.", fix=f"give --last {max(14, days)}d.")
    found = suggested(past.view.arrow(rows), mill.world.engine, alpha=alpha)
    monitoring = mill.strategy.monitoring
    watched = () if monitoring is None else tuple(w.signal for w in monitoring.signals)
    offered = [_rule(one, watched) for one in found.offered]
    return {
        "since": since.isoformat(),
        "until": past.until.isoformat(),
        "records": n,
        "alpha": alpha,
        "offered": offered,
        "refused": [_rule(one, watched) for one in found.refused],
        "source": _source(offered, monitored=monitoring is not None),
    }


def _rule(one: Suggestion, watched: tuple[Any, ...]) -> Json:
    from tidemill.monitoring.quality.suggest import written

    rule: Any = one.rule
    asks = (type(rule), getattr(rule, "column", ""))
    return {
        "rule": written(rule),
        "name": type(rule).__name__,
        "column": getattr(rule, "column", ""),
        "why": " ".join(one.why.split()),
        "days": one.days,
        "false_alarms": one.false_alarms,
        "rate_below": one.rate_below,
        "watched": any((type(w), getattr(w, "column", "")) == asks for w in watched),
    }


def _source(offered: list[Json], *, monitored: bool) -> str:
    """Write what to paste: what is new, under why, and what to import for it."""
    new = [one for one in offered if not one["watched"]]
    if not new:
        return ""
    names = sorted({one["name"] for one in new} | (set() if monitored else {"Monitoring"}))
    lines = [f"from tidemill import {', '.join(names)}", "", "monitoring=Monitoring(signals=["]
    for one in new:
        lines += [f"    # {one['why']}", f"    {one['rule']},"]
    return "\n".join([*lines, "]),", ""])


def _show(out: Console, found: Json) -> None:
    span = f"{found['since'][:10]} to {found['until'][:10]}"
    new = [one for one in found["offered"] if not one["watched"]]
    known = len(found["offered"]) - len(new)
    out.print(f"{count(found['records'], 'record')} from {span}.", soft_wrap=True)
    if known:
        out.print(f"{count(known, 'rule')} of these are watched already.", soft_wrap=True)
    if new:
        out.print(f"\n{count(len(new), 'rule')} held on later days; paste into strategy.py:\n")
        out.print(found["source"], soft_wrap=True)
        out.print(
            "All that may page share the budget: take those you would act upon, and put the "
            "others in Watch(..., alerting=False).\n",
            soft_wrap=True,
        )
    else:
        out.print("No new rule held on later days.")
    if found["refused"]:
        out.print("Not offered:", style="bold")
        rows = [(one["rule"], one["why"]) for one in found["refused"]]
        out.print(table(("rule", "why not"), rows))
