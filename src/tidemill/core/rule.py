"""``@rule``: a frozen value with one method; its fields are its configuration."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Iterator
from typing import Any, TypeVar, dataclass_transform, get_args, get_origin, get_type_hints

from tidemill.core.errors import BadValue
from tidemill.core.limits import Limit, OrNone

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def rule(cls: type[T]) -> type[T]:
    """Make a class a rule: frozen, slotted, its limits checked once, at birth.

    Fields without a default may be given by position; fields with one come after
    ``_: KW_ONLY`` and are given by name.

    Raises
    ------
    BadValue
        At construction, when a field breaks the limit its annotation states.

    Examples
    --------
    >>> from typing import Annotated
    >>> from tidemill.core.limits import Whole
    >>> @rule
    ... class Few:
    ...     "At most n."
    ...     n: Annotated[int, Whole(1)]
    >>> Few(3)
    Few(n=3)
    >>> Few(0)
    Traceback (most recent call last):
    ...
    tidemill.core.errors.BadValue: Few(n=0): n must be a whole number, at least 1. Fix: pass n as a whole number, at least 1.
    """
    own = cls.__dict__.get("__post_init__")
    frame = inspect.currentframe()
    # Read here, where the names in the annotations mean what their author meant.
    found = tuple(_stated(cls, frame.f_back.f_locals if frame and frame.f_back else {}))

    def __post_init__(self: Any) -> None:
        for name, limit in found:
            check(type(self).__name__, name, getattr(self, name), limit)
        if own is not None:
            own(self)

    cls.__post_init__ = __post_init__  # type: ignore[attr-defined]
    cls.__limits__ = found  # type: ignore[attr-defined]
    return dataclasses.dataclass(frozen=True, slots=True)(cls)


def check(owner: str, name: str, value: object, limit: Limit) -> None:
    """Raise ``BadValue`` when the value breaks the limit."""
    must = limit.broken(value)
    if must is not None:
        raise BadValue(
            f"{owner}({name}={value!r}): {name} must be {must}.", fix=f"pass {name} as {must}."
        )


def limits(cls: type) -> Iterator[tuple[str, Limit]]:
    """Yield every (field, limit) a rule class states in its annotations."""
    yield from getattr(cls, "__limits__", ())


def _stated(cls: type, names: dict[str, Any]) -> Iterator[tuple[str, Limit]]:
    for name, hint in get_type_hints(cls, localns=names, include_extras=True).items():
        parts = get_args(hint) if get_origin(hint) is typing.Union else (hint,)
        for part in parts:
            for extra in getattr(part, "__metadata__", ()):
                if hasattr(extra, "broken"):
                    yield name, OrNone(extra) if type(None) in parts else extra


def is_rule(value: object) -> bool:
    """Tell whether a value is an instance of a rule class."""
    return dataclasses.is_dataclass(value) and not isinstance(value, type)
