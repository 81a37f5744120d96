"""From an incident to a message that fits a phone and can be acted on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidemill.core.channels import Message
from tidemill.core.ports import Json
from tidemill.core.signals import KINDS
from tidemill.monitoring.plain import clock, line, moment, number, plain, quoted, span

_NAMES = ("kind", "metric", "column", "cohort", "model")
_TITLE = 110
_SIGNALS, _ROWS, _EVENTS = 4, 5, 4
"""How many of each are named; the command shows the rest."""
HEADS = {"opened": "", "again": "Still ", "worse": "Now ", "over": "Over: "}


@dataclass(frozen=True, kw_only=True)
class Commands:
    """How a person asks for more.

    Parameters
    ----------
    program
        What to type, with the project where one is needed.
    page
        Returns the address of an incident's page; None when there are no pages.
    """

    program: str = "tidemill"
    page: Callable[[str], str] | None = None


def message(
    incident: Json,
    *,
    at: datetime,
    event: str = "opened",
    key: str = "",
    commands: Commands | None = None,
) -> Message:
    r"""Tell of an incident: what, since when, for whom, how sure, which rows, what else, what to do.

    Parameters
    ----------
    incident
        A document with, as far as known, ``id``, ``opened``, ``onset``, ``closed``,
        ``verdict``, ``why``, ``signals`` (each with ``kind``, ``metric``, ``column``,
        ``cohort``, ``model``, ``value``, ``low``, ``high``, ``p``, ``n``, ``why``), ``rows``
        (ids of records, or documents with ``record_id``), ``events`` (each with ``at`` and
        ``what``) and ``next`` (what to do). Without ``signals`` it is read as one itself.
    at
        Now.
    event
        ``opened``, ``again``, ``worse`` or ``over``.
    key
        The message's key; the incident and the event when empty.
    commands
        How a person asks for more.

    Returns
    -------
    Message
        Whatever the document holds: what cannot be read is left out, and data cannot write
        markup into it.

    Examples
    --------
    >>> from datetime import UTC
    >>> found = message({
    ...     "id": "i7", "onset": "2013-02-08T00:00:00Z", "opened": "2013-02-09T02:00:00Z",
    ...     "signals": [{"kind": "performance", "metric": "auc", "cohort": "JFK", "value": 0.61,
    ...                  "low": 0.68, "high": 0.75, "p": 0.0004, "n": 812, "why": "0.61 is below 0.68"}],
    ...     "rows": ["r1", "r2"], "events": [{"at": "2013-02-07T12:00:00Z", "what": "r3 live"}],
    ... }, at=datetime(2013, 2, 9, 2, tzinfo=UTC))
    >>> print(found.title, found.body, sep="\n")
    ALERT: auc for JFK: 0.61 is below 0.68
    **What** auc for `JFK`: 0.61 is below 0.68
    **Since** Fri 2013-02-08 (1d2h); noticed Sat 2013-02-09 02:00 UTC
    **How sure** p = 0.0004, 812 rows; 0.61, expected 0.68 to 0.75
    **Rows** `r1`, `r2`
    **Also then** Thu 2013-02-07 12:00 UTC: r3 live
    **Do** `tidemill alerts show i7`
    """
    how = commands or Commands()
    name = identity(incident)
    signals = ordered(incident)
    verdict = plain(incident.get("verdict") or "ALERT", most=20)
    what = named(signals[0], plain)
    why = _why(signals[0], incident)
    head = HEADS.get(event, "") + ("" if event == "over" else f"{verdict}: ")
    title = f"{head}{what}" + (f": {why}" if why and event != "over" else "")
    ended = moment(incident.get("closed")) if event == "over" else None
    lines = [
        *_what(signals, incident),
        *_since(incident, at, ended),
        *_sure(signals[0]),
        *_rows(incident, f"{how.program} rows --incident {_word(name)}"),
        *_events(incident),
        f"**Do** {_next(incident, event, f'{how.program} alerts show {_word(name)}')}",
    ]
    return Message(
        key=key or f"{name}:{event}",
        title=plain(title, most=_TITLE),
        body="\n".join(lines),
        severity="over" if event == "over" else severity(incident),
        incident=name,
        url=line(how.page(name)) if how.page else "",
    )


def identity(incident: Json) -> str:
    """Return an incident's id, or one made of what it holds."""
    name = str(incident.get("id") or "")
    if name and len(name) <= _LONGEST_ID and line(name) == name:
        return name
    text = json.dumps(incident, sort_keys=True, default=str)
    return "i-" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


