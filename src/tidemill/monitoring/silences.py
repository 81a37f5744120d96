"""Silences: what nobody wants to hear of, until when; every silence ends."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from tidemill.core.errors import BadValue
from tidemill.core.ports import Json
from tidemill.monitoring.messages import identity, ordered
from tidemill.monitoring.plain import moment

SELECTORS = ("kind", "metric", "column", "cohort", "model")
LONGEST = timedelta(days=90)


def silence(
    *,
    at: datetime,
    until: datetime,
    by: str,
    why: str = "",
    incident: str = "",
    everything: bool = False,
    **selected: str,
) -> Json:
    """Return the row of a silence.

    Parameters
    ----------
    at, until
        From when to when, at most 90 days.
    by, why
        Who wants it, and why.
    incident
        The id of an incident; others are told all the same.
    everything
        Whether it is about everything, as during maintenance.
    selected
        ``kind``, ``metric``, ``column``, ``cohort``, ``model``: an incident is silent when all
        its signals have exactly these.

    Raises
    ------
    BadValue
        If it does not end, lasts too long, or does not say what it is about.

    Examples
    --------
    >>> from datetime import UTC
    >>> at = datetime(2013, 2, 8, tzinfo=UTC)
    >>> row = silence(at=at, until=at + timedelta(days=1), by="ana", column="humid")
    >>> silenced({"id": "i7", "signals": [{"column": "humid"}]}, [row], at=at)
    True
    >>> silenced({"id": "i7", "signals": [{"column": "humid"}, {"column": "wind"}]}, [row], at=at)
    False
    """
    foreign = set(selected) - set(SELECTORS)
    if foreign:
        raise BadValue(f"a silence knows no {min(foreign)!r}.", fix=f"use {', '.join(SELECTORS)}.")
    chosen = {name: value for name, value in selected.items() if value}
    if not (chosen or incident or everything):
        raise BadValue(
            "a silence must say what it is about.",
            fix="name an incident, a metric or a column, or say everything=True.",
        )
    if not at < until <= at + LONGEST:
        raise BadValue(
            f"a silence until {until.isoformat()} does not end within {LONGEST.days} days.",
            fix="give an end in the future, 90 days ahead at most.",
        )
    row: Json = {
        "from": at.isoformat(),
        "until": until.isoformat(),
        "by": by,
        "why": why,
        "incident": incident,
        "everything": everything,
        **chosen,
    }
    text = json.dumps(row, sort_keys=True).encode("utf-8", "replace")
    return {"id": f"s-{hashlib.sha256(text).hexdigest()[:10]}", **row}


def lifted(silence_id: str, *, at: datetime, by: str) -> Json:
    """Return the row that ends a silence early."""
    return {"id": f"{silence_id}-lifted", "lifts": silence_id, "at": at.isoformat(), "by": by}


def active(rows: Sequence[Json], *, at: datetime) -> list[Json]:
    """Return the silences in force; one that cannot be read, or has no end, silences nothing."""
    ended = {row.get("lifts") for row in rows if (moment(row.get("at")) or at) <= at}
    found: list[Json] = []
    for row in rows:
        start, until = moment(row.get("from")), moment(row.get("until"))
        if start is None or until is None or row.get("id") in ended:
            continue
        if start <= at < until <= start + LONGEST:
            found.append(row)
    return found


def silenced(incident: Json, rows: Sequence[Json], *, at: datetime) -> bool:
    """Tell whether nobody wants to hear of an incident now."""
    return any(_covers(row, incident) for row in active(rows, at=at))


def _covers(row: Json, incident: Json) -> bool:
    if row.get("incident") and row["incident"] != identity(incident):
        return False
    wanted = {name: row[name] for name in SELECTORS if row.get(name)}
    if not wanted:
        return bool(row.get("incident")) or row.get("everything") is True
    return all(
        all(signal.get(name, "") == value for name, value in wanted.items())
        for signal in ordered(incident)
    )
