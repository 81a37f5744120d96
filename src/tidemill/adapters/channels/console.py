"""The console: messages as text, for a person or for the log of a container."""

from __future__ import annotations

import sys
from typing import TextIO

from tidemill.core.channels import Channel, Message, Undelivered
from tidemill.core.printable import printable


class Console(Channel):
    """Write each message to standard error, or to another stream, in one piece.

    Parameters
    ----------
    stream
        Where to write; standard error at the time of sending when None.

    Examples
    --------
    >>> import sys
    >>> from tidemill.core.channels import Message
    >>> news = Message(key="i7:0:opened", title="auc fell", body="**Since** Monday", severity="alert")
    >>> Console(sys.stdout).send(news)
    [alert] auc fell (i7:0:opened)
      **Since** Monday
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def __repr__(self) -> str:
        return "Console()"

    def send(self, message: Message, /) -> None:
        stream: TextIO | None = sys.stderr if self._stream is None else self._stream
        head = f"[{message.severity}] {message.title} ({message.key})"
        lines = [head, *message.body.splitlines(), *([message.url] if message.url else [])]
        text = printable("\n  ".join(lines)) + "\n"
        try:
            if stream is None:
                raise OSError("there is no standard error")  # noqa: TRY301 - pythonw, daemons
            # A terminal that knows only ASCII still gets every message.
            code = getattr(stream, "encoding", None) or "utf-8"
            stream.write(text.encode(code, "backslashreplace").decode(code))
            stream.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            raise Undelivered(
                f"{self!r} could not be written: {error}.", fix="give it a stream that is open."
            ) from None
