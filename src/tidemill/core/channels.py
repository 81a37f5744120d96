"""Channels: how the mill tells somebody something, at least once and under a stable key."""

from __future__ import annotations

import unicodedata
from dataclasses import asdict, dataclass
from typing import Protocol

from tidemill.core.errors import BadValue, TidemillError

SEVERITIES = ("info", "over", "warning", "alert")
"""How bad a message is, the worst last; ``over`` says that what was bad has ended."""


class Undelivered(TidemillError):
    """A message that could not be handed over; it may be tried again under the same key."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """What is told: a title, a body, and a key by which a second copy can be told apart.

    A message may arrive twice, since a process can end between sending and writing down that
    it sent. Whoever receives it keeps the first of each key.

    Parameters
    ----------
    key
        The same for every attempt to deliver the same news, and for nothing else.
    title
        One line of plain text.
    body
        Markdown, without raw HTML.
    severity
        One of :data:`SEVERITIES`.
    incident
        The incident it is about; empty when it is about none or several.
    url
        Where to read more; empty when there is no such page.

    Raises
    ------
    BadValue
        If the key or title is empty, a text cannot be written as UTF-8 or holds control
        characters (the body may hold line breaks), or the severity is unknown.

    Examples
    --------
    >>> Message(key="i7:0:opened", title="ALERT: auc fell", severity="alert").document()["key"]
    'i7:0:opened'
    """

    key: str
    title: str
    body: str = ""
    severity: str = "info"
    incident: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        for name, text in asdict(self).items():
            allowed = "\n" if name == "body" else ""
            if not isinstance(text, str) or not _clean(text, allowed):
                raise BadValue(
                    f"Message({name}={text!r}): {name} must be text without control characters.",
                    fix="replace line breaks and control characters by spaces.",
                )
        for name, text in (("key", self.key), ("title", self.title)):
            if not text.strip():
                raise BadValue(f"Message({name}={text!r}) is empty.", fix=f"give it a {name}.")
        if self.severity not in SEVERITIES:
            raise BadValue(
                f"Message(severity={self.severity!r}) is unknown.",
                fix=f"use one of {', '.join(SEVERITIES)}.",
            )

    def document(self) -> dict[str, str]:
        """Return its fields, as they travel in JSON."""
        return asdict(self)


def _clean(text: str, allowed: str) -> bool:
    return not any(unicodedata.category(c) in ("Cc", "Cs") and c not in allowed for c in text)


class Channel(Protocol):
    """Somewhere a message can be sent.

    Its repr, its errors and what it logs never hold a secret, such as a token in an address.
    """

    def send(self, message: Message, /) -> None:
        """Hand a message over; return once it was taken.

        Raises
        ------
        Undelivered
            If it was not taken, or if that cannot be known; nothing else is raised.
        """
        ...
