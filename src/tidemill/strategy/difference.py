"""What differs between two strategies, rule by rule and field by field."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.core.fingerprint import SOURCE, canonical, describe, name_of
from tidemill.core.rule import is_rule

_DEEPEST = 12
"""How many values within values are looked into; deeper ones are compared as a whole."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference: where, what it was, what it is, and whether it counts."""

    path: str
    """The field, such as ``trigger.period`` or ``offline[0].floor``."""
    old: str | None = None
    """As one would write it in a strategy file; None where there was nothing."""
    new: str | None = None
    relevant: bool
    """Whether it changes the content hash; else it is cosmetic, such as a comment."""
    code: bool = False
    """Whether it is the code behind a name that changed."""
    diff: str = ""
    """The lines of code that changed, where both texts are at hand."""

    def __str__(self) -> str:
        if self.code:
            return f"{self.path}: code changed"
        if self.old is None:
            return f"{self.path}: added {self.new}"
        if self.new is None:
            return f"{self.path}: removed {self.old}"
        return f"{self.path}: {self.old} → {self.new}"


def difference(old: object, new: object) -> list[Change]:
    """Compare two strategies, or two values of any kind that a rule may hold.

    The content hashes are equal if and only if no change is relevant: what is found below a
    value counts only where the value itself has another hash, and a value with another hash
    below which nothing is found is a change itself.

    Examples
    --------
    >>> from tidemill import Every, Strategy
    >>> from tidemill.loop.training.function import always_the_mean
    >>> weekly = Strategy(training=always_the_mean, trigger=Every("7d"))
    >>> rarely = dataclasses.replace(weekly, trigger=Every("14d"), comment="it costs too much")
    >>> for change in difference(weekly, rarely):
    ...     print(change, change.relevant)
    trigger.period: '7d' → '14d' True
    comment: '' → 'it costs too much' False
    """
    return list(_walk("", old, new, counts=True, depth=0))


def _walk(path: str, old: object, new: object, *, counts: bool, depth: int) -> Iterator[Change]:
    differs = canonical(old) != canonical(new)
    relevant = counts and differs
    found = []
    if depth < _DEEPEST:
        found = list(_below(path, old, new, counts=relevant, depth=depth + 1))
        yield from found
    missed = not any(c.relevant for c in found) if relevant else differs and not found
    if missed:
        yield _leaf(path, old, new, relevant=relevant)


def _leaf(path: str, old: object, new: object, *, relevant: bool) -> Change:
    was, now = told(old), told(new)
    if was == now or _is_code(old, new):
        diff = code_diff(old, new)
        if was == now:
            return Change(path=path or "it", relevant=relevant, code=True, diff=diff)
        return Change(path=path or "it", old=was, new=now, relevant=relevant, diff=diff)
    return Change(path=path or "it", old=was, new=now, relevant=relevant)


def _below(path: str, old: Any, new: Any, *, counts: bool, depth: int) -> Iterator[Change]:
    """Compare what two values of one kind are made of; nothing for values of unlike kinds."""
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        yield from _sequences(path, old, new, counts=counts, depth=depth)
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _members(path, dict(old), dict(new), counts=counts, depth=depth, key="[{!r}]")
    elif isinstance(old, functools.partial) and isinstance(new, functools.partial):
        parts = [{n: getattr(p, n) for n in ("func", "args", "keywords")} for p in (old, new)]
        yield from _members(path, *parts, counts=counts, depth=depth)
    elif not isinstance(old, type) and name_of(type(old)) == name_of(type(new)):
        yield from _alike(path, old, new, counts=counts, depth=depth)


def _alike(path: str, old: Any, new: Any, *, counts: bool, depth: int) -> Iterator[Change]:
    """Compare two objects of one class."""
    if is_rule(old):
        yield from _class_code(path, old, new, counts=counts)
        yield from _fields(path, old, new, counts=counts, depth=depth)
    elif hasattr(old, "get_params"):
        yield from _class_code(path, old, new, counts=counts)
        parts = [one.get_params(deep=False) for one in (old, new)]
        yield from _members(path, *parts, counts=counts, depth=depth)
    elif not inspect.isroutine(old) and isinstance(getattr(old, "__dict__", None), dict):
        yield from _class_code(path, old, new, counts=counts)
        yield from _members(path, vars(old), vars(new), counts=counts, depth=depth)


def _fields(path: str, old: Any, new: Any, *, counts: bool, depth: int) -> Iterator[Change]:
    """Compare two rules field by field; a cosmetic field never counts."""
    fields = {f.name: f for one in (old, new) for f in dataclasses.fields(one)}
    for name, field in fields.items():
        sides = [{name: getattr(one, name)} if hasattr(one, name) else {} for one in (old, new)]
        matters = counts and not field.metadata.get("cosmetic")
        yield from _members(path, *sides, counts=matters, depth=depth)


