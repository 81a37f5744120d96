"""Every error a person meets says what is wrong, where, and how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

_LONG = 80
"""Characters of a name that a list shows at most."""


class TidemillError(Exception):
    """Something the user can mend; always carries a ``fix``, and is one line.

    Parameters
    ----------
    what
        What is wrong, where, with the value that is wrong.
    fix
        What to do about it, as an instruction.

    Examples
    --------
    >>> print(TidemillError("no project at './x'.", fix="run 'tidemill init ./x'."))
    no project at './x'. Fix: run 'tidemill init ./x'.
    """

    def __init__(self, what: str, *, fix: str) -> None:
        # Names and values of others stand in it, and these may hold anything.
        self.what, self.fix = _one_line(what), _one_line(fix)
        super().__init__(self.what, self.fix)

    def __str__(self) -> str:
        return f"{self.what} Fix: {self.fix}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_restore, (type(self), self.what, self.fix))


class BadValue(TidemillError, ValueError):
    """A value is outside the limits its field states."""


class BadInput(TidemillError):
    """A file, table or record cannot be taken in as it is."""


class NotFound(TidemillError, LookupError):
    """A name that does not exist; the message suggests the nearest one."""


class Busy(TidemillError):
    """Another process holds what this one needs."""


class Unreachable(TidemillError):
    """A server or a disk that the project needs does not answer, or refuses."""


class Damaged(TidemillError):
    """Stored data does not match its own digest or invariants."""


class NotAllowed(TidemillError):
    """The step is not allowed from the present state."""


class MissingExtra(TidemillError, ImportError):
    """An optional integration is used but not installed."""


def _one_line(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _restore(kind: type[TidemillError], what: str, fix: str) -> TidemillError:
    return kind(what, fix=fix)


def enumerated(names: Sequence[str], *, most: int = 40) -> str:
    """List names, but not thousands of them.

    Examples
    --------
    >>> enumerated(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    shown = [name if len(name) <= _LONG else f"{name[:_LONG]}…" for name in names[:most]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def unknown(kind: str, name: str, known: Iterable[str]) -> NotFound:
    """Build the error for a name that does not exist.

    Examples
    --------
    >>> print(unknown("metric", "acuracy", ["accuracy", "auc"]))
    unknown metric 'acuracy'. Fix: did you mean 'accuracy'? Known: accuracy, auc.
    """
    names, name = sorted(known), name if len(name) <= _LONG else f"{name[:_LONG]}…"
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    listed = enumerated(names) if names else "none yet"
    return NotFound(f"unknown {kind} {name!r}.", fix=f"{hint}Known: {listed}.")
