"""SQL of DuckDB in pieces: names and texts quoted, errors told as ours."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

import duckdb

from tidemill.core.errors import BadInput

_LONGEST = 300


def select(what: str, rows: str, *rest: str) -> str:
    """Write a SELECT.

    Examples
    --------
    >>> select("count(*)", "rows", "LIMIT 1")
    'SELECT count(*) FROM rows LIMIT 1'
    """
    return " ".join(("SELECT", what, "FROM", rows, *rest)).rstrip()


def quoted(name: str) -> str:
    """Write the name of a column.

    Examples
    --------
    >>> print(quoted('a "b" c'))
    "a ""b"" c"
    """
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Write a text.

    Examples
    --------
    >>> text("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def listed(values: Sequence[str]) -> str:
    """Write a list of texts.

    Examples
    --------
    >>> listed(["a", "b"])
    "['a', 'b']"
    """
    return f"[{', '.join(map(text, values))}]"


@contextmanager
def told(files: Sequence[str]) -> Generator[None]:
    """Say as an error of ours what DuckDB could not read."""
    try:
        yield
    except duckdb.Error as error:
        said = " ".join(str(error).split())[:_LONGEST].rstrip(".")
        raise BadInput(
            f"{files[0] if files else 'the table'} cannot be read: {said}.", fix="export it again."
        ) from None
