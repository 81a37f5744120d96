"""A dataset is an exact list of rows: ids, label versions, row hashes, weights, splits.

It is rebuilt by id and verified, never by the version of a table; so compaction, vacuum and
later imports leave it as it was. A row that was erased leaves a keyed hash of its id, so that a
rebuild says how many were, and verifies the rest: what is missing then is lost.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from ibis.expr import types as ir

from tidemill.core.as_of import AsOf
from tidemill.core.records import FEATURE, bare, features_of
from tidemill.core.rules import EMPHASIS, Holdout, TrainingData

_COLUMNS = [
    *("record_id", "predicted_at", "label_id", "label", "label_text"),
    *("row_hash", "weight", "source_kind", "split"),
]
_FEATURES = "tidemill.features"
_ERASED = b"tidemill.erased"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """An exact, immutable selection from the reservoir.

    ``rows`` has one row a record, in order of (predicted_at, record_id); ``split`` is
    ``train`` or ``test``. Its schema's metadata names the features there were.
    """

    rows: pa.Table
    erased: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of each row that was erased since, the hidden id and the split."""
    known_as: str = ""
    """The digest of when no row had been erased; empty when none has."""

    @cached_property
    def digest(self) -> str:
        """The content hash over every column, in canonical order; erasing does not change it."""
        if self.known_as:
            return self.known_as
        digest = hashlib.sha256(json.dumps(_features(self.rows)).encode())
        for name in _COLUMNS:
            if name != "predicted_at":
                digest.update(name.encode())
                for part in _bits(self.rows.column(name)):
                    digest.update(part)
        return digest.hexdigest()

    @property
    def features(self) -> list[str]:
        """The names of the features there were, sorted."""
        return [name.removeprefix(FEATURE) for name in _features(self.rows)]

    def count(self, split: str) -> int:
        return int(pc.sum(pc.equal(self.rows["split"], split)).as_py() or 0)

    def without(self, ids: pa.Array, hide: Callable[[str], str]) -> Manifest:
        """Return the same dataset without the rows of some records, which count as erased."""
        gone = pc.is_in(self.rows["record_id"], ids)
        names, splits = (self.rows.filter(gone)[c].to_pylist() for c in ("record_id", "split"))
        more = {hide(name): split for name, split in zip(names, splits, strict=True)}
        if not more:
            return self
        return Manifest(
            rows=self.rows.filter(pc.invert(gone)),
            erased={**self.erased, **more},
            known_as=self.digest,
        )

    def to_bytes(self) -> bytes:
        return self._bytes

    @cached_property
    def _bytes(self) -> bytes:
        sink = io.BytesIO()
        # A dictionary helps only where values repeat; ids and hashes never do.
        repeats: Any = ["source_kind", "split"]  # the stubs know of True and False only
        rows = self.rows.select(_COLUMNS)
        if self.known_as:
            said = json.dumps({"digest": self.known_as, "rows": dict(self.erased)}, sort_keys=True)
            kept = rows.schema.metadata or {}
            rows = rows.replace_schema_metadata({**kept, _ERASED: said.encode()})
        pq.write_table(rows, sink, compression="zstd", use_dictionary=repeats)
        return sink.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        rows = pq.read_table(io.BytesIO(data))
        kept = dict(rows.schema.metadata or {})
        said = json.loads(kept.pop(_ERASED, b"{}"))
        if not said:
            return cls(rows=rows)
        # Not in the rows: what is made of them is another dataset.
        rows = rows.replace_schema_metadata(kept)
        return cls(rows=rows, erased=said["rows"], known_as=said["digest"])


def entries(data: bytes, record_id: str) -> list[dict[str, Any]]:
    """Return where a record stands in the bytes of a manifest: its split, weight and label.

    Reads the column of ids first, and the rest only where the record is there.
    """
    found = pq.read_table(
        io.BytesIO(data), columns=_COLUMNS, filters=pc.field("record_id") == record_id
    )
    return found.to_pylist()


def form(view: AsOf, rows: ir.Table, holdout: Holdout) -> Manifest:
    """Write down exactly which rows an expression over the reservoir selects.

    What a rule emphasises counts in training only: a test is of things as they are.
    """
    names = [n for n in _COLUMNS if n != "split"]
    names += [EMPHASIS] if EMPHASIS in rows.columns else []
    found = view.arrow(rows.select(*names).order_by("predicted_at", "record_id"))
    found = found.combine_chunks()
    at = found["predicted_at"].to_numpy().astype("datetime64[us]")
    split = np.where(holdout(at), "test", "train")
    found = _emphasised(found, pa.array(split == "train"))
    found = found.append_column("split", pa.array(split, pa.string()))
    features = json.dumps(features_of(list(rows.columns)))
    return Manifest(rows=found.replace_schema_metadata({_FEATURES: features}))


def _emphasised(rows: pa.Table, train: pa.Array) -> pa.Table:
    """Multiply the weights of the rows to train on by their emphasis, if they have one."""
    if EMPHASIS not in rows.column_names:
        return rows
    more = pc.multiply(rows["weight"], rows[EMPHASIS].cast(pa.float64()))
    weight = pc.if_else(train, more, rows["weight"])
    place = rows.column_names.index("weight")
    return rows.set_column(place, "weight", weight).drop_columns([EMPHASIS])


def rebuild(view: AsOf, manifest: Manifest, split: str) -> tuple[pa.Table, TrainingData]:
    """Fetch the rows of a split by id and verify each against its hash.

    Returns
    -------
    tuple
        The manifest's rows of the split, and the data to train or test on, in that order.

    Raises
    ------
    Damaged
        If a row is missing or does not hold what it held when the dataset was formed.
    """
    wanted = manifest.rows.filter(pc.field("split") == split)
    if not wanted.num_rows:
        empty = np.zeros(0)
        return wanted, TrainingData(features=pa.table({}), label=empty, weight=empty)
    features = fetch(view, wanted)
    label = wanted["label_text"] if wanted["label"].null_count else wanted["label"]
    data = TrainingData(
        features=features,
        label=label.to_numpy(zero_copy_only=False),
        weight=wanted["weight"].to_numpy(),
    )
    return wanted, data


def fetch(view: AsOf, wanted: pa.Table) -> pa.Table:
    """Return the features of the wanted records, in their order, verified by ``row_hash``."""
    found = view.features(wanted)
    # A feature that appeared later is none of this dataset's.
    names = _features(wanted) or found.column_names
    return bare(found.select([n for n in found.column_names if n in names]))


def _features(rows: pa.Table) -> list[str]:
    return json.loads((rows.schema.metadata or {}).get(_FEATURES.encode(), b"[]"))


def _bits(column: pa.ChunkedArray) -> Iterator[bytes]:
    """Yield what a column holds: which values are missing, and the bits of the others.

    The bits, not a rendering: equal means equal to the last digit. Texts count with their
    lengths, so that no two columns run into one.
    """
    yield np.asarray(pc.is_null(column)).tobytes()
    if pa.types.is_floating(column.type):
        yield np.asarray(pc.fill_null(column, 0.0), dtype="<f8").tobytes()
        return
    texts = pa.array(pc.fill_null(column.cast(pa.string()), "").combine_chunks())
    yield np.asarray(pc.binary_length(texts), dtype="<i4").tobytes()
    _, ends, data = texts.buffers()
    if data is not None and len(texts):
        border = np.frombuffer(ends, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
        yield memoryview(data)[int(border[0]) : int(border[-1])].tobytes()
