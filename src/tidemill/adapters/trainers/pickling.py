"""Models and work as bytes, through cloudpickle: functions of a strategy file travel by value.

Only bytes from the project's own store are ever loaded, after their digest was checked.
"""

from __future__ import annotations

import pickle
import types

import cloudpickle


def by_value(module: types.ModuleType) -> None:
    """Let what a strategy file defines travel with the work, since no other process has it."""
    cloudpickle.register_pickle_by_value(module)


def dump(value: object) -> bytes:
    """Turn a model, a function or a rule into bytes."""
    return cloudpickle.dumps(value, protocol=5)


def load(data: bytes) -> object:
    """Turn bytes back; only ever called on bytes whose digest was checked."""
    return pickle.loads(data)  # noqa: S301 - the project's own store, digest checked
