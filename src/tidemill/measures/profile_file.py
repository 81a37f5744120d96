"""The portable file of a profile: a line with its version, its digest, compressed JSON.

Line 1 is ``tidemill profile 1``, line 2 the SHA-256 of all that follows, in hex; then comes
zlib. The JSON has ``rows``, ``start``, ``end``, ``skipped``, ``parts`` and a list ``columns``,
each with ``name``, ``kind`` and the fields of Numbers or Categories; NaN is null. Nothing in
it is code, and every number is checked before it is believed.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from datetime import datetime
from typing import Any

import numpy as np

from tidemill.core.errors import BadInput, BadValue
from tidemill.measures.categories import Categories
from tidemill.measures.grid import Grid
from tidemill.measures.numbers import Numbers
from tidemill.measures.parts import Part
from tidemill.measures.profile import Profile

_NAME = b"tidemill profile "
_FIRST = _NAME + b"1\n"
_DIGEST = 64
_LARGEST = 256 * 2**20  # bytes of JSON; a million categories take 30 of them
_TALLIES = ("nulls", "nans", "below", "above", "wrong")
_KEPT = ("nulls", "others", "error", "most")


def encode(profile: Profile) -> bytes:
    """Write a profile; equal profiles with their columns in one order give equal bytes.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from tidemill.measures.profile import of_table
    >>> profile = of_table(pa.table({"x": [1.0, 2.5]}))
    >>> content = encode(profile)
    >>> content[:18], decode(content) == profile
    (b'tidemill profile 1', True)
    """
    known = {
        "rows": profile.rows,
        "start": profile.start and profile.start.isoformat(),
        "end": profile.end and profile.end.isoformat(),
        "skipped": dict(profile.skipped),
        "parts": [[p.writer, p.first, p.last] for p in profile.parts],
        "columns": [
            {"name": name, "kind": profile.kinds[name], **_written(column)}
            for name, column in profile.columns.items()
        ],
    }
    body = zlib.compress(json.dumps(known, allow_nan=False).encode())
    return _FIRST + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def decode(content: bytes) -> Profile:
    """Read a profile, believing nothing.

    Raises
    ------
    BadInput
        If it is no profile, is damaged, or is of a version not known here.
    """
    if not content.startswith(_NAME):
        raise BadInput("this is no profile.", fix="pass a file that Profile.to_bytes wrote.")
    if not content.startswith(_FIRST):
        version = content[len(_NAME) :].split(b"\n", 1)[0][:20].decode(errors="replace")
        raise BadInput(
            f"the profile is of version {version!r}; this program reads 1.",
            fix="read it with the version of tidemill that wrote it, or upgrade.",
        )
    digest, line, body = content[len(_FIRST) :].partition(b"\n")
    if not line or digest != hashlib.sha256(body).hexdigest().encode():
        raise BadInput("the profile is damaged: its digest differs.", fix="copy it again.")
    try:
        return _read(json.loads(_expanded(body)))
    except (
        AttributeError,
        LookupError,
        TypeError,
        ValueError,  # of which JSON's, Unicode's and the grid's are kinds
        OverflowError,
        RecursionError,
        zlib.error,
        BadInput,
    ) as error:
        what = error.what if isinstance(error, BadInput | BadValue) else str(error)
        raise BadInput(f"the profile cannot be read: {what}", fix="write it again.") from None


def _expanded(body: bytes) -> str:
    reader = zlib.decompressobj()
    text = reader.decompress(body, _LARGEST)
    if not reader.eof or reader.unused_data:
        raise ValueError("it is cut off, followed by something else, or larger than 256 MiB.")
    return text.decode()


def _written(column: Numbers | Categories) -> dict[str, Any]:
    if isinstance(column, Categories):
        tallies = {name: getattr(column, name) for name in _KEPT}
        return {"values": list(column.values), "counts": column.counts.tolist(), **tallies}
    return {
        "grid": [column.grid.centre, column.grid.unit, column.grid.step],
        "cells": column.cells.tolist(),
        "counts": column.counts.tolist(),
        **{name: getattr(column, name) for name in _TALLIES},
        "low": None if math.isnan(column.low) else column.low,
        "high": None if math.isnan(column.high) else column.high,
    }


def _read(known: dict[str, Any]) -> Profile:
    columns = {_text(c["name"]): _column(c) for c in known["columns"]}
    if len(columns) != len(known["columns"]):
        raise ValueError("two columns have one name.")
    return Profile(
        rows=_count(known["rows"]),
        columns=columns,
        kinds={c["name"]: _text(c["kind"]) for c in known["columns"]},
        start=_time(known["start"]),
        end=_time(known["end"]),
        skipped={_text(k): _text(v) for k, v in known["skipped"].items()},
        parts=tuple(Part(_text(w), _count(f), _count(last)) for w, f, last in known["parts"]),
    )


def _column(known: dict[str, Any]) -> Numbers | Categories:
    counts = np.array([_count(n) for n in known["counts"]], dtype=np.int64)
    if "grid" not in known:
        return Categories(
            values=tuple(_text(v) for v in known["values"]),
            counts=counts,
            **{name: _count(known[name]) for name in _KEPT},
        )
    return Numbers(
        grid=Grid(*known["grid"]),
        cells=np.array([_count(abs(cell)) and cell for cell in known["cells"]], dtype=np.int32),
        counts=counts,
        **{name: _count(known[name]) for name in _TALLIES},
        low=_finite(known["low"]),
        high=_finite(known["high"]),
    )


def _count(value: object) -> int:
    if type(value) is int and 0 <= value < 2**62:
        return value
    raise ValueError(f"{value!r} is no count.")


def _text(value: object) -> str:
    if isinstance(value, str):
        value.encode()  # half a surrogate pair is no text
        return value
    raise ValueError(f"{value!r} is no text.")


def _finite(value: object) -> float:
    if value is None:
        return math.nan
    if type(value) in {int, float} and math.isfinite(value):  # type: ignore[arg-type]
        return float(value)  # type: ignore[arg-type]
    raise ValueError(f"{value!r} is no finite number.")


def _time(value: object) -> datetime | None:
    return None if value is None else datetime.fromisoformat(_text(value))
