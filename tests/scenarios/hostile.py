"""What nobody should hand over, as strategies of Hypothesis: values, names, tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

AT = datetime(2024, 1, 1, tzinfo=UTC)
NAMES = (
    "x", "X", "x ", "", " ", "record_id", "at", "features", "tags", "../../x", "a/b", "a\\b", "con",
    "nul.parquet", "day", "f_x", "f_f_x", "k_x", "u_log", "row_hash", "available_at", "*", "a,b",
    'a"b', "a'b; drop table records; --", "a b", "a.b", "a=b", "{x}", "[bold]x[/]", "\x1b[2Jx",
    "x\ny", "x\x00y", "\u202ex", "\ufeffx", "ünïcode", "日本", "🙃", "x" * 300, "=1+1", "None", "p_log",
    "feature:x", "raw", "%s", "__index_level_0__", "Δ", "δ", "ß", "SS",
)  # fmt: skip
TEXTS = (
    "", " ", "a", "1", "1e999", "-0", "nan", "inf", "1_000", "٣", "²", "0x10", "2024-01-01", "soon",
    "2024-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "=cmd|' /c calc'!A1",
    "@SUM(1)", "-1+1", "\x1b]0;owned\x07", "\x1b[31mred", "\x9b31m", "a\rb", "a\nb", "\x00", "\u202egpj",
    "../../etc/passwd", "' or 1=1 --", "x" * 5_000, "日本語", "🙃", "\ufeff", "[link=http://x]y[/link]",
    '{"a": 1}', "null", "True", "9" * 5_000, "{}", "%n", "a\u2028b", "A" * 1_000_000,
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 2**53 + 1, 2**63, -(2**63), 10**400, 1.5, -0.0, 1e308, 5e-324, float("nan"),
    float("inf"), -float("inf"), True, False,
)  # fmt: skip
FIRST = datetime(1, 1, 1, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
TIMES = (AT, AT + timedelta(days=9_000), *(t.replace(tzinfo=None) for t in (FIRST, LAST)), FIRST, LAST,
         date(2024, 1, 1), timedelta(days=1))  # fmt: skip


class Rude:
    """Raises whenever somebody looks at it."""

    def _raise(self, *_: Any) -> Any:
        raise RuntimeError("do not look at me")

    __repr__ = __str__ = __bool__ = __eq__ = __len__ = __iter__ = __float__ = _raise
    __hash__ = None  # pyright: ignore[reportAssignmentType]


def _looped() -> Any:
    loop: list[Any] = []
    loop.append(loop)
    return loop


def _deep(n: int) -> Any:
    deep: Any = 1
    for _ in range(n):
        deep = [deep]
    return deep


@dataclass(frozen=True)
class Odd:
    """A value that cannot be shown, until `made` puts it in place."""

    name: str


ODD: dict[str, Callable[[], Any]] = {
    "rude": Rude, "loop": _looped, "deep": lambda: _deep(60), "too deep": lambda: _deep(5_000), "object": object,
    "long": lambda: "a" * 1_000_000, "large": lambda: [0.5] * 200_000, "half": lambda: "\ud800", "bytes": lambda: b"\xff\x00",
    "iterator": lambda: iter([1, 2]), "cents": lambda: Decimal("1.10"), "no decimal": lambda: Decimal("NaN"),
    "huge decimal": lambda: Decimal("1e9999"), "complex": lambda: 1j,
    "nested": lambda: {"a": {"b": 1}}, "keys": lambda: {1: 2},
    "mixed": lambda: [1, "a"], "gap": lambda: [1.0, None], "set": lambda: {1, 2}, "nothing": lambda: (), "type": lambda: int,
    "scalar": lambda: np.float32(1.5), "moment": lambda: np.datetime64("2024-01-01"), "never": lambda: np.datetime64("NaT"),
    "matrix": lambda: np.ones((2, 2)), "objects": lambda: np.array([object()]), "arrow": lambda: pa.scalar(1),
    "zone": lambda: datetime(2024, 1, 1, tzinfo=ZoneInfo("Europe/Paris")),
}  # fmt: skip


def made(value: Any) -> Any:
    """Put odd values in place of their names."""
    if isinstance(value, Odd):
        return ODD[value.name]()
    if isinstance(value, dict):
        return {made(k): made(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(made(v) for v in value)
    return value


values = st.one_of(
    st.sampled_from(NUMBERS), st.sampled_from(TEXTS), st.sampled_from(TIMES),
    st.sampled_from([None, *map(Odd, ODD)]), st.text(max_size=9)
)  # fmt: skip
names = st.one_of(st.sampled_from(NAMES), st.text(max_size=6))
said = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("output", "score", "unit", "model", "time", "latency_ms", "payload"), values
    )
    | {"record_id": values, "tags": st.one_of(values, st.dictionaries(names, values, max_size=2))},
)
rows = st.dictionaries(st.one_of(names, names, st.sampled_from([1, 1.5, None, b"x", True])), values, max_size=4)  # fmt: skip


def _typed() -> dict[str, tuple[list[Any], pa.DataType]]:
    """Return values and a type for each kind of column Arrow knows."""
    big = Decimal("9" * 38)
    text, some = ["a", "", "1", None, "\x1b[2J"], [1, 2, -3, None]
    return {
        "decimal": ([Decimal("1.10"), None, Decimal(-3)], pa.decimal128(38, 10)),
        "decimal wide": ([big, None, -big], pa.decimal256(76, 20)),
        "large string": (text, pa.large_string()),
        "string view": (text, pa.string_view()),
        "binary": ([b"a", b"\xff\xfe", None], pa.binary()),
        "binary view": ([b"a", b"\xff\xfe", None], pa.binary_view()),
        "large binary": ([b"a", b"\xff\xfe", None], pa.large_binary()),
        "fixed binary": ([b"ab", b"\xff\xfe", None], pa.binary(2)),
        "duration": (some, pa.duration("ns")),
        "time": ([1, 2, None], pa.time64("ns")),
        "interval": ([(1, 2, 3), None], pa.month_day_nano_interval()),
        "date": ([0, 2**30, None], pa.date32()),
        "date64": ([0, 86_400_000 * 3, None], pa.date64()),
        "naive": ([0, 2**60, None, -(2**61)], pa.timestamp("ns")),
        "seconds": ([0, 2**60, None, -(2**61)], pa.timestamp("s", "UTC")),
        "zoned": ([0, 1_704_067_200_000, None], pa.timestamp("ms", "Asia/Kathmandu")),
        "offset": ([0, 1_704_067_200_000, None], pa.timestamp("ms", "+05:45")),
        "nowhere": ([0, 1_704_067_200_000, None], pa.timestamp("ms", "Mars/Olympus")),
        "half": ([1.5, float("nan"), None], pa.float16()),
        "unsigned": ([0, 2**64 - 1, None], pa.uint64()),
        "integers": (some, pa.int64()),
        "floats": ([1.0, float("nan"), float("inf"), None], pa.float64()),
        "bool": ([True, None, False], pa.bool_()),
        "null": ([None], pa.null()),
        "list": ([[1, 2], [], None], pa.list_(pa.int64())),
        "list view": ([[1, 2], [], None], pa.list_view(pa.int64())),
        "list of lists": ([[[1]], [], None], pa.list_(pa.list_(pa.int8()))),
        "list of texts": ([["a"], [], None], pa.list_(pa.string())),
        "fixed list": ([[1.0, None], None], pa.list_(pa.float32(), 2)),
        "struct": ([{"a": 1}, None], pa.struct({"a": pa.int64()})),
        "empty struct": ([{}, None], pa.struct([])),
        "twins inside": ([None], pa.struct([("a", pa.int8()), ("a", pa.int8())])),
        "map": ([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
        "dictionary": (text, pa.dictionary(pa.int8(), pa.string())),
        "coded numbers": (some, pa.dictionary(pa.int8(), pa.int64())),
        "coded large": (text, pa.dictionary(pa.int32(), pa.large_string())),
        "run ends": (some, pa.run_end_encoded(pa.int32(), pa.int64())),
        "uuid": ([b"0123456789abcdef", None], pa.uuid()),
        "json": (['{"a": 1}', "{", None], pa.json_()),
        "bool8": ([1, 0, None], pa.bool8()),
        "opaque": (some, pa.opaque(pa.int64(), "x", "y")),
    }


TYPED = _typed()


def _typed_array(name: str, indices: list[int]) -> pa.Array:
    pool, kind = TYPED[name]
    picked = [pool[i % len(pool)] for i in indices]
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, pa.array(picked, kind.storage_type))
    if pa.types.is_run_end_encoded(kind):
        ends = pa.array(range(1, len(picked) + 1), kind.run_end_type)
        return pa.RunEndEncodedArray.from_arrays(ends, pa.array(picked, kind.value_type))
    return pa.array(picked, kind)


def _union(n: int) -> pa.Array:
    kinds = pa.array([k % 2 for k in range(n)], pa.int8())
    return pa.UnionArray.from_sparse(kinds, [pa.array(range(n)), pa.array(["a"] * n, pa.string())])


@st.composite
def columns(draw: Any, n: int) -> pa.ChunkedArray:
    """A column of n values of one type, in no, one or two chunks."""
    kind = draw(st.sampled_from(["numbers", "texts", "union", *TYPED]))
    indices = draw(st.lists(st.integers(0, 9), min_size=n, max_size=n))
    if kind == "numbers":
        array = pa.array([float(min(NUMBERS[i], 1e300)) for i in indices], pa.float64())
    elif kind == "texts":
        array = pa.array(
            [TEXTS[draw(st.integers(0, len(TEXTS) - 1))] for _ in indices], pa.string()
        )
    else:
        array = _union(n) if kind == "union" else _typed_array(kind, indices)
    cut = draw(st.integers(0, n))
    return pa.chunked_array([] if not n else [array.slice(0, cut), array.slice(cut)], array.type)


@st.composite
def tables(draw: Any, meanings: tuple[str, ...]) -> pa.Table:
    """A table: the columns that are meant, most of them as they should be, and others."""
    n = draw(st.sampled_from([0, 1, 2, 3, 5]))
    start = draw(st.integers(0, 3))
    found: list[tuple[str, Any]] = []
    for name in meanings:
        usual = {
            "record_id": [f"r{start + k}" for k in range(n)],
            "at": [AT - timedelta(hours=k) for k in range(n)],
        }.get(name, [float(k % 2) for k in range(n)])
        how = draw(st.sampled_from(["usual", "usual", "usual", "odd", "gone"]))
        if how != "gone":
            found.append(
                (name, pa.chunked_array([pa.array(usual)]) if how == "usual" else draw(columns(n)))
            )
    others = draw(st.integers(0, 3))
    found += [(draw(names.map(storable)), draw(columns(n))) for _ in range(others)]
    return pa.table([c for _, c in found], names=[name for name, _ in found])


def storable(text: str) -> str:
    """Replace half surrogate pairs, which Arrow holds in no name."""
    return text.encode("utf-8", "replace").decode()
