"""Edits of the text of a Python file, laid out as what stands around them."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """Text that is put in at an offset, in characters from the beginning."""

    at: int
    text: str


def edited(source: str, edits: Sequence[Edit]) -> str:
    """Return a text with edits made."""
    for edit in sorted(edits, key=lambda e: -e.at):
        source = source[: edit.at] + edit.text + source[edit.at :]
    return source


def _lines(source: str) -> list[str]:
    """Cut a text into lines where Python does, and not at other marks of Unicode."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$", source)


def offset(source: str, line: int, column: int) -> int:
    """Turn a line from 1 and a column in bytes, as trees have them, into an offset."""
    lines = _lines(source)
    within = lines[line - 1].encode()[:column].decode() if line <= len(lines) else ""
    return sum(map(len, lines[: line - 1])) + len(within)


def start_of(source: str, node: ast.AST) -> int:
    """Return the offset where a part begins."""
    return offset(source, getattr(node, "lineno", 1), getattr(node, "col_offset", 0))


def end_of(source: str, node: ast.AST) -> int:
    """Return the offset behind a part."""
    return offset(source, getattr(node, "end_lineno", 1), getattr(node, "end_col_offset", 0))


def appended(source: str, holder: ast.AST, parts: Sequence[ast.AST], text: str) -> Iterator[Edit]:
    """Add a part to what stands between brackets, laid out as the parts before it."""
    close = end_of(source, holder) - 1
    if not parts:
        yield Edit(close, f"{text}," if isinstance(holder, ast.Tuple) else text)
        return
    last = max(parts, key=lambda p: end_of(source, p))
    end = end_of(source, last)
    comma = _has_comma(source[end:close])
    breaks = [m.start() for m in re.finditer(r"\r\n|\r|\n", source[end:close])]
    indent = indent_of(source, start_of(source, last))
    if not breaks or indent is None:
        # One line, or parts that share lines: the new one follows the last.
        yield Edit(end, f", {text}")
        return
    mark = newline(source[end:])
    if not comma:
        yield Edit(end, ",")
    # A comment behind the last part stays with it.
    yield Edit(end + breaks[0], f"{mark}{indent}{text}" + ("," if comma else ""))


def _has_comma(rest: str) -> bool:
    """Tell whether a comma stands behind a part; one in a comment is none."""
    tokens = tokenize.generate_tokens(io.StringIO(f"({rest})").readline)
    return any(t.type == tokenize.OP and t.string == "," for t in tokens)


def indent_of(source: str, start: int) -> str | None:
    """Return what stands before a part in its line if that is only space."""
    begin = max(source.rfind("\n", 0, start), source.rfind("\r", 0, start)) + 1
    before = source[begin:start]
    return before if before.strip() == "" else None


def newline(source: str) -> str:
    """Return how the first line of a text ends."""
    found = re.search(r"\r\n|\r|\n", source)
    return found.group() if found else "\n"
