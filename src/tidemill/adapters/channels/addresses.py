"""Channels by an address in one text, so that a strategy can name them without their secrets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tidemill.adapters.channels.apprise import Apprise
from tidemill.adapters.channels.console import Console
from tidemill.adapters.channels.file import File
from tidemill.adapters.channels.webhook import Webhook
from tidemill.core.channels import Channel
from tidemill.core.errors import BadValue, NotFound


def channel(address: str, *, folder: Path, environment: Mapping[str, str] | None = None) -> Channel:
    """Return the channel at an address.

    Parameters
    ----------
    address
        ``console``; ``file:PATH``; ``env:NAME`` for an address in a variable of the
        environment, which keeps secrets out of files; ``webhook:http...`` for a JSON document;
        any other address with ``://`` is one of Apprise.
    folder
        Where a relative path begins.
    environment
        The variables; those of this process when None.

    Raises
    ------
    BadValue
        If it is no address.
    NotFound
        If the variable is not set.
    MissingExtra
        If it needs Apprise and Apprise is not installed.

    Examples
    --------
    >>> where = Path("project")
    >>> channel("file:alerts.jsonl", folder=where)
    File('project/alerts.jsonl')
    >>> channel("env:HOOK", folder=where, environment={"HOOK": "webhook:https://h.org/s3cret"})
    Webhook('https://h.org/...')
    """
    kind, _, rest = address.partition(":")
    if kind == "env":
        found = (os.environ if environment is None else environment).get(rest, "")
        if not found or found.startswith("env:"):
            raise NotFound(
                f"the environment holds no address of a channel in {rest!r}.",
                fix=f"set {rest or 'it'} to an address, such as file:alerts.jsonl.",
            )
        return channel(found, folder=folder, environment=environment)
    if address == "console":
        return Console()
    if kind == "file" and rest and not rest.startswith("//"):
        return File(folder / rest)
    if kind == "webhook":
        return Webhook(rest)
    if "://" in address:
        return Apprise(address)
    # What it is may be a secret that was mistyped.
    raise BadValue(
        "the address of a channel is not one.",
        fix="use console, file:PATH, env:NAME, webhook:https://..., or one of Apprise.",
    )
