"""Randomness, drawn once per record when it is written, and the hash of what it holds.

Each record gets three independent uniform numbers, salted with the project's own salt:
``u_log`` (is it kept), ``u_label`` (is it chosen for a label), ``u_split``. Sampling rules
compare columns with a probability and never hash, so every engine draws the same rows, and
two stages that sample are independent because their numbers are. Because a draw depends on
nothing but the salt and the id, importing or replaying a record again draws the same.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.records import MOMENT, features_of

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_U64 = npt.NDArray[np.uint64]


def draws(salt: str, record_ids: list[str]) -> dict[str, npt.NDArray[np.float64]]:
    """Draw three independent uniforms in [0, 1) for each id.

    Parameters
    ----------
    salt
        The project's secret text; another salt gives other draws.
    record_ids
        The ids, n of them.

    Returns
    -------
    dict
        ``u_log``, ``u_label`` and ``u_split``, each of shape (n,), with 53 random bits.

    Examples
    --------
    >>> first = draws("salt", ["a", "b"])
    >>> again = draws("salt", ["b"])
    >>> bool(first["u_log"][1] == again["u_log"][0])
    True
    """
    key = hashlib.blake2b(salt.encode(), digest_size=32).digest()
    digest = hashlib.blake2b
    raw = b"".join(digest(i.encode(), digest_size=24, key=key).digest() for i in record_ids)
    words = np.frombuffer(raw, dtype="<u8").reshape(-1, 3)
    uniform = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return {name: uniform[:, k].copy() for k, name in enumerate(("u_log", "u_label", "u_split"))}


def row_hash(rows: pa.Table) -> pa.Array:
    """Hash the feature values of each row, typed, whatever the order of the columns.

    A null counts like an absent column, so a feature that appears later leaves old hashes
    as they were. 128 bits; guards against accidents, not against an attacker.

    Parameters
    ----------
    rows
        A table with features as ``f_<name>``.

    Returns
    -------
    pyarrow.Array
        n texts of 32 hexadecimal digits.

    Examples
    --------
    >>> a = row_hash(pa.table({"f_x": [1.0, None], "f_y": ["u", "v"]}))
    >>> b = row_hash(pa.table({"f_y": ["u", "v"]}))
    >>> a[0] == b[0], a[1] == b[1]
    (False, True)
    """
    lanes = np.zeros((2, rows.num_rows), dtype=np.uint64)
    for name in features_of(rows.column_names):
        values, valid = _hash_column(rows.column(name))
        for lane in range(2):
            seed = _seed(f"{lane}:{name}")
            lanes[lane] += np.where(valid, _mix(values[lane] ^ seed), np.uint64(0))
    packed = np.stack([_mix(lanes[0]), _mix(lanes[1])], axis=1).astype("<u8")
    raw = packed.tobytes().hex()
    return pa.array([raw[k : k + 32] for k in range(0, len(raw), 32)], pa.string())


def _seed(text: str) -> np.uint64:
    return np.uint64(
        int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
    )


def _mix(x: _U64) -> _U64:
    """Steele, Lea & Flood's SplitMix64 finaliser (OOPSLA 2014)."""
    x = x + _GOLDEN
    x = (x ^ (x >> np.uint64(30))) * _MIX[0]
    x = (x ^ (x >> np.uint64(27))) * _MIX[1]
    return x ^ (x >> np.uint64(31))


def _hash_column(column: pa.ChunkedArray) -> tuple[_U64, npt.NDArray[np.bool_]]:
    valid = np.asarray(pc.is_valid(column).to_numpy())
    if pa.types.is_floating(column.type):
        bits = np.asarray(pc.fill_null(column, 0.0).to_numpy(), dtype="<f8").view("<u8")
        return np.stack([bits, _mix(bits.astype(np.uint64))]), valid
    if pa.types.is_timestamp(column.type):
        # As microseconds: how Python writes a time zone depends on what is installed.
        column = column.cast(MOMENT).cast(pa.int64())
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        values, codes = column.to_pylist(), np.arange(len(column))
    else:
        coded = pa.concat_arrays(column.chunks or [pa.array([], column.type)]).dictionary_encode()
        values = coded.dictionary.to_pylist()
        indices = pc.fill_null(coded.indices, 0).to_numpy(zero_copy_only=False)
        codes = np.asarray(indices, dtype=np.int64)
    raw = b"".join(
        hashlib.blake2b(f"{type(v).__name__}:{v!r}".encode(), digest_size=16).digest()
        for v in values or [None]
    )
    table = np.frombuffer(raw, dtype="<u8").reshape(-1, 2)
    return table[codes].T.astype(np.uint64), valid
