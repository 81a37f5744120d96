"""SQL for Spark: what Ibis wrote made readable, and what people ask held to reading."""

from __future__ import annotations

import re
from collections.abc import Iterable

import sqlglot
from sqlglot import errors, exp

from tidemill.core.errors import BadInput

_RUNS_CODE = {"reflect", "java_method", "try_reflect"}
"""Functions that call any method of Java: they could change what they like."""


def readable(query: str) -> str:
    r"""Write three characters as themselves whose escapes Ibis writes and Spark does not read.

    Examples
    --------
    >>> readable(r"'a\fb', 'a\\fb'") == "'a\fb', 'a\\\\fb'"
    True
    """
    meant = {r"\a": "\a", r"\f": "\f", r"\v": "\v"}
    return re.sub(r"\\.", lambda found: meant.get(found[0], found[0]), query, flags=re.DOTALL)


def asked_for(query: str, views: Iterable[str]) -> list[str]:
    """Return which views a question may be about.

    Raises
    ------
    BadInput
        If it is no single SELECT, or does more than read.

    Examples
    --------
    >>> asked_for("select count(*) from Records r join labels using (record_id)", ["labels", "records", "signals"])
    ['labels', 'records']
    >>> asked_for("drop table records", ["records"])
    Traceback (most recent call last):
    ...
    tidemill.core.errors.BadInput: only one question at a time ... the views are: records.
    """
    try:
        statements = sqlglot.parse(query, read="spark")
    except errors.SqlglotError as error:
        raise unanswered(re.sub(r"\x1b\[\d+m", "", str(error))) from None
    (asked, *more) = [s for s in statements if s is not None] or [None]
    if more or not isinstance(asked, exp.Query):
        raise BadInput(
            "only one question at a time is answered, and nothing is changed.",
            fix="write one SELECT; the views are: " + ", ".join(sorted(views)) + ".",
        )
    for called in asked.find_all(exp.Anonymous):
        if called.name.lower() in _RUNS_CODE:
            raise BadInput(
                f"{called.name} runs code, and nothing but reading is done.",
                fix="leave it out of the question.",
            )
    words = {word.lower() for word in re.findall(r"\w+", query)}
    return sorted(view for view in views if view in words)


def unanswered(error: object) -> BadInput:
    r"""Say why a question has no answer.

    Examples
    --------
    >>> print(unanswered("[NO_COLUMN] there is none.\nJVM stacktrace: ..."))
    [NO_COLUMN] there is none. Fix: mend the question; docs/monitoring.md lists the views.
    """
    said = " ".join(str(error).partition("\nJVM stacktrace")[0].split())[:400].rstrip(".")
    return BadInput(f"{said}.", fix="mend the question; docs/monitoring.md lists the views.")
