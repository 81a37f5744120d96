"""A webhook: each message as a JSON document, posted to an address."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from tidemill.adapters.channels.deadline import within
from tidemill.core.channels import Channel, Message, Undelivered
from tidemill.core.errors import BadValue


class Webhook(Channel):
    """Post each message to an address; any 2xx answer means that it was taken.

    The body is the message's own document (``key``, ``title``, ``body``, ``severity``,
    ``incident``, ``url``); the header ``Idempotency-Key`` repeats the key. Redirects are not
    followed, since they would turn the POST into a GET that delivers nothing. The address is
    a secret: only its scheme and host are ever shown.

    Parameters
    ----------
    url
        An ``http`` or ``https`` address; a name and password in it are sent as basic
        authentication.
    headers
        More headers, such as ``Authorization``.
    timeout
        Seconds until a message counts as undelivered.

    Examples
    --------
    >>> Webhook("https://user:secret@hooks.example.com/services/T0/B0/secret")
    Webhook('https://hooks.example.com/...')
    """

    def __init__(
        self, url: str, *, headers: Mapping[str, str] | None = None, timeout: float = 10.0
    ) -> None:
        if not (math.isfinite(timeout) and timeout > 0):
            raise BadValue(f"Webhook(timeout={timeout!r}).", fix="give seconds, such as 10.0.")
        self._timeout = timeout
        self._url, self._shown, said = _address(url)
        self._headers = {
            "Content-Type": "application/json",
            "User-Agent": "tidemill",
            **said,
            **(headers or {}),
        }
        if any(set("\r\n\0") & set(k + v) for k, v in self._headers.items()):
            raise BadValue(
                "a header of a Webhook holds a line break.", fix="give each header in one line."
            )

    def __repr__(self) -> str:
        return f"Webhook({self._shown!r})"

    def send(self, message: Message, /) -> None:
        key = message.key.encode("ascii", "backslashreplace").decode()
        request = Request(  # noqa: S310 - the scheme was checked at birth
            self._url,
            json.dumps(message.document()).encode(),
            {**self._headers, "Idempotency-Key": key},
            method="POST",
        )
        within(self._timeout, lambda: self._post(request), self)

    def _post(self, request: Request) -> None:
        try:
            with build_opener(_NoRedirect()).open(request, timeout=self._timeout):
                return
        except HTTPError as error:
            error.close()
            raise Undelivered(
                f"{self!r} answered {error.code}.", fix="see what the service expects."
            ) from None
        except (OSError, HTTPException, ValueError) as error:
            # The reason of an URLError may quote the address; its kind is all that is shown.
            reason = getattr(error, "reason", error)
            raise Undelivered(
                f"{self!r} cannot be reached ({type(reason).__name__}).",
                fix="see whether the address is right and the service is up.",
            ) from None


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Follow no redirect: urllib then raises it as the error it is."""


def _address(url: str) -> tuple[str, str, dict[str, str]]:
    """Return where to post, what may be shown of it, and the header for its password."""
    wrong = BadValue(
        "the address of a Webhook is not one.", fix="write it like 'https://host/path'."
    )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except (ValueError, AttributeError, TypeError):
        raise wrong from None
    # A control character or a blank in the address would break the request line.
    plain = all(33 <= ord(c) < 127 for c in url)  # noqa: PLR2004 - printable ASCII
    if parts.scheme not in ("http", "https") or not host or not plain:
        raise wrong
    place = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    said = {}
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        said = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}
    where = urlunsplit((parts.scheme, place, parts.path, parts.query, ""))
    return where, f"{parts.scheme}://{place}/...", said
