"""What fires whatever the rule says: a person who asks, and a first model."""

from __future__ import annotations

from tidemill.core.rules import Facts
from tidemill.core.verdict import Decision

FIRST = Decision(fire=True, why="no model was trained yet")
"""What every trigger that looks at a model says before there is one."""


def unconditional(facts: Facts) -> Decision | None:
    """Return the decision that needs no rule, or None when the rule must decide.

    Examples
    --------
    >>> from tidemill.core.clock import instant
    >>> facts = Facts(now=instant("2013-01-14"), last_triggered=None, asked=None)
    >>> unconditional(facts).why
    'no model was trained yet'
    """
    if facts.asked:
        return Decision(fire=True, why=f"asked for by {facts.asked}")
    if facts.last_triggered is None:
        return FIRST
    return None
