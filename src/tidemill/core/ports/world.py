"""A world: all that a strategy is turned in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from tidemill.core.clock import Clock
from tidemill.core.ports.blobs import BlobStore
from tidemill.core.ports.engines import Engine
from tidemill.core.ports.events import EventStore
from tidemill.core.ports.inbox import Inbox
from tidemill.core.ports.jobs import Jobs
from tidemill.core.ports.state import StateStore

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything outside the strategy: the adapters, the clock, the salt."""

    clock: Clock
    events: EventStore
    engine: Engine
    state: StateStore
    blobs: BlobStore
    jobs: Jobs
    inbox: Inbox
    salt: str
    place: str = ""
    """Names this machine, where several turn one mill: what was taken in from its own inbox."""
    shared_inbox: bool = False
    """Whether all those machines take in from one inbox."""
    door: Callable[[datetime], Any] | None = None
    """Opens the door to data at a moment, where a store knows a faster way than the engine."""
    recall: Callable[[tuple[Any, ...], Callable[[], Any]], Any] | None = None
    """Answers a question about data by its key when it was asked before; a replay of many
    strategies on one history asks most questions once."""

    remembered: dict[str, Any] = field(default_factory=dict)
    """What this process need not ask again; to lose it costs time and changes nothing."""

    def known(self, make: Callable[[], T], *key: Any) -> T:
        """Answer a question about data; its key must say all that the answer depends on."""
        return make() if self.recall is None else self.recall(key, make)

    def close(self) -> None:
        """Let go of files and processes; a job that runs goes on."""
        for part in (self.jobs, self.inbox, self.state):
            part.close()
