"""One content hash for rules, strategies and code, with what is cosmetic left out.

The fingerprint of a rule is the hash of its class, its fields and the code of any function
among them. A field declared with ``metadata={"cosmetic": True}`` (a title, a comment) does
not count: renaming an alert must not retrain a model. Code is hashed as a syntax tree, so
comments, blank lines and docstrings do not count either.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import numpy as np

from tidemill.core.durations import words

SOURCE = "__tidemill_source__"
"""Module attribute holding the text of a strategy file, set by whoever loads it."""

_inside: ContextVar[tuple[int, ...]] = ContextVar("_inside", default=())
"""The objects being described, so that one that holds itself comes to an end."""


def fingerprint(value: object) -> str:
    """Hash a value to 16 hexadecimal digits.

    Examples
    --------
    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:16]


def canonical(value: object) -> str:
    """Write a value as JSON with sorted keys; equal values give equal text."""
    return json.dumps(describe(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def describe(value: object) -> Any:  # noqa: C901, PLR0911 - any JSON, one line a kind
    """Turn a value into plain JSON: rules by class and fields, functions by their code."""
    if value is None or (isinstance(value, bool | int | str) and not isinstance(value, Enum)):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else repr(value)  # noqa: PLR0124
    if isinstance(value, np.generic | Enum):
        return value.value if isinstance(value, Enum) else describe(value.item())
    if isinstance(value, timedelta):
        return words(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(k): describe(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [describe(v) for v in value]
    if isinstance(value, set | frozenset):
        return sorted(canonical(v) for v in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"rule": name_of(type(value)), **_code_here(type(value))} | {
            f.name: describe(getattr(value, f.name))
            for f in dataclasses.fields(value)
            if not f.metadata.get("cosmetic")
        }
    if id(value) in _inside.get():
        return "itself"
    token = _inside.set((*_inside.get(), id(value)))
    try:
        return _describe_object(value)
    finally:
        _inside.reset(token)


def _describe_object(value: Any) -> Any:  # noqa: PLR0911 - as above
    kind = type(value)
    if isinstance(value, type):
        return {"class": name_of(value), **_code_here(value)}
    if isinstance(value, bytes | np.ndarray):
        data = value if isinstance(value, bytes) else np.ascontiguousarray(value).tobytes()
        shape = list(getattr(value, "shape", ()))
        return {kind.__name__: hashlib.sha256(data).hexdigest()[:16], "shape": shape}
    if hasattr(value, "get_params"):
        params = {k: describe(v) for k, v in value.get_params(deep=False).items()}
        return {"estimator": name_of(kind), "params": params, **_code_here(kind)}
    if isinstance(value, functools.partial):
        return {"partial": [describe(v) for v in (value.func, value.args, value.keywords)]}
    if inspect.ismethod(value):
        return {"method": value.__name__, "of": describe(value.__self__)}
    if inspect.isroutine(value):
        return _describe_function(value)
    code = {"code": code_of(kind)} if callable(value) else _code_here(kind)
    state = getattr(value, "__dict__", None)
    told = repr(value).split(" at 0x")[0] if state is None else describe(state)
    return {"object": name_of(kind), "state": told, **code}


def _describe_function(value: Any) -> Any:
    """Describe a function by its code and by what it closes over."""
    told = {"function": name_of(value), "code": code_of(value)}
    closed = []
    for cell in getattr(value, "__closure__", None) or ():
        try:
            closed.append(describe(cell.cell_contents))
        except ValueError:  # not filled yet
            closed.append(None)
    return told | ({"closure": closed} if closed else {})


def _code_here(kind: type) -> dict[str, str]:
    """Return the code of a class of the strategy file; one from elsewhere has its name."""
    return {"code": code_of(kind)} if hasattr(inspect.getmodule(kind), SOURCE) else {}


def name_of(value: Any) -> str:
    """Return the dotted name, without the module where it is the strategy file itself."""
    module = inspect.getmodule(value)
    name = getattr(value, "__qualname__", type(value).__qualname__)
    return name if module is None or hasattr(module, SOURCE) else f"{module.__name__}.{name}"


def code_of(function: Callable[..., object]) -> str:
    """Hash the code of a function, with everything else its strategy file defines.

    A function calls its neighbours, so in a strategy file all definitions count, the
    ``strategy = ...`` assignment apart; a lambda inside it counts by itself. For a function
    from elsewhere its own source counts.
    """
    module = inspect.getmodule(function)
    source = getattr(module, SOURCE, None) or getattr(function, "__globals__", {}).get(SOURCE)
    if source is None:
        try:
            source = inspect.cleandoc("\n" + inspect.getsource(function))
        except (OSError, TypeError):
            source = repr(getattr(function, "__code__", name_of(type(function))))
            return hashlib.sha256(source.split(" at 0x")[0].encode()).hexdigest()[:16]
    text = normal_code(source) + _lambdas(source, function)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _lambdas(source: str, function: Callable[..., object]) -> str:
    """Return the syntax trees of the lambdas on the line where one was made."""
    if getattr(function, "__name__", "") != "<lambda>":
        return ""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ""
    line = function.__code__.co_firstlineno
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Lambda) and n.lineno == line]
    return "".join(map(ast.dump, found))


def normal_code(source: str) -> str:
    """Return the syntax tree of a source as text, without docstrings or ``strategy = ...``."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            body[:1] = [] if body[1:] else [ast.Pass()]
    tree.body = [n for n in tree.body if not _assigns_strategy(n)]
    return ast.dump(tree)


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _assigns_strategy(node: ast.AST) -> bool:
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(t, ast.Name) and t.id == "strategy" for t in targets)
