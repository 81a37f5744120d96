"""A cohort put into the text of a strategy file, everything else left as it is, byte for byte."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tidemill.core.errors import BadInput

NAME, PACKAGE = "Cohort", "tidemill"


def with_cohort(source: str, name: str, where: str) -> str:
    r"""Return the text of a strategy file with one more cohort.

    It goes to the end of ``cohorts=[...]`` of the one call ``strategy = Strategy(...)``, which
    gets that keyword if it has none; ``Cohort`` is imported if it is not. The new text must
    parse to the old tree with nothing but these added, else it is refused.

    Parameters
    ----------
    source
        The text.
    name
        Of the cohort.
    where
        Its condition: an expression of ``r``, an Ibis table of records, or a lambda.

    Raises
    ------
    BadInput
        If the condition is no expression, or the file is not simple enough to be changed; the
        fix then names the line to paste.

    Examples
    --------
    >>> text = "from tidemill import Strategy\nstrategy = Strategy(training=f, cohorts=[])\n"
    >>> print(with_cohort(text, "far", "r.f_miles > 500"), end="")
    from tidemill import Cohort, Strategy
    strategy = Strategy(training=f, cohorts=[Cohort("far", lambda r: r.f_miles > 500)])
    """
    line = line_of(name, where)
    try:
        tree = ast.parse(source)
        called, imported = _called(tree)
        call = _call(tree)
        line = line.replace(NAME, called, 1)
        edits = list(_listed(source, call, line))
        if imported is not None:
            edits += imported(source)
        changed = _edited(source, edits)
        _same_but(tree, changed, line, needs_import=imported is not None)
    except (_NotSimple, SyntaxError, tokenize.TokenError) as error:
        why = str(error) if isinstance(error, _NotSimple) else "it is not laid out simply enough"
        raise BadInput(
            f"strategy.py is not changed: {why}.",
            fix=f"paste it into cohorts=[...] of Strategy yourself: {line}",
        ) from None
    return changed


def line_of(name: str, where: str) -> str:
    """Write a cohort as Python.

    Raises
    ------
    BadInput
        If the condition is no expression.

    Examples
    --------
    >>> line_of("far", "r.f_miles > 500")
    'Cohort("far", lambda r: r.f_miles > 500)'
    """
    return f"{NAME}({_quoted(name)}, {_condition(where)})"


_Import = Callable[[str], list["_Edit"]]


class _NotSimple(Exception):
    """The file is written in a way that only its author should change."""


def _condition(where: str) -> str:
    text = where.strip()
    try:
        body = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise BadInput(
            f"the condition {text!r} is no Python expression: {error.args[0]}.",
            fix="write one of r, the records, such as 'r.f_carrier == \"9E\"'.",
        ) from None
    if "\n" in text or "#" in _outside_texts(text):
        raise BadInput(
            f"the condition {text!r} has more than one line or a comment.",
            fix="write it in one line without a comment.",
        )
    return text if isinstance(body, ast.Lambda) else f"lambda r: {text}"


def _outside_texts(text: str) -> str:
    return re.sub(r"\"(\\.|[^\"\\])*\"|'(\\.|[^'\\])*'", "", text)


def _quoted(name: str) -> str:
    plain = name.isprintable() and '"' not in name and "\\" not in name
    return f'"{name}"' if plain else repr(name)


@dataclass(frozen=True)
class _Edit:
    """Text that is put in at an offset, in characters from the beginning."""

    at: int
    text: str


def _edited(source: str, edits: Sequence[_Edit]) -> str:
    for edit in sorted(edits, key=lambda e: -e.at):
        source = source[: edit.at] + edit.text + source[edit.at :]
    return source


def _lines(source: str) -> list[str]:
    """Cut a text into lines where Python does, and not at other marks of Unicode."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$", source)


def _offset(source: str, line: int, column: int) -> int:
    """Turn a line from 1 and a column in bytes, as trees have them, into an offset."""
    lines = _lines(source)
    within = lines[line - 1].encode()[:column].decode() if line <= len(lines) else ""
    return sum(map(len, lines[: line - 1])) + len(within)


def _call(tree: ast.Module) -> ast.Call:
    """Find the one call that makes the strategy."""
    made = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and any(isinstance(t, ast.Name) and t.id == "strategy" for t in _targets(node))
    ]
    if len(made) != 1:
        raise _NotSimple(f"it assigns strategy {len(made)} times, not once")
    call = made[0]
    if not isinstance(call, ast.Call) or ast.unparse(call.func).split(".")[-1] != "Strategy":
        raise _NotSimple("strategy is not assigned a call of Strategy(...)")
    if any(k.arg is None for k in call.keywords) or any(
        isinstance(a, ast.Starred) for a in call.args
    ):
        raise _NotSimple("Strategy(...) is given values by * or **")
    return call


