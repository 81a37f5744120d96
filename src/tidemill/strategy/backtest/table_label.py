"""What the label of a user's table is: numbers or classes, and which task that makes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.errors import BadInput, BadValue, unknown
from tidemill.loop.log.values import NUMBER, TEXT, kind_of, read

TASKS = ("binary", "multiclass", "regression")
MANY = 50
"""More classes than this are told: each is seen rarely."""
_FEW = 10
_EXACT = 2**53
_POSITIVE = {"yes": "no", "true": "false", "y": "n", "t": "f", "positive": "negative", "1": "0"}


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The labels of n rows, null where there is none, and how they were read."""

    values: pa.Array
    """Float64, or texts for classes by name."""
    task: str
    absent: float | str | None = None
    meant: Mapping[str | float, float] | None = None
    """Which value became which number, where values were changed."""
    assumed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def filled(self) -> pa.Array:
        """Return the labels with absence taken for what it means."""
        return self.values if self.absent is None else pc.fill_null(self.values, self.absent)

    def translate(self, column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
        """Write a model's answers as the labels are written."""
        if self.meant is None:
            return column
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        coded = pa.chunked_array(column).combine_chunks().dictionary_encode()
        said = [self._number(v) for v in coded.dictionary.to_pylist()]
        if any(v is None for v in said):
            return column
        return pa.array(said, pa.float64()).take(coded.indices)

    def _number(self, value: object) -> float | None:
        key = value.strip().lower() if isinstance(value, str) else value
        meant = self.meant or {}
        for name, number in meant.items():
            if key == (name.lower() if isinstance(name, str) else name):
                return number
        return float(key) if key in (0, 1) else None  # type: ignore[arg-type]


def read_truth(
    column: pa.ChunkedArray,
    name: str,
    *,
    absent: float | str | None = None,
    task: str | None = None,
) -> Truth:
    """Read a column of labels.

    Parameters
    ----------
    absent
        What it means when a row has none; None for "not known".
    task
        One of :data:`TASKS`; told from the values if left out.
    """
    if task is not None and task not in TASKS:
        raise unknown("task", task, TASKS)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        kind = kind_of(column, name) or NUMBER
    except BadInput:
        kind = "nested"
    if kind not in (NUMBER, TEXT):
        raise BadInput(
            f"the label {name!r} holds {column.type}, which is neither a number nor a class.",
            fix="name another column with --label.",
        )
    values, bad = read(column, kind)
    warnings: tuple[str, ...] = ()
    if bad.any():
        warnings = (f"{int(bad.sum()):,} labels are infinite or too large and count as missing.",)
    if kind == TEXT:
        return _of_texts(values, name, absent, task)
    truth = _of_numbers(values, name, _as_number(absent), task)
    return replace(truth, warnings=(*warnings, *truth.warnings))


def _as_number(absent: float | str | None) -> float | None:
    if absent is None:
        return None
    with suppress(ValueError):
        if math.isfinite(float(absent)):
            return float(absent)
    raise BadValue(f"--absent {absent}: the labels are numbers.", fix="give a number, such as 0.")


def _of_texts(values: pa.Array, name: str, absent: float | str | None, task: str | None) -> Truth:
    blank = pc.equal(pc.utf8_trim_whitespace(values), "")
    values = pc.if_else(pc.fill_null(blank, False), pa.scalar(None, pa.string()), values)
    coded = values.dictionary_encode()
    classes: list[str] = coded.dictionary.to_pylist()
    meant_by_none = None if absent is None else absent if isinstance(absent, str) else f"{absent:g}"
    known: list[str] = sorted({*classes, *_one(meant_by_none)})
    pair = _positive(known)
    if pair is not None:
        said: dict[str | float, float] = {t: float(t.strip().lower() == pair) for t in known}
        numbers = pa.array([said[c] for c in classes], pa.float64()).take(coded.indices)
        note = (f"label {name!r}: {_listed(known, said, 1)} counts as 1.",)
        zero = None if meant_by_none is None else said[meant_by_none]
        truth = _of_numbers(numbers, name, zero, task)
        return replace(truth, meant=said, assumed=(*note, *truth.assumed))
    numbers = _all_numbers(classes)
    if numbers is not None and classes:
        read_as = pa.array(numbers, pa.float64()).take(coded.indices)
        truth = _of_numbers(read_as, name, _as_number(absent), task)
        note = f"label {name!r} is written as text and read as numbers."
        return replace(truth, assumed=(note, *truth.assumed))
    return _of_classes(values, known, name, meant_by_none, task)


def _of_classes(
    values: pa.Array, known: list[str], name: str, absent: str | None, task: str | None
) -> Truth:
    if not known:  # no label at all, which is told to the user as such
        return Truth(values=values, task=task or "multiclass")
    if task == "regression":
        raise BadValue(
            f"--task regression: the label {name!r} holds text such as {known[0]!r}.",
            fix="give numbers, or leave --task out.",
        )
    if task == "binary":
        if len(known) > 2:  # noqa: PLR2004 - binary means two
            raise _no_pair(name, len(known))
        said: dict[str | float, float] = {text: float(k) for k, text in enumerate(known)}
        coded = values.dictionary_encode()
        numbers = [said[c] for c in coded.dictionary.to_pylist()]
        return Truth(
            values=pa.array(numbers, pa.float64()).take(coded.indices),
            task="binary",
            absent=None if absent is None else said[absent],
            meant=said,
            assumed=(f"label {name!r}: {known[-1]!r} counts as 1.",),
        )
    assumed, warnings = (), ()
    if len(known) == 2:  # noqa: PLR2004 - two classes, though by name
        note = (
            f"label {name!r}: {known[0]!r} and {known[1]!r} are two classes without an order; "
            f"with --task binary {known[1]!r} counts as 1."
        )
        assumed = (note,)
    if len(known) > MANY:
        note = (
            f"label {name!r} has {len(known):,} classes, each seen rarely: "
            "is it a class? If not, name another column with --label."
        )
        warnings = (note,)
    return Truth(
        values=values, task="multiclass", absent=absent, assumed=assumed, warnings=warnings
    )


def _of_numbers(values: pa.Array, name: str, absent: float | None, task: str | None) -> Truth:
    known = sorted({*pc.unique(values.drop_null()).to_pylist(), *_one(absent)})
    whole = all(v % 1 == 0 and abs(v) <= _EXACT for v in known)
    if task == "regression" or (task == "multiclass" and whole):
        return Truth(values=values, task=task, absent=absent)
    if task == "multiclass":
        raise BadValue(
            f"--task multiclass: the label {name!r} holds fractions such as {known[0]:g}.",
            fix="give classes, or leave --task out.",
        )
    if set(known) <= {0.0, 1.0}:
        return Truth(values=values, task="binary", absent=absent)
    if len(known) == 2:  # noqa: PLR2004 - binary means two
        low, high = known
        said: dict[str | float, float] = {low: 0.0, high: 1.0}
        return Truth(
            values=pc.equal(values, high).cast(pa.float64()),
            task="binary",
            absent=None if absent is None else said[absent],
            meant=said,
            assumed=(f"label {name!r}: {high:g} counts as 1, {low:g} as 0.",),
        )
    if task == "binary":
        raise _no_pair(name, len(known))
    assumed = ()
    if whole and len(known) <= _FEW:
        note = (
            f"label {name!r} holds {len(known)} whole numbers and is taken as an amount; "
            "say --task multiclass if they are classes."
        )
        assumed = (note,)
    return Truth(values=values, task="regression", absent=absent, assumed=assumed)


def _no_pair(name: str, count: int) -> BadValue:
    return BadValue(
        f"--task binary: the label {name!r} has {count:,} different values.",
        fix="leave --task out, or name another column with --label.",
    )


def _positive(known: list[str]) -> str | None:
    """Return the word that means yes when the labels are yes and no in some spelling.

    Examples
    --------
    >>> _positive(["No", "YES"]), _positive(["ham", "spam"])
    ('yes', None)
    """
    words = {text.strip().lower() for text in known}
    pairs = ((yes, no) for yes, no in _POSITIVE.items() if words and words <= {yes, no})
    return next((yes for yes, _ in pairs), None)


def _all_numbers(classes: list[str]) -> list[float] | None:
    try:
        found = [float(c) for c in classes]
    except ValueError:
        return None
    return found if np.isfinite(found).all() else None


def _listed(known: list[str], said: Mapping[str | float, float], wanted: int) -> str:
    return ", ".join(repr(k) for k in known if said[k] == wanted) or "nothing"


def _one(value: Any) -> tuple[Any, ...]:
    return () if value is None else (value,)
