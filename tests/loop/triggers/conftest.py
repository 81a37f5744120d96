"""Hand-made facts: a champion that has been live for some days, measured each day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from tidemill.core.rules import Facts, Seen

LIVE = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def live() -> datetime:
    """Return since when the champion of these facts is live."""
    return LIVE


@pytest.fixture
def days() -> Callable[..., tuple[Seen, ...]]:
    """Return a function that makes one window a day of values, labels and shares."""

    def make(values, *, metric="accuracy", labelled=100, records=200, shares=None, settled=True):
        n = len(values)
        labels, all_ = np.broadcast_to(labelled, n), np.broadcast_to(records, n)
        return tuple(
            Seen(
                start=LIVE + k * DAY,
                end=LIVE + (k + 1) * DAY,
                records=int(all_[k]),
                labelled=int(labels[k]),
                settled=settled,
                values={metric: float(values[k])},
                shares={} if shares is None else shares[k],
            )
            for k in range(n)
        )

    return make


@pytest.fixture
def facts() -> Callable[..., Facts]:
    """Return a function that makes facts at the end of their windows."""

    def make(windows: tuple[Seen, ...] = (), **more: Any) -> Facts:
        now = windows[-1].end if windows else LIVE
        given = {"now": now, "last_triggered": LIVE, "asked": None, "live_since": LIVE}
        return Facts(**{**given, "windows": windows, **more})

    return make
