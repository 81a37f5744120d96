"""``tidemill alerts``: what is bad, since when, for whom, and the rows that show it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console

from tidemill.core.ports import Json
from tidemill.faces.cli.budgets import budget
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, at, count, facts, table
from tidemill.faces.cli.unusual import unusual

app = App(name="alerts", help="What is bad: list, show, close, silence, budget, unusual.")
app.command(budget)
app.command(unusual)


@app.command(name="list")
def list_(
    *,
    all_: Annotated[bool, Parameter(name="--all", negative=(), show_default=False)] = False,
    options: Options = USUAL,
) -> Exit:
    """List what is bad now, the newest first; ends with 4 when anything is.

    Parameters
    ----------
    all_
        List incidents that are over too.
    """
    from tidemill.strategy.watching.telling import incidents

    with options.open() as mill:
        found = incidents(mill.world, all_=all_)
    document = {"incidents": found}
    answer(document, options, lambda out: _list(out, found, options))
    return Exit.PROBLEMS if any(i["state"] == "open" for i in found) else Exit.DONE


def _list(out: Console, found: list[Json], options: Options) -> None:
    if not found:
        out.print("Nothing is bad.")
        return
    rows = [
        (i["id"], i["state"], at(i["onset"])[:10], who(i), f"{i['what']}: {i['why']}")
        for i in found
    ]
    out.print(table(("incident", "state", "since", "for", "what"), rows))
    out.print(f"\nNext: {options.command('alerts show ' + found[0]['id'])}", soft_wrap=True)


def who(incident: Json) -> str:
    """Say for whom something is bad.

    Examples
    --------
    >>> who({"cohorts": []}), who({"cohorts": ["from JFK"]})
    ('everybody', 'from JFK')
    """
    return ", ".join(incident["cohorts"]) or "everybody"


@app.command
def show(incident: str, /, *, options: Options = USUAL) -> Exit:
    """Show an incident: its columns, cohort and rows, since when, and what else happened then.

    Parameters
    ----------
    incident
        Its name, such as i3.
    """
    from tidemill.strategy.watching.telling import found_incident
    from tidemill.strategy.watching.telling import incident as described

    with options.open() as mill:
        found = described(found_incident(mill.world.state, incident))
    document = {**found, "next": _next(found, options)}
    answer(document, options, lambda out: _show(out, document))
    return Exit.DONE


def _next(found: Json, options: Options) -> list[str]:
    first = found["signals"][0]
    column = f" --column {first['column']}" if first["column"] else ""
    steps = [options.command(f"rows --incident {found['id']}")]
    steps.append(options.command(f"metrics {first['metric']}{column}"))
    if found["state"] == "open":
        steps.append(options.command(f"alerts close {found['id']} --why TEXT"))
    return steps


def _show(out: Console, found: Json) -> None:
    over = "still open"
    if found["closed"]:
        by = f"closed by {found['closed_by']}" if found["closed_by"] else "over since"
        over = f"{by} {at(found['closed'])}"
    ids = ", ".join(found["rows"])
    out.print(f"{found['id']}: {found['what']}: {found['why']}\n", style="bold", soft_wrap=True)
    out.print(
        facts(
            [
                ("since", f"{at(found['onset'])}; seen {at(found['opened'])}; {over}"),
                ("looks", looks(found["change"])),
                ("bad in", count(found["windows"] or 0, "base window")),
                ("for", who(found)),
                ("columns", ", ".join(found["columns"])),
                ("rows", ids),
            ]
        )
    )
    from tidemill.strategy.watching.telling import what

    heads = ("kind", "signal", "first bad", "why")
    rows = [(s["kind"], what(s), at(s["start"])[:10], s["why"]) for s in found["signals"]]
    out.print()
    out.print(table(heads, rows))
    if found["events"]:
        out.print("\nWhat else happened then:")
        for event in found["events"]:
            out.print(f"  {at(event['at'])}  {event['what']}", soft_wrap=True)
    out.print("\nNext:")
    for step in found["next"]:
        out.print(f"  {step}", soft_wrap=True)


def looks(change: Json | None) -> str:
    """Say which kind of change an incident looks like.

    Examples
    --------
    >>> looks({"kind": "sudden", "onset": "2013-02-08T00:00:00+00:00", "why": ""})
    'sudden, since 2013-02-08'
    >>> looks({"kind": "unknown", "onset": None, "why": "needs 14 values, has 3"})
    'unknown: needs 14 values, has 3'
    """
    if change is None:
        return "unknown: it was not looked at"
    if change["kind"] == "unknown":
        return f"unknown: {change['why']}"
    return change["kind"] + (f", since {at(change['onset'])[:10]}" if change["onset"] else "")


@app.command
def close(incident: str, /, *, why: str = "closed by hand", options: Options = USUAL) -> Exit:
    """Close an incident by hand; what is still bad at the next look opens a new one.

    Parameters
    ----------
    incident
        Its name, such as i3.
    why
        Why it is over.
    """
    from tidemill.project import default_user
    from tidemill.strategy.watching.telling import close as closed

    with options.open() as mill:
        found = closed(mill.world, incident, who=default_user(), why=why)
    answer(found, options, lambda out: out.print(f"{found['id']} is closed."))
    return Exit.DONE


@app.command
def silence(
    incident: str,
    /,
    *,
    last: Annotated[str, Parameter(name="--for")] = "7d",
    options: Options = USUAL,
) -> Exit:
    """Send nothing about an incident for a while; it stays open.

    Parameters
    ----------
    incident
        Its name, such as i3.
    last
        For how long.
    """
    from tidemill.core.durations import duration
    from tidemill.project import default_user
    from tidemill.strategy.watching.telling import silence as silenced

    with options.open() as mill:
        until = mill.world.clock.now() + duration(last)
        found = silenced(mill.world, incident, until=until, who=default_user())
    told = f"nothing is sent about {found['id']} until {at(found['silenced'])}."
    answer(found, options, lambda out: out.print(told))
    return Exit.DONE
