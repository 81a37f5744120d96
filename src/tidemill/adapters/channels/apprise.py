"""A hundred services, from mail to Slack, by Apprise; imported when it is used."""

from __future__ import annotations

import contextvars
import importlib
import logging
import math
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from tidemill.adapters.channels.deadline import within
from tidemill.core.channels import Channel, Message, Undelivered
from tidemill.core.errors import BadValue, MissingExtra

_KINDS = {"info": "info", "over": "success", "warning": "warning", "alert": "failure"}
_TALKATIVE = ("apprise", "urllib3.connectionpool")
_ours = contextvars.ContextVar("tidemill_apprise", default=False)


class Apprise(Channel):
    """Send each message to one service that Apprise knows.

    One channel is one address, so that what one service refused is not sent twice to another.
    The address holds tokens: only its kind is ever shown, and what Apprise would log while it
    works for us is dropped, since it names addresses.

    Parameters
    ----------
    url
        An address as Apprise writes them, such as ``slack://...`` or ``mailto://...``.
    timeout
        Seconds until a message counts as undelivered.

    Raises
    ------
    MissingExtra
        If Apprise is not installed.
    BadValue
        If Apprise cannot read the address.

    Examples
    --------
    >>> Apprise("json://user:secret@localhost/hook")
    Apprise('json://...')
    """

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        if not (math.isfinite(timeout) and timeout > 0):
            raise BadValue(f"Apprise(timeout={timeout!r}).", fix="give seconds, such as 30.0.")
        with _quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its services import modules that Python deprecates
            try:
                apprise: Any = importlib.import_module("apprise")
            except ImportError:
                raise MissingExtra(
                    "this channel needs apprise.",
                    fix="pip install 'tidemill[alerts]', or use a File or a Webhook.",
                ) from None
            self._timeout = timeout
            kind = url.partition("://")[0] if "://" in url else ""
            # What stands before :// may be a mistyped secret, unless it is short and plain.
            self._kind = kind if kind.isalnum() and len(kind) <= _LONGEST_KIND else "?"
            self._service = apprise.Apprise()
            found = apprise.Apprise.instantiate(url, suppress_exceptions=True) if kind else None
            if found is None or not self._service.add(found):
                raise BadValue(
                    f"Apprise cannot read the address {self._kind}://... .",
                    fix="compare it with the list of services of Apprise.",
                )

    def __repr__(self) -> str:
        return f"Apprise('{self._kind}://...')"

    def send(self, message: Message, /) -> None:
        within(self._timeout, lambda: self._notify(message), self)

    def _notify(self, message: Message) -> None:
        body = message.body or message.title
        if message.url:
            body += f"\n\n{message.url}"
        with _quiet():
            try:
                taken = self._service.notify(
                    title=message.title,
                    body=body,
                    notify_type=_KINDS[message.severity],
                    body_format="markdown",
                )
            except Exception as error:  # noqa: BLE001 - a plugin may raise anything
                raise Undelivered(
                    f"{self!r} failed ({type(error).__name__}).", fix=_ASK.format(self._kind)
                ) from None
        if not taken:
            raise Undelivered(f"{self!r} did not take it.", fix=_ASK.format(self._kind))


_LONGEST_KIND = 16
_ASK = "run 'apprise -vv --body test ADDRESS' with its {0}:// address to see why."


@contextmanager
def _quiet() -> Generator[None]:
    """Drop what Apprise logs while it works for us, in this thread and those it starts."""
    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_not_ours)  # once only, however often it is called
    token = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(token)


def _not_ours(record: logging.LogRecord) -> bool:
    return not _ours.get()
