"""Messages about many incidents: a bad night in one, and the line of the week."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tidemill.core.channels import Message
from tidemill.core.ports import Json
from tidemill.monitoring.messages import (
    HEADS,
    Commands,
    identity,
    listed,
    more,
    named,
    ordered,
    severity,
)
from tidemill.monitoring.plain import clock, moment, number, plain, quoted, span

_LISTED = 10
"""Incidents that are named; the command shows the rest."""


def digest(incidents: Sequence[tuple[Json, str]], *, key: str, commands: Commands) -> Message:
    """Tell of many incidents in one message, so that a bad night is not a hundred pages.

    Parameters
    ----------
    incidents
        Each incident with its event.
    key
        The message's key.
    """
    worst = min((severity(i) for i, event in incidents if event != "over"), default="over")
    lines = [
        f"- {quoted(identity(i))} {HEADS.get(event, '').strip(': ').lower() or 'new'}: "
        f"{named(ordered(i)[0], quoted)}"
        for i, event in incidents[:_LISTED]
    ]
    lines += more(len(incidents) - _LISTED, "")
    return Message(
        key=key,
        title=f"{len(incidents)} more incidents changed",
        body="\n".join([*lines, f"**Do** `{commands.program} alerts list`"]),
        severity=worst,  # "alert" comes before "warning"
    )


def weekly(document: Json, *, at: datetime, commands: Commands | None = None) -> Message:
    r"""Tell once a week whether to retrain, what it is worth, when to look next, what is open.

    Parameters
    ----------
    document
        With, as far as known, ``answer`` (``retrain``, ``don't`` or ``unknown``), ``why``,
        ``worth`` (``value``, ``low``, ``high``, ``unit``, and ``by``, how it is known),
        ``money`` (the same for a year, with its ``currency``), ``next_look`` and
        ``incidents``, those that are open. Without an answer it is ``unknown``.
    at
        Now; its week is in the key, so each week is told once.

    Examples
    --------
    >>> from datetime import UTC
    >>> found = weekly({"answer": "retrain", "next_look": "2013-03-04T00:00:00Z", "incidents": [],
    ...                 "worth": {"value": 1200, "low": 300, "high": 2100, "unit": "EUR a month"}},
    ...                at=datetime(2013, 2, 25, 8, tzinfo=UTC))
    >>> print(found.key, found.title, found.body, sep="\n")
    weekly:2013-W09
    Retrain; expected worth 1,200 [300, 2,100] EUR a month; next look Mon 2013-03-04
    No incident is open.
    """
    how = commands or Commands()
    answer = document.get("answer")
    said = answer if answer in ("retrain", "don't") else "unknown"
    parts = {"retrain": "Retrain", "don't": "Don't retrain", "unknown": "Retrain or not: unknown"}
    line = f"{parts[said]}; {_worth(document.get('worth'))}; {_look(document.get('next_look'))}"
    incidents = [i for i in listed(document.get("incidents")) if isinstance(i, dict)]
    lines = [plain(document["why"], most=600)] if document.get("why") else []
    lines += _money(document.get("money"))
    lines += [
        f"- {quoted(identity(i))} {named(ordered(i)[0], quoted)}{_onset(i, at)}"
        for i in incidents[:_LISTED]
    ]
    lines += more(len(incidents) - _LISTED, "")
    lines.append(f"**Do** `{how.program} alerts list`" if incidents else "No incident is open.")
    year, week, _ = at.isocalendar()
    return Message(
        key=f"weekly:{year}-W{week:02}", title=line, body="\n".join(lines), severity="info"
    )


def _onset(incident: Json, at: datetime) -> str:
    since = moment(incident.get("onset")) or moment(incident.get("opened"))
    return "" if since is None or since >= at else f", since {clock(since)} ({span(at - since)})"


def _worth(worth: object) -> str:
    found = worth if isinstance(worth, dict) else {}
    value, low, high = (number(found.get(k)) for k in ("value", "low", "high"))
    if not value:
        return "expected worth unknown"
    between = f" [{low}, {high}]" if low and high else ""
    unit, by = (plain(found.get(k), most=50) for k in ("unit", "by"))
    return f"expected worth {value}{between}" + f" {unit}" * bool(unit) + f", {by}" * bool(by)


def _money(money: object) -> list[str]:
    """Say what it is worth at the user's prices, where there are any."""
    found = money if isinstance(money, dict) else {}
    value, low, high = (number(found.get(k)) for k in ("value", "low", "high"))
    between = f" [{low}, {high}]" if low and high else ""
    unit = plain(found.get("currency"), most=10)
    return [f"At your prices {value} {unit} a year{between}."] if value else []


def _look(at: object) -> str:
    found = moment(at) if at else None
    return f"next look {clock(found)}" if found else "next look unknown"
