"""What must be sent now: a decision about incidents, what was sent before, and silences.

Nothing here sends anything. Each attempt is a row of the ledger ``deliveries``::

    {"message": key, "channel": name, "attempt": 1, "at": moment, "delivered": true, "why": "",
     "covers": [{"key": ..., "incident": id, "event": "opened", "verdict": "ALERT"}, ...]}

``covers`` is the news that the message told; one message may tell several. Decisions follow from
these rows alone, so a process that ends between sending and writing sends the same message again,
under the same key, and nothing is ever lost.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tidemill.core.channels import Message
from tidemill.core.durations import duration
from tidemill.core.ports import Json
from tidemill.monitoring.messages import Commands, identity, listed, message, ordered
from tidemill.monitoring.plain import moment
from tidemill.monitoring.routes import Route
from tidemill.monitoring.silences import silenced
from tidemill.monitoring.summaries import digest
from tidemill.monitoring.summaries import weekly as weekly_message

MOST = 5
"""Messages to one channel in one turn; what is more is told together in one."""
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=6)
"""Until a message that failed is tried again: doubled with each failure."""
LATE = timedelta(days=3)
"""After so long nobody is told any more that something is over."""
_RANKS = {"WARN": 1, "ALERT": 2}


@dataclass(frozen=True, kw_only=True)
class News:
    """What happened with an incident, or the line of a week, under its own key."""

    key: str
    incident: str
    event: str
    verdict: str

    def json(self) -> Json:
        return {
            "key": self.key,
            "incident": self.incident,
            "event": self.event,
            "verdict": self.verdict,
        }


@dataclass(frozen=True, kw_only=True)
class Due:
    """A message that must be sent now, to which channel, and which attempt it is."""

    channel: str
    message: Message
    covers: tuple[News, ...]
    attempt: int = 1


@dataclass(frozen=True, kw_only=True)
class Told:
    """A row of the ledger about one piece of news."""

    news: News
    at: datetime
    delivered: bool


@dataclass
class History:
    """What one channel was told before."""

    by_incident: dict[str, list[Told]] = field(default_factory=lambda: defaultdict(list))
    by_key: dict[str, list[Told]] = field(default_factory=lambda: defaultdict(list))
    attempts: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def waiting(self, key: str, at: datetime) -> bool:
        """Tell whether news failed too recently to be tried again."""
        failed = [t for t in self.by_key.get(key, []) if not t.delivered]
        if not failed:
            return False
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(len(failed) - 1, 20))
        return at < max(t.at for t in failed) + wait

    def delivered(self, key: str) -> bool:
        return any(t.delivered for t in self.by_key.get(key, []))


def due(
    incidents: Sequence[Json],
    sent: Sequence[Json],
    silences: Sequence[Json],
    routes: Sequence[Route],
    *,
    at: datetime,
    weekly: Json | None = None,
    commands: Commands | None = None,
    most: int = MOST,
) -> list[Due]:
    """Say what must be sent now.

    An incident is told when it is as bad as its route wants for as long as it wants, again
    when it gets worse, again each ``remind`` while it is open and nobody acknowledged it, and
    once when it is over, if it may have been told at all. What failed is tried again after 1, 2,
    4 ... minutes, at most 6 hours, until it arrives or is out of date. News of one channel never
    waits for another.

    Parameters
    ----------
    incidents
        Open ones, and those closed within the last three days; documents as for
        :func:`tidemill.monitoring.messages.message`, with ``acknowledged`` when somebody did.
    sent
        The rows of the ledger ``deliveries``, the oldest first.
    silences
        The rows of the ledger ``silences``.
    routes
        Which incidents go where.
    at
        Now.
    weekly
        The document of the week's line; None when there is none to tell.
    commands
        How a person asks for more.
    most
        Messages to one channel in one turn.

    Returns
    -------
    list of Due
        The worst first, for each channel.

    Examples
    --------
    >>> from datetime import UTC
    >>> at = datetime(2013, 2, 8, tzinfo=UTC)
    >>> opened = {"id": "i7", "opened": at.isoformat(), "metric": "auc", "why": "it fell"}
    >>> [(d.channel, d.message.key) for d in due([opened], [], [], [Route("chat")], at=at)]
    [('chat', 'i7:0:opened')]
    """
    how = commands or Commands()
    loud = [i for i in incidents if not silenced(i, silences, at=at)]
    found: list[Due] = []
    for channel in dict.fromkeys(route.channel for route in routes):
        own = [route for route in routes if route.channel == channel]
        past = history(sent, channel)
        news = {n.key: (n, i) for i in loud for r in own if (n := _news(i, r, past, at))}
        found += _messages(channel, list(news.values()), past, at=at, how=how, most=most)
        if weekly is not None and any(route.weekly for route in own):
            found += _week(channel, weekly_message(weekly, at=at, commands=how), past, at)
    return found


def history(sent: Iterable[Json], channel: str) -> History:
    """Read the ledger; a row that cannot be read tells of nothing that was delivered."""
    past = History()
    for row in sent:
        at = moment(row.get("at"))
        if row.get("channel") != channel or at is None:
            continue
        past.attempts[str(row.get("message"))] += 1
        for cover in listed(row.get("covers")):
            if not isinstance(cover, dict):
                continue
            names = ("key", "incident", "event", "verdict")
            news = News(**{name: str(cover.get(name, "")) for name in names})
            told = Told(news=news, at=at, delivered=row.get("delivered") is True)
            past.by_incident[news.incident].append(told)
            past.by_key[news.key].append(told)
    return past


def _news(incident: Json, route: Route, past: History, at: datetime) -> News | None:
    name, verdict = identity(incident), str(incident.get("verdict") or "ALERT")
    told = past.by_incident.get(name, [])
    ends = [k for k, t in enumerate(told) if t.delivered and t.news.event == "over"]
    told = told[ends[-1] + 1 :] if ends else told
    event = _event(incident, verdict, route, told, at)
    if event is None:
        return None
    count = sum(t.delivered for t in told)
    key = f"{name}:{len(ends)}:{event}" + (str(count) if event == "again" else "")
    if past.waiting(key, at):
        return None
    return News(key=key, incident=name, event=event, verdict=verdict)


def _event(
    incident: Json, verdict: str, route: Route, told: Sequence[Told], at: datetime
) -> str | None:
    """Say what there is to tell of an incident since it was last over, if anything."""
    ended = moment(incident.get("closed"))
    if ended is not None:
        # A message that failed may have arrived all the same, so its end is told too.
        return "over" if told and at <= ended + LATE else None
    kinds = {signal.get("kind") for signal in ordered(incident)}
    rank = _RANKS.get(verdict, _RANKS["ALERT"])
    if rank < _RANKS[route.least] or (route.kinds and not kinds & set(route.kinds)):
        return None
    known = incident.get("acknowledged") is not None
    before = [t for t in told if t.delivered]
    if not before:
        opened = moment(incident.get("opened")) or at
        early = at < opened + duration(route.after) and duration(route.after) > timedelta(0)
        return None if known or early else "opened"
    if rank > max(_RANKS.get(t.news.verdict, 0) for t in before):
        return "worse"
    if known or route.remind is None:
        return None
    return "again" if at >= before[-1].at + duration(route.remind) else None


def _messages(
    channel: str,
    news: list[tuple[News, Json]],
    past: History,
    *,
    at: datetime,
    how: Commands,
    most: int,
) -> Iterator[Due]:
    # The worst first, then in the order they were given: the longest open first.
    news.sort(key=lambda one: -_badness(one[0]))
    alone, together = (news, []) if len(news) <= most else (news[: most - 1], news[most - 1 :])
    for one, incident in alone:
        text = message(incident, at=at, event=one.event, key=one.key, commands=how)
        yield _due(channel, text, (one,), past)
    if together:
        covers = tuple(one for one, _ in together)
        names = "\n".join(sorted(one.key for one in covers)).encode("utf-8", "replace")
        key = f"digest:{hashlib.sha256(names).hexdigest()[:16]}"
        events = [(incident, one.event) for one, incident in together]
        yield _due(channel, digest(events, key=key, commands=how), covers, past)


def _badness(news: News) -> int:
    return 0 if news.event == "over" else _RANKS.get(news.verdict, _RANKS["ALERT"])


def _week(channel: str, text: Message, past: History, at: datetime) -> Iterator[Due]:
    if not past.delivered(text.key) and not past.waiting(text.key, at):
        news = News(key=text.key, incident="", event="weekly", verdict="")
        yield _due(channel, text, (news,), past)


def _due(channel: str, text: Message, covers: tuple[News, ...], past: History) -> Due:
    attempt = past.attempts.get(text.key, 0) + 1
    return Due(channel=channel, message=text, covers=covers, attempt=attempt)
