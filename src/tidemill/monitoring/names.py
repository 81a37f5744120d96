"""What people call a thing, as the name of a metric."""

from __future__ import annotations

import re


def snake(name: str) -> str:
    """Write what people call something as a name in snake case.

    Examples
    --------
    >>> snake("Arrives after it departs!"), snake("Größe")
    ('arrives_after_it_departs', 'größe')
    """
    return re.sub(r"\W+", "_", name.lower()).strip("_") or "unnamed"
