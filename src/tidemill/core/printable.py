"""Text that a terminal may be given: what would move its cursor is shown, not obeyed."""

from __future__ import annotations

import re

# Control characters but newline and tab; what turns the direction of text; half surrogate pairs.
_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""Write control characters as escapes, so that text of others cannot act on a terminal.

    Examples
    --------
    >>> print(printable("a\x1b[2Jb"))
    a\x1b[2Jb
    """
    return text if text.isascii() and text.isprintable() else _OBEYED.sub(_escape, text)


def printable_json(text: str) -> str:
    r"""Do the same for a JSON document, which stays one and means the same.

    Examples
    --------
    >>> print(printable_json('{"a": "\x9b2J"}'))
    {"a": "\u009b2J"}
    """
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
