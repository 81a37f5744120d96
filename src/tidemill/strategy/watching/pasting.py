"""A cohort put into the text of a strategy file, everything else left as it is, byte for byte."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Callable, Iterator, Sequence

from tidemill.core.errors import BadInput
from tidemill.strategy.watching.layout import (
    Edit,
    appended,
    edited,
    end_of,
    indent_of,
    newline,
    offset,
    start_of,
)

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
        changed = edited(source, edits)
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


_Import = Callable[[str], list["Edit"]]


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


def _listed(source: str, call: ast.Call, line: str) -> Iterator[Edit]:
    """Put the cohort into the list of cohorts, or the list into the call."""
    given = [k.value for k in call.keywords if k.arg == "cohorts"]
    if not given:
        parts: list[ast.AST] = [*call.args, *call.keywords]
        yield from appended(source, call, parts, f"cohorts=[{line}]")
        return
    held = given[0]
    if not isinstance(held, ast.List | ast.Tuple):
        raise _NotSimple("its cohorts are not written as a list")
    if isinstance(held, ast.Tuple) and source[start_of(source, held)] != "(":
        raise _NotSimple("its cohorts are not written as a list")
    yield from appended(source, held, list(held.elts), line)


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


def _imported(source: str, tree: ast.Module, found: Sequence[ast.ImportFrom]) -> list[Edit]:
    """Import the name: among those of the package in their order, else in a line of its own."""
    if found:
        names = found[0].names
        after = next((a for a in names if a.name > NAME), None)
        if after is None:
            return [Edit(end_of(source, names[-1]), f", {NAME}")]
        start = start_of(source, after)
        indent = indent_of(source, start)
        between = f",{newline(source)}{indent}" if indent is not None else ", "
        return [Edit(start, f"{NAME}{between}")]
    line = f"from {PACKAGE} import {NAME}{newline(source)}"
    last = None
    for node in tree.body:
        words = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Import | ast.ImportFrom) or (words and last is None):
            last = node
    if last is None:
        return [Edit(0, line)]
    begin = offset(source, (last.end_lineno or 1) + 1, 0)
    return [Edit(begin, line)]


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
