"""Ports: what the mill asks of the world. Adapters answer; nothing above knows which one.

Each port is passed by every adapter in ``adapters/`` through the same conformance suite
(:mod:`tidemill.testing`), so an in-memory store keeps the promises of the real one.
"""

from tidemill.core.ports.blobs import BlobStore, Objects
from tidemill.core.ports.engines import Engine, SpeaksSql
from tidemill.core.ports.events import EventStore, Snapshot
from tidemill.core.ports.flaw import Flaw
from tidemill.core.ports.inbox import Inbox, Parcel
from tidemill.core.ports.jobs import Job, JobResult, Jobs, KeepsInputs
from tidemill.core.ports.searcher import Searcher
from tidemill.core.ports.state import (
    Front,
    JournalRow,
    Json,
    Lease,
    Machine,
    StateStore,
    Transition,
)
from tidemill.core.ports.world import World

__all__ = [
    "BlobStore",
    "Engine",
    "EventStore",
    "Flaw",
    "Front",
    "Inbox",
    "Job",
    "JobResult",
    "Jobs",
    "JournalRow",
    "Json",
    "KeepsInputs",
    "Lease",
    "Machine",
    "Objects",
    "Parcel",
    "Searcher",
    "Snapshot",
    "SpeaksSql",
    "StateStore",
    "Transition",
    "World",
]
