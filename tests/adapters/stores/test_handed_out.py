"""What is read of the state: no more than is asked for, so that history costs a turn nothing."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from tidemill.adapters.stores.memory import MemoryBlobs
from tidemill.adapters.stores.sql import SqlState
from tidemill.core.errors import Damaged
from tidemill.core.machines import RELEASE
from tidemill.core.ports import Machine, Transition
from tidemill.strategy.models import model_of

AT = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path):
    """Two trained releases, of which the payloads of the first are torn everywhere."""
    made = SqlState(tmp_path / "state.db")
    with made.lease("test") as lease:
        for name in ("v1", "v2"):
            path = (None, "triggered", "training", "trained")
            for source, target in pairwise(path):
                payload = {"model": {"digest": name}} if target == "trained" else {}
                step = Transition(
                    kind=RELEASE, id=name, source=source, target=target, why="", at=AT
                )
                made.transition(lease, replace(step, payload=payload))
    with sqlite3.connect(tmp_path / "state.db") as db:
        db.execute("UPDATE machines SET payload = '{' WHERE id = 'v1'")
        db.execute("UPDATE journal SET payload = '{' WHERE machine = 'v1'")
    db.close()
    yield made
    made.close()


def test_a_payload_is_read_when_it_is_asked_for(state) -> None:
    torn, whole = state.machines(RELEASE)
    assert [(m.id, m.state, m.updated_at) for m in (torn, whole)] == [
        ("v1", "trained", AT),
        ("v2", "trained", AT),
    ]
    assert whole.payload == {"model": {"digest": "v2"}}
    same = Machine(kind=RELEASE, id="v2", state="trained", payload=whole.payload, updated_at=AT)
    assert whole == same
    assert same == whole
    assert replace(whole, state="failed").payload == whole.payload
    with pytest.raises(Damaged, match="Fix: "):
        _ = torn.payload


def test_a_model_is_checked_against_the_journal_of_its_release_only(state) -> None:
    blobs = MemoryBlobs()
    digest = blobs.put("models", b"model")
    world = SimpleNamespace(state=state, blobs=blobs)
    with pytest.raises(Damaged, match="no fit of it made"):
        model_of(world, "v2", digest)
    with pytest.raises(Damaged, match="never wrote"):
        model_of(world, "v1", digest)
