"""What a frame holds: the fields of one call in a fixed order, as MessagePack.

MessagePack keeps what JSON does not: NaN, infinity, bytes, moments.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec

RECORD = (
    "record_id",
    "predicted_at",
    "features",
    "output",
    "score",
    "unit",
    "tags",
    "model",
    "latency_ms",
    "payload",
)
FEEDBACK = ("record_id", "value", "kind", "happened_at")
LABEL = ("record_id", "label", "happened_at")
KINDS = {"records": 1, "feedback": 2, "labels": 3}
FIELDS = {1: ("records", RECORD), 2: ("feedback", FEEDBACK), 3: ("labels", LABEL)}

# Objects that the garbage collector need not look at: there are many, and they hold no cycle.
_ROWS = {
    table: msgspec.defstruct(
        table, [(name, Any, None) for name in (*names, "raw")], array_like=True, gc=False
    )
    for table, names in FIELDS.values()
}
_DECODERS = {kind: msgspec.msgpack.Decoder(_ROWS[table]) for kind, (table, _) in FIELDS.items()}

UNREADABLE = 9
"""The kind of a frame that makes no row."""

LARGEST = 64 * 2**20
"""Bytes of one frame at most; what is larger is cut and goes to the quarantine."""


def _hook(value: Any) -> Any:
    """Say a value that MessagePack has no kind for: numpy's as Python's, the rest as text."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return dict(value)
    return str(value)


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_hook)
encode = _ENCODER.encode
"""Encode the fields of a call; raises what msgspec raises."""
encode_into = _ENCODER.encode_into
"""Encode them into a buffer, behind what stands there."""


def framed(kind: int, fields: tuple[Any, ...]) -> tuple[int, bytes]:
    """Encode the fields of a call, whatever they hold; returns the kind of the frame too.

    A value that cannot be encoded becomes text; as a feature that is no number any more it is set
    aside when it is taken in, with the reason. What is too large for a frame is cut, and shown by
    the quarantine.
    """
    try:
        data = encode(fields)
    except Exception:  # noqa: BLE001 - a value of the caller's may raise anything
        data = encode(tuple(_clean(f) for f in fields))
    if len(data) <= LARGEST:
        return kind, data
    return UNREADABLE, f"too large, {len(data)} bytes: {_text(fields[0])}".encode()


def _clean(value: Any) -> Any:
    try:
        encode(value)
    except Exception:  # noqa: BLE001 - a value of the caller's may raise anything
        if isinstance(value, dict):
            return {_text(k): _clean_leaf(v) for k, v in value.items()}
        return _text(value)
    return value


def _clean_leaf(value: Any) -> Any:
    try:
        encode(value)
    except Exception:  # noqa: BLE001 - as above
        return _text(value)
    return value


def _text(value: Any) -> str:
    try:
        text = value if isinstance(value, str) else repr(value)
    except Exception:  # noqa: BLE001 - as above
        text = f"a {type(value).__name__} that cannot be written down"
    return text[:10_000].encode("utf-8", "replace").decode()


def decoded(kind: int, data: bytes) -> tuple[str, Any]:
    """Return the table of a frame, and an object with its fields and ``raw`` as attributes.

    Bytes that make no row become a record without time: ``raw`` is what the quarantine shows.
    """
    if kind in FIELDS:
        try:
            return FIELDS[kind][0], _DECODERS[kind].decode(data)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass
    return "records", _ROWS["records"](raw=data[:10_000].decode(errors="replace"))


def decode(kind: int, data: bytes) -> tuple[str, dict[str, Any]]:
    """Return the table and the row of a frame as a dict; of bytes that make no row only ``raw``."""
    table, row = decoded(kind, data)
    if row.raw is not None:
        return table, {"raw": row.raw}
    return table, {name: getattr(row, name) for name in FIELDS[kind][1]}
