"""Machines whose payload is read when somebody asks for it: of those that have ended nobody does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tidemill.core.ports import Json, Machine


class HandedOut(Machine):
    """A machine that holds its payload as text until it is asked for.

    Examples
    --------
    >>> import json
    >>> from datetime import UTC, datetime
    >>> known = {"kind": "release", "id": "v1", "state": "live", "updated_at": datetime(2024, 3, 1, tzinfo=UTC)}
    >>> hand_out(known, '{"rows": 3}', json.loads).payload
    {'rows': 3}
    """

    def __getattr__(self, name: str) -> Any:
        # Called only for what is not there yet.
        if name != "payload":
            raise AttributeError(name)
        text, read = self.__dict__["_text"]
        payload = read(text)
        self.__dict__["payload"] = payload
        return payload

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Machine) and _fields(self) == _fields(other)

    __hash__ = None  # type: ignore[assignment] - as a Machine, whose payload has no hash
    __repr__ = Machine.__repr__


def hand_out(known: Json, text: str, read: Callable[[str], Any]) -> Machine:
    """Return a machine: ``known`` is all but its payload, which ``read`` makes of a text."""
    machine = object.__new__(HandedOut)
    machine.__dict__.update(known, _text=(text, read))
    return machine


def _fields(machine: Machine) -> tuple[object, ...]:
    m = machine
    return (m.kind, m.id, m.state, m.payload, m.updated_at)