def _targets(node: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def _listed(source: str, call: ast.Call, line: str) -> Iterator[_Edit]:
    """Put the cohort into the list of cohorts, or the list into the call."""
    given = [k.value for k in call.keywords if k.arg == "cohorts"]
    if not given:
        parts: list[ast.AST] = [*call.args, *call.keywords]
        yield from _appended(source, call, parts, f"cohorts=[{line}]")
        return
    held = given[0]
    if not isinstance(held, ast.List | ast.Tuple):
        raise _NotSimple("its cohorts are not written as a list")
    if isinstance(held, ast.Tuple) and source[_start(source, held)] != "(":
        raise _NotSimple("its cohorts are not written as a list")
    yield from _appended(source, held, list(held.elts), line)


def _start(source: str, node: ast.AST) -> int:
    return _offset(source, getattr(node, "lineno", 1), getattr(node, "col_offset", 0))


def _end(source: str, node: ast.AST) -> int:
    return _offset(source, getattr(node, "end_lineno", 1), getattr(node, "end_col_offset", 0))


def _appended(source: str, holder: ast.AST, parts: Sequence[ast.AST], text: str) -> Iterator[_Edit]:
    """Add a part to what stands between brackets, laid out as the parts before it."""
    close = _end(source, holder) - 1
    if not parts:
        yield _Edit(close, f"{text}," if isinstance(holder, ast.Tuple) else text)
        return
    last = max(parts, key=lambda p: _end(source, p))
    end = _end(source, last)
    comma = _has_comma(source[end:close])
    breaks = [m.start() for m in re.finditer(r"\r\n|\r|\n", source[end:close])]
    indent = _indent(source, _start(source, last))
    if not breaks or indent is None:
        # One line, or parts that share lines: the new one follows the last.
        yield _Edit(end, f", {text}")
        return
    newline = _newline(source[end:])
    if not comma:
        yield _Edit(end, ",")
    # A comment behind the last part stays with it.
    yield _Edit(end + breaks[0], f"{newline}{indent}{text}" + ("," if comma else ""))


def _has_comma(rest: str) -> bool:
    """Tell whether a comma stands behind a part; one in a comment is none."""
    tokens = tokenize.generate_tokens(io.StringIO(f"({rest})").readline)
    return any(t.type == tokenize.OP and t.string == "," for t in tokens)


def _indent(source: str, start: int) -> str | None:
    """Return what stands before a part in its line if that is only space."""
    begin = max(source.rfind("\n", 0, start), source.rfind("\r", 0, start)) + 1
    before = source[begin:start]
    return before if before.strip() == "" else None


def _called(tree: ast.Module) -> tuple[str, _Import | None]:
    """Say how the file calls a cohort, and how to import it where it is not."""
    found = [n for n in tree.body if isinstance(n, ast.ImportFrom) and _ours(n)]
    for node in found:
        for alias in node.names:
            if alias.name in (NAME, "*"):
                return alias.asname or NAME, None
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == PACKAGE:
                    return f"{alias.asname or PACKAGE}.{NAME}", None
    if _bound(tree):
        raise _NotSimple(f"{NAME} is the name of something else in it")
    return NAME, lambda source: _imported(source, tree, found)


def _ours(node: ast.ImportFrom) -> bool:
    return node.module == PACKAGE and not node.level


def _bound(tree: ast.Module) -> bool:
    """Tell whether the name is taken."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == NAME and isinstance(node.ctx, ast.Store):
            return True
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == NAME:
            return True
        if isinstance(node, ast.alias) and (node.asname or node.name) == NAME:
            return True
    return False


def _imported(source: str, tree: ast.Module, found: Sequence[ast.ImportFrom]) -> list[_Edit]:
    """Import the name: among those of the package in their order, else in a line of its own."""
    if found:
        names = found[0].names
        after = next((a for a in names if a.name > NAME), None)
        if after is None:
            return [_Edit(_end(source, names[-1]), f", {NAME}")]
        start = _start(source, after)
        indent = _indent(source, start)
        between = f",{_newline(source)}{indent}" if indent is not None else ", "
        return [_Edit(start, f"{NAME}{between}")]
    line = f"from {PACKAGE} import {NAME}{_newline(source)}"
    last = None
    for node in tree.body:
        words = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Import | ast.ImportFrom) or (words and last is None):
            last = node
    if last is None:
        return [_Edit(0, line)]
    begin = _offset(source, (last.end_lineno or 1) + 1, 0)
    return [_Edit(begin, line)]


def _newline(source: str) -> str:
    found = re.search(r"\r\n|\r|\n", source)
    return found.group() if found else "\n"


def _same_but(tree: ast.Module, changed: str, line: str, *, needs_import: bool) -> None:
    """Make sure that nothing but the cohort and its import came in."""
    new = ast.parse(changed)
    call = _call(new)
    held = next(k for k in call.keywords if k.arg == "cohorts")
    added = held.value.elts.pop() if isinstance(held.value, ast.List | ast.Tuple) else held.value
    had = any(k.arg == "cohorts" for k in _call(tree).keywords)
    if not had:
        call.keywords.remove(held)
    if needs_import:
        _take_import(new)
    same = ast.dump(added) == ast.dump(ast.parse(line, mode="eval").body)
    if not same or ast.dump(new) != ast.dump(tree):
        raise _NotSimple("its cohorts are laid out in a way that cannot be added to safely")


def _take_import(tree: ast.Module) -> None:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            for alias in node.names:
                if alias.name == NAME:
                    node.names.remove(alias)
                    if not node.names:
                        tree.body.remove(node)
                    return
