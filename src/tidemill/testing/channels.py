"""The promises of a channel; run them on your own.

Each promise is a function of its own, collected in ``CHANNELS``; :func:`check_channel` runs
all of them.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from tidemill.core.channels import SEVERITIES, Channel, Message, Undelivered

AWKWARD = {
    "letters of all alphabets": "žluťoučký 猫 עברית 🌊",
    "quotes and backslashes": 'say "it\'s" C:\\new \\u0041 %s {0} $HOME',
    "what looks like markdown": "a_b *c* 1 < 2 & 3 > 2",
    "a long one": "word " * 400 + "end",
}


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the suite needs to know of the channel it looks at.

    Parameters
    ----------
    make
        Makes a channel whose far end takes what it is sent.
    arrived
        Returns what arrived at that end so far, one text a message, in order.
    broken
        Makes a channel whose far end takes nothing; None where there can be no such end.
    secrets
        Texts of the addresses that nobody may read in an error, a repr or a log.
    keyed
        Whether the key arrives, so that who receives can tell a second copy from news.
    """

    make: Callable[[], Channel]
    arrived: Callable[[], list[str]]
    broken: Callable[[], Channel] | None
    secrets: tuple[str, ...] = ()
    keyed: bool = True


def check_channel(make: Callable[[], Bench]) -> None:
    """Hold a channel against every promise of its port, each with a bench of its own."""
    for promise in CHANNELS:
        promise(make())


def what_is_sent_arrives(bench: Bench) -> None:
    """Title, body and, where the far end is a machine, the key arrive; once each."""
    channel = bench.make()
    for severity in SEVERITIES:
        channel.send(_message(f"k:{severity}", body="since Monday", severity=severity))
    texts = bench.arrived()
    assert len(texts) == len(SEVERITIES), f"{len(texts)} messages arrived"
    for severity, text in zip(SEVERITIES, texts, strict=True):
        assert f"title of k:{severity}" in text
        assert "since Monday" in text
        assert not bench.keyed or f"k:{severity}" in text.replace(f"title of k:{severity}", "")


def awkward_text_arrives(bench: Bench) -> None:
    """Text of every kind arrives, and never as two messages or none."""
    channel = bench.make()
    for k, body in enumerate(AWKWARD.values()):
        channel.send(_message(f"k{k}", body=body))
    texts = bench.arrived()
    assert len(texts) == len(AWKWARD)
    for (name, body), text in zip(AWKWARD.items(), texts, strict=True):
        assert body in text, f"{name} did not arrive: {text!r}"


def the_same_key_may_come_again(bench: Bench) -> None:
    """A message that may have arrived can be sent again."""
    channel = bench.make()
    channel.send(_message("k"))
    channel.send(_message("k"))
    assert bench.arrived()


def many_threads_may_send(bench: Bench) -> None:
    """Messages of several threads arrive whole."""
    channel = bench.make()
    names = [f"k{k:02}" for k in range(16)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: channel.send(_message(name)), names))
    texts = bench.arrived()
    assert len(texts) == len(names)
    assert all(sum(f"title of {name}" in t for t in texts) == 1 for name in names)


def what_is_not_taken_is_undelivered(bench: Bench) -> None:
    """A failure is ``Undelivered``, in one line that names a fix; and so is the next one."""
    if bench.broken is None:
        return
    channel = bench.broken()
    for _ in range(2):
        text = str(_refused(channel))
        assert "Fix:" in text, f"{text!r} names no fix"
        assert "\n" not in text, f"{text!r} is more than a line"


def secrets_are_never_told(bench: Bench) -> None:
    """No repr, no error, no traceback and no log holds a part of a secret address."""
    with _heard() as logged:
        good = bench.make()
        told = [repr(good), str(good)]
        good.send(_message("k"))
        if bench.broken is not None:
            bad = bench.broken()
            told += [repr(bad), "".join(traceback.format_exception(_refused(bad)))]
    for text in told + logged:
        for secret in bench.secrets:
            assert secret not in text, f"{text!r} tells a secret"


CHANNELS = (
    what_is_sent_arrives,
    awkward_text_arrives,
    the_same_key_may_come_again,
    many_threads_may_send,
    what_is_not_taken_is_undelivered,
    secrets_are_never_told,
)


def _message(key: str, *, body: str = "a body", severity: str = "alert") -> Message:
    return Message(key=key, title=f"title of {key}", body=body, severity=severity)


def _refused(channel: Channel) -> Undelivered:
    try:
        channel.send(_message("k"))
    except Undelivered as error:
        return error
    raise AssertionError("a message that was not taken counts as delivered")


@contextmanager
def _heard() -> Generator[list[str]]:
    """Collect all that is logged, at every level."""
    lines: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    root, ear = logging.getLogger(), Ear(logging.NOTSET)
    before = root.level
    root.addHandler(ear)
    root.setLevel(logging.NOTSET)
    try:
        yield lines
    finally:
        root.removeHandler(ear)
        root.setLevel(before)