def _members(
    path: str,
    old: dict[str, Any],
    new: dict[str, Any],
    *,
    counts: bool,
    depth: int,
    key: str = ".{}",
) -> Iterator[Change]:
    """Compare two sets of named values."""
    for name in dict.fromkeys([*old, *new]):
        where = (path + key.format(name)).removeprefix(".")
        if name not in new:
            yield Change(path=where, old=told(old[name]), relevant=counts)
        elif name not in old:
            yield Change(path=where, new=told(new[name]), relevant=counts)
        else:
            yield from _walk(where, old[name], new[name], counts=counts, depth=depth)


def _sequences(path: str, old: Any, new: Any, *, counts: bool, depth: int) -> Iterator[Change]:
    """Compare two lists; what is of one kind is compared with each other."""
    kinds = [[_kind(v) for v in one] for one in (old, new)]
    steps = difflib.SequenceMatcher(None, *kinds, autojunk=False).get_opcodes()
    for _, a, b, c, d in steps:
        for i, j in zip(range(a, b), range(c, d), strict=False):
            yield from _walk(f"{path}[{j}]", old[i], new[j], counts=counts, depth=depth)
        both = min(b - a, d - c)
        for i in range(a + both, b):
            yield Change(path=f"{path}[{i}]", old=told(old[i]), relevant=counts)
        for j in range(c + both, d):
            yield Change(path=f"{path}[{j}]", new=told(new[j]), relevant=counts)


def _kind(value: object) -> str:
    """Say what an item of a list is, to compare it with its like: a named step, a rule, a value."""
    if isinstance(value, list | tuple) and value and isinstance(value[0], str):
        return value[0]
    return name_of(type(value)) if is_rule(value) else canonical(value)


def _class_code(path: str, old: Any, new: Any, *, counts: bool) -> Iterator[Change]:
    """Say when the class itself, written in the strategy file, has other code."""
    code = [describe(one) for one in (old, new)]
    if all(isinstance(c, dict) for c in code) and code[0].get("code") != code[1].get("code"):
        diff = code_diff(type(old), type(new))
        yield Change(path=path or type(new).__name__, relevant=counts, code=True, diff=diff)


def _is_code(old: object, new: object) -> bool:
    return all(inspect.isroutine(v) or isinstance(v, type) for v in (old, new))


def code_diff(old: object, new: object) -> str:
    """Return the lines in which the code of two functions differs; empty when it is not known.

    When they are the same themselves it is what stands around them in their files, the
    strategy apart, since they may call it.
    """
    files = [_file_of(one) for one in (old, new)]
    own = [_own_lines(one, file) for one, file in zip((old, new), files, strict=True)]
    if own[0] == own[1]:
        own = [_definitions(file) for file in files]
    if not all(own):
        return ""
    before, after = (text.splitlines() for text in own)
    return "\n".join(difflib.unified_diff(before, after, "before", "after", lineterm=""))


def _file_of(value: Any) -> str:
    """Return the text of the strategy file that a function or class comes from."""
    found = getattr(value, "__globals__", {}).get(SOURCE)
    return str(found or getattr(inspect.getmodule(value), SOURCE, ""))


def _own_lines(value: Any, file: str) -> str:
    """Return the text of a function or class, from its strategy file as it was then."""
    if not file:
        try:
            return inspect.getsource(value)
        except (OSError, TypeError):  # made at a prompt, or not in Python
            return ""
    name = value.__qualname__.rpartition(".")[2]
    line = getattr(getattr(value, "__code__", None), "co_firstlineno", 0)
    for node in ast.walk(ast.parse(file)):
        named = isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name
        if named or (name == "<lambda>" and isinstance(node, ast.Lambda) and node.lineno == line):
            return ast.get_source_segment(file, node) or ""
    return ""


def _definitions(file: str) -> str:
    """Return the text of a strategy file without ``strategy = ...``."""
    lines = file.splitlines()
    for node in ast.parse(file).body if file else ():
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        if any(isinstance(t, ast.Name) and t.id == "strategy" for t in targets):
            lines[node.lineno - 1 : node.end_lineno] = [""] * (
                (node.end_lineno or node.lineno) - node.lineno + 1
            )
    return "\n".join(lines).rstrip()


def told(value: object) -> str:
    """Write a value as in a strategy file, with only the fields of a rule that were changed.

    Examples
    --------
    >>> from tidemill import AUC, AtLeast, Every
    >>> told([AtLeast(AUC(), 0.6), Every("7d")])
    "[AtLeast(AUC(), 0.6), Every('7d')]"
    """
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(told(v) for v in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{told(k)}: {told(v)}' for k, v in value.items())}}}"
    if is_rule(value):
        return f"{type(value).__name__}({', '.join(_given(value))})"
    name = getattr(value, "__name__", None)
    text = name if callable(value) and isinstance(name, str) else str(value).split(" at 0x")[0]
    return " ".join(text.split())


def _given(value: Any) -> Iterator[str]:
    for field in dataclasses.fields(value):
        held = getattr(value, field.name)
        if field.default is dataclasses.MISSING or canonical(held) != canonical(field.default):
            yield f"{field.name}={told(held)}" if field.kw_only else told(held)
