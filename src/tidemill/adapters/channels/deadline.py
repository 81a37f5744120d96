"""A deadline for a call into the network, whatever it waits for."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable

from tidemill.core.channels import Undelivered


def within(seconds: float, call: Callable[[], None], channel: object) -> None:
    """Make a call in a thread of its own and wait for it no longer than ``seconds``.

    A socket's timeout limits each wait for a byte; a server that sends one byte at a time
    would hold the mill for ever. A call that is late goes on in a daemon thread: the message
    may still arrive, and will be sent again under the same key.

    Raises
    ------
    Undelivered
        If the call raised it, or is late.
    """
    failed: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - told below, in the caller's thread
            failed.append(error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(run,), daemon=True, name="tidemill-send")
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise Undelivered(
            f"{channel!r} did not answer within {seconds:g} s.",
            fix="see whether the service is up, or allow it more time.",
        )
    if failed and isinstance(failed[0], Exception):
        raise failed[0]
    if failed:
        # What a plugin raises to end the process must not end the mill.
        raise Undelivered(
            f"{channel!r} raised {type(failed[0]).__name__}.", fix="use another channel."
        )
