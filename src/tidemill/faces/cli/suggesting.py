"""``tidemill strategy suggest``: rules of data quality, from the project's own records."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console

from tidemill.core.ports import Json
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, count, table

if TYPE_CHECKING:
    from tidemill.monitoring.quality import Suggestion
    from tidemill.monitoring.quality.ranking import Use
    from tidemill.project import Mill

MOST_ROWS = 1_000_000
"""Rules of counts need every record, so a time with more than these must be made shorter."""


SHOWN = 10
"""Rules shown to a person who did not ask for all."""


def suggest(
    *,
    last: str = "60d",
    alpha: float = 0.01,
    all_: Annotated[bool, Parameter(name="--all", negative=(), show_default=False)] = False,
    options: Options = USUAL,
) -> Exit:
    """Suggest data quality rules from the records there are, proven on later days of them.

    Each rule is learnt on the earlier half of the days and tried on the later half, by the very
    expression that a turn measures; it is offered only if it would have alarmed on no more of
    these days than alpha allows. First come those that would have fired on past days that were
    bad for users (incidents of outcomes or performance), then the most valuable kinds, and of a
    kind those that find the smallest trouble. Nothing is changed: paste what you like.

    Parameters
    ----------
    last
        How far back, from the newest record.
    alpha
        How likely a rule may alarm on a day without any change.
    all_
        Show every rule, and those that are not offered.
    """
    with options.open() as mill:
        document = _suggested(mill, last, alpha)
    answer(document, options, lambda out: _show(out, document, options, every=all_))
    return Exit.DONE


def _suggested(mill: Mill, last: str, alpha: float) -> Json:
    from tidemill.core.errors import BadValue
    from tidemill.monitoring.quality import suggest as suggested
    from tidemill.monitoring.quality.ranking import ranked
    from tidemill.strategy.watching.past import Past
    from tidemill.strategy.watching.proving import uses

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
    rules = [one.rule for one in found.offered]
    half = since + (past.until - since) / 2
    used = uses(mill.world, past, rules, learnt=(since, half), alpha=alpha)
    order = ranked(rules, used)
    offered = [
        _rule(found.offered[k], watched) | {"rank": n, "use": _use(used[k])}
        for n, k in enumerate(order, start=1)
    ]
    bad = max((one.trouble for one in used), default=0)
    return {
        "since": since.isoformat(),
        "until": past.until.isoformat(),
        "records": n,
        "alpha": alpha,
        "bad_days": bad,
        "offered": offered,
        "refused": [_rule(one, watched) for one in found.refused],
        "monitored": monitoring is not None,
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


def _use(one: Use) -> Json:
    names = ("caught", "trouble", "elsewhere", "others")
    smallest = one.smallest if math.isfinite(one.smallest) else None
    return {**{name: getattr(one, name) for name in names}, "smallest": smallest}


def _source(offered: list[Json], *, monitored: bool) -> str:
    """Write what to paste: what is new, under why, and what to import for it."""
    new = [one for one in offered if not one["watched"]]
    if not new:
        return ""
    names = sorted({one["name"] for one in new} | (set() if monitored else {"Monitoring"}))
    lines = [f"from tidemill import {', '.join(names)}", "", "monitoring=Monitoring(signals=["]
    for column in dict.fromkeys(one["column"] for one in new):
        lines.append(f"    # --- {column or 'whole rows'}")
        for one in new:
            if one["column"] == column:
                lines += [f"    # {one['rank']}. {one['why']}", f"    {one['rule']},"]
    return "\n".join([*lines, "]),", ""])


def _show(out: Console, found: Json, options: Options, *, every: bool) -> None:
    span = f"{found['since'][:10]} to {found['until'][:10]}"
    new = [one for one in found["offered"] if not one["watched"]]
    known = len(found["offered"]) - len(new)
    out.print(f"{count(found['records'], 'record')} from {span}.", soft_wrap=True)
    if known:
        out.print(f"{count(known, 'rule')} of these are watched already.", soft_wrap=True)
    if new:
        _show_new(out, found, new if every else new[:SHOWN])
    else:
        out.print("No new rule held on later days.")
    hidden = 0 if every else max(0, len(new) - SHOWN)
    if found["refused"] and every:
        out.print("Not offered:", style="bold")
        rows = [(one["rule"], one["why"]) for one in found["refused"]]
        out.print(table(("rule", "why not"), rows))
    elif hidden or found["refused"]:
        more = [f"{count(hidden, 'rule')} more held"] if hidden else []
        more += [f"{count(len(found['refused']), 'rule')} did not"] if found["refused"] else []
        look = options.command("strategy suggest --all")
        out.print(f"{', '.join(more).capitalize()}: {look}", soft_wrap=True)


def _show_new(out: Console, found: Json, shown: list[Json]) -> None:
    """Print the rules to take first, why in this order, and as lines to paste."""
    by = "the best of each kind, which finds the smallest trouble, then the next best"
    if found["bad_days"]:
        by = f"those that caught any of {count(found['bad_days'], 'past bad day')}, then {by}"
    out.print(f"\nThe {count(len(shown), 'rule')} to take first: {by}.\n", soft_wrap=True)
    rows = [
        (one["rank"], one["column"] or "whole rows", one["name"], _caught(one["use"]), _least(one))
        for one in shown
    ]
    heads = ("rank", "column", "rule", "bad days caught", "finds from")
    out.print(table(heads, rows, right=("rank", "finds from")))
    out.print("\nPaste into strategy.py what you would act upon:\n")
    out.print(_source(shown, monitored=found["monitored"]), soft_wrap=True)
    out.print(
        "All that may page share the budget: put what is for questions only in "
        "Watch(..., alerting=False).\n",
        soft_wrap=True,
    )


def _caught(use: Json) -> str:
    """Say how often a rule would have fired on bad days and on others.

    Examples
    --------
    >>> _caught({"caught": 2, "trouble": 5, "elsewhere": 1, "others": 300})
    '2 of 5, and 1 of 300 others'
    """
    if not use["trouble"]:
        return "no bad day yet"
    return f"{use['caught']} of {use['trouble']}, and {use['elsewhere']} of {use['others']} others"


def _least(one: Json) -> str | None:
    """Say from which share of broken rows a rule fires on a usual day."""
    smallest = one["use"]["smallest"]
    return None if smallest is None else f"{smallest:.2%} of rows"
