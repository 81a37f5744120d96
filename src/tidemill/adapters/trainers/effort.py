"""What shared jobs told of themselves, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Done:
    """A job that ended: what a progress bar shows."""

    key: str
    kind: str
    ok: bool
    why: str
    """Why it failed, or what was wrong with the folder of results."""
    seconds: float
    kept: bool
    """Whether it was found on disk."""


@dataclass(kw_only=True)
class Spent:
    """The effort of one kind of job: how many different ones, and their measured seconds."""

    jobs: int = 0
    seconds: float = 0.0
