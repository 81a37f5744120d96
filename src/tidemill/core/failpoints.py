"""Named places where a test may kill the process, to show that nothing is lost.

``TIDEMILL_FAILPOINT=name`` (or ``name@3`` for the third time) makes the process end at once, as
kill -9 would, when it comes by. Without it a failpoint costs one comparison.
``TIDEMILL_FAILPOINT_LOG=file`` writes the name of each failpoint that is passed.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

_seen: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """End the process here, without any clean-up, if a test asked for it."""
    wanted, log = os.environ.get("TIDEMILL_FAILPOINT"), os.environ.get("TIDEMILL_FAILPOINT_LOG")
    if wanted is None and log is None:
        return
    _seen[name] += 1
    if log is not None:
        with open(log, "a", encoding="utf-8") as file:  # noqa: PTH123 - the fewest moving parts
            file.write(name + "\n")
    if wanted is not None:
        target, _, count = wanted.partition("@")
        if target == name and _seen[name] == int(count or 1):
            os.kill(os.getpid(), signal.SIGKILL)
