"""What a store says is wrong with what it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """Something that is wrong with what is stored, and what can be done about it.

    A store may have a method ``flaws() -> Iterable[Flaw]``; ``tidemill check`` asks it.
    """

    what: str
    fix: str
    mend: Callable[[], object] | None = None
    """Puts it right without losing anything that was acknowledged; None where only a person can."""

    def __str__(self) -> str:
        return f"{self.what} Fix: {self.fix}"
