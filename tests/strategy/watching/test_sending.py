"""What was sent before is read as far back as it matters, however long the mill has run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tidemill.adapters.stores.memory_state import MemoryState
from tidemill.strategy.watching.sending import LEDGER, _sent

NOW = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def world() -> Any:
    """A year in which something was sent every day; one row cannot be read."""
    state = MemoryState()
    for ago in range(365, 0, -1):
        at = (NOW - timedelta(days=ago)).isoformat()
        state.add_row(LEDGER, f"{ago}", {"message": f"i{ago}", "at": "?" if ago == 64 else at})
    return SimpleNamespace(state=state)


@pytest.mark.parametrize("ago", [0, 3, 63, 64, 65, 200, 364, 400])
def test_all_that_was_sent_since_an_incident_opened_is_read(world, ago: int) -> None:
    opened = NOW - timedelta(days=ago)
    rows = _sent(world, [NOW, opened], NOW)
    whole = world.state.rows(LEDGER)
    assert rows == whole[len(whole) - len(rows) :]
    assert len(rows) >= min(max(ago, 8), 365)


def test_where_nothing_is_open_a_long_past_is_not_read(world) -> None:
    assert len(_sent(world, [], NOW - timedelta(days=0.5))) < 300
    calm = SimpleNamespace(state=MemoryState())
    assert _sent(calm, [], NOW) == []
