"""Send what is due, whatever the channels do; and how well they do it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from tidemill.core.channels import Channel
from tidemill.core.errors import TidemillError
from tidemill.core.ports import Json
from tidemill.monitoring.delivery import Due
from tidemill.monitoring.plain import line, moment

LEDGER = "deliveries"
_LONGEST_KEY = 200
_ENOUGH = 2
"""Failures in a row after which a channel is left alone for the rest of the turn."""


def deliver(
    dues: Iterable[Due], channels: Mapping[str, Channel], *, at: datetime
) -> Iterator[Json]:
    """Send each message and yield the row that tells of it; no channel can stop it.

    Write each row before asking for the next, with :func:`ledger_key` as its key. A channel that
    failed twice in a row is left alone: the rest is due at the next turn.

    Parameters
    ----------
    dues
        What :func:`tidemill.monitoring.delivery.due` said.
    channels
        The channels by name.
    at
        Now.
    """
    failed: Counter[str] = Counter()
    for one in dues:
        if failed[one.channel] >= _ENOUGH:
            continue
        why = _send(one, channels)
        failed[one.channel] = failed[one.channel] + 1 if why else 0
        yield {
            "message": one.message.key,
            "channel": one.channel,
            "attempt": one.attempt,
            "at": at.isoformat(),
            "delivered": not why,
            "why": why,
            "covers": [news.json() for news in one.covers],
        }


def ledger_key(row: Json) -> str:
    """Return the key of an attempt in the ledger ``deliveries``."""
    key = f"{row['channel']}|{row['message']}|{row['attempt']}"
    if len(key) <= _LONGEST_KEY:
        return key
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def _send(one: Due, channels: Mapping[str, Channel]) -> str:
    """Send a message; say why it failed, or nothing."""
    channel = channels.get(one.channel)
    if channel is None:
        known = ", ".join(sorted(channels)) or "none yet"
        return f"there is no channel {one.channel!r}; known: {known}"
    try:
        channel.send(one.message)
    except TidemillError as error:
        return line(error)
    except Exception as error:  # noqa: BLE001 - a user's channel may raise anything
        # What a foreign error says may hold a secret; its kind does not.
        return f"the channel raised {type(error).__name__}"
    return ""


def standing(sent: Sequence[Json], names: Iterable[str] = ()) -> list[Json]:
    """Say how each channel does: what ``status`` shows.

    Parameters
    ----------
    sent
        The rows of the ledger ``deliveries``, the oldest first.
    names
        The channels there are; those in the ledger are always told.

    Returns
    -------
    list of dict
        For each ``channel``: ``delivered`` (messages), ``last_delivered``, and since then:
        ``failures`` (attempts), ``undelivered`` (messages), ``failing_since``, ``why`` (of the
        last failure). Empty where there is none.

    Examples
    --------
    >>> row = {"channel": "chat", "message": "i7:0:opened", "at": "2013-02-08T00:00:00+00:00",
    ...        "delivered": False, "why": "no answer"}
    >>> found = standing([row], ["file"])
    >>> [(c["channel"], c["delivered"], c["failures"], c["why"]) for c in found]
    [('chat', 0, 1, 'no answer'), ('file', 0, 0, '')]
    """
    rows = [row for row in sent if moment(row.get("at")) is not None]
    known = {str(row.get("channel")) for row in rows} | set(names)
    return [
        _standing(name, [r for r in rows if r.get("channel") == name]) for name in sorted(known)
    ]


def _standing(name: str, rows: Sequence[Json]) -> Json:
    done = [k for k, row in enumerate(rows) if row.get("delivered") is True]
    failed = rows[done[-1] + 1 :] if done else rows
    return {
        "channel": name,
        "delivered": len({rows[k].get("message") for k in done}),
        "last_delivered": rows[done[-1]]["at"] if done else "",
        "failures": len(failed),
        "undelivered": len({row.get("message") for row in failed}),
        "failing_since": failed[0]["at"] if failed else "",
        "why": str(failed[-1].get("why") or "") if failed else "",
    }