_LONGEST_ID = 80


def severity(incident: Json) -> str:
    """Return how bad an incident is; one that does not say is an alert."""
    return "warning" if incident.get("verdict") == "WARN" else "alert"


def ordered(incident: Json) -> list[Json]:
    """Return the signals of an incident, the most valuable kind first; at least one."""
    found = [s for s in listed(incident.get("signals")) if isinstance(s, dict)] or [incident]
    ranks = {kind: k for k, kind in enumerate(KINDS)}
    return sorted(found, key=lambda s: ranks.get(str(s.get("kind")), len(KINDS)))


def listed(value: object) -> Sequence[Any]:
    """Return a list of a document; an empty one when it is none."""
    return value if isinstance(value, list | tuple) else []


def named(signal: Json, shown: Callable[[object], str]) -> str:
    """Say which signal: what is measured, of which column, for whom."""
    metric, column, cohort, model = (signal.get(name) for name in _NAMES[1:])
    parts = [plain(metric, most=60) or "a signal"]
    parts += [f"of {shown(column)}"] if column else []
    parts += [f"for {shown(cohort)}"] if cohort else []
    parts += [f"with model {shown(model)}"] if model else []
    return " ".join(parts)


def _why(signal: Json, incident: Json) -> str:
    return plain(signal.get("why") or incident.get("why"))


def _what(signals: Sequence[Json], incident: Json) -> Iterator[str]:
    first = named(signals[0], quoted)
    why = _why(signals[0], incident)
    yield f"**What** {first}: {why}" if why else f"**What** {first}"
    for signal in signals[1:_SIGNALS]:
        why = plain(signal.get("why"), most=100)
        yield f"- {named(signal, quoted)}" + (f": {why}" if why else "")
    yield from more(len(signals) - _SIGNALS, " signals")


def more(n: int, of: str) -> list[str]:
    """Say how many are not listed, if any."""
    return [f"- and {n} more{of}"] if n > 0 else []


def _since(incident: Json, at: datetime, ended: datetime | None) -> Iterator[str]:
    onset, opened = moment(incident.get("onset")), moment(incident.get("opened"))
    since = onset or opened
    if since is None:
        yield "**Since** unknown"
        return
    until = ended or at
    text = f"**Since** {clock(since)}"
    text += f" ({span(until - since)})" if until > since else ""
    text += f"; noticed {clock(opened)}" if opened and onset and opened != onset else ""
    yield text + (f"; over since {clock(ended)}" if ended else "")


def _sure(signal: Json) -> Iterator[str]:
    p, n, value, low, high = (number(signal.get(k)) for k in ("p", "n", "value", "low", "high"))
    parts = ([f"p = {p}"] if p else []) + ([f"{n} rows"] if n else [])
    told = ", ".join(parts) or "no probability given"
    if value and (low or high):
        between = (
            f"{low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}"
        )
        told += f"; {value}, expected {between}"
    yield f"**How sure** {told}"


def _rows(incident: Json, command: str) -> Iterator[str]:
    rows = listed(incident.get("rows"))
    ids = [r.get("record_id") if isinstance(r, dict) else r for r in rows]
    ids = [i for i in ids if i is not None]
    if ids:
        more = f" and {len(ids) - _ROWS} more: `{command}`" if len(ids) > _ROWS else ""
        yield f"**Rows** {', '.join(map(quoted, ids[:_ROWS]))}{more}"


def _events(incident: Json) -> Iterator[str]:
    events = [e for e in listed(incident.get("events")) if isinstance(e, dict)]
    told: list[str] = []
    for event in events[-_EVENTS:]:
        at = moment(event.get("at"))
        what = plain(event.get("what"), most=100)
        told.append(f"{clock(at)}: {what}" if at else what)
    if told:
        yield f"**Also then** {'; '.join(told)}"


def _next(incident: Json, event: str, command: str) -> str:
    said = "" if event == "over" else plain(incident.get("next"), most=200)
    return f"{said}. `{command}`" if said else f"`{command}`"


def _word(name: str) -> str:
    """Return a name as one word of a command that a person may paste into a shell."""
    return name if all(c.isalnum() or c in "-_.:" for c in name) else "ID"
