"""Which files of the edge were added up, so that none is counted twice."""

from __future__ import annotations

from dataclasses import dataclass

from tidemill.core.errors import BadInput


@dataclass(frozen=True, order=True)
class Part:
    """Files of one writer, numbered without a gap, that were added up.

    Parameters
    ----------
    writer
        Who counted, such as one process of a service.
    first, last
        The numbers of its first and last file.
    """

    writer: str
    first: int
    last: int


def joined(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Join files that follow one another; refuse the same one twice."""
    together: list[Part] = []
    for part in sorted(parts):
        last = together[-1] if together and together[-1].writer == part.writer else None
        if last is not None and part.first <= last.last:
            raise BadInput(
                f"file {part.first} of {part.writer!r} would be counted twice.",
                fix="use tidemill.measures.edge.taken_in, which counts each file once.",
            )
        if last is not None and part.first == last.last + 1:
            together[-1] = Part(part.writer, last.first, part.last)
        else:
            together.append(part)
    return tuple(together)


def without(whole: tuple[Part, ...], taken: tuple[Part, ...]) -> tuple[Part, ...]:
    """Take files away that are among those added up."""
    left = list(whole)
    for part in taken:
        holder = next((p for p in left if holds(p, part)), None)
        if holder is None:
            raise BadInput(
                f"file {part.first} of {part.writer!r} is not in the whole.",
                fix="subtract only what was merged before.",
            )
        left.remove(holder)
        before = Part(part.writer, holder.first, part.first - 1)
        after = Part(part.writer, part.last + 1, holder.last)
        left.extend(p for p in (before, after) if p.first <= p.last)
    return tuple(left)


def holds(whole: Part, part: Part) -> bool:
    """Tell whether files are among those of a part."""
    return whole.writer == part.writer and whole.first <= part.first and part.last <= whole.last
