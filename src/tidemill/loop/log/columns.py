"""Which column of a table means what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Self


@dataclass(frozen=True, kw_only=True)
class RecordColumns:
    """Which column of a table of predictions holds what; None where the table has none.

    ``features`` None means every column that is not named here. ``known`` maps a feature
    to the column saying when its value became known. ``timezone`` says how to read times
    that carry no zone of their own.
    """

    id: str | None = "record_id"
    time: str = "predicted_at"
    available_at: str | None = None
    model: str | None = None
    unit: str | None = None
    output: str | None = None
    score: str | None = None
    latency_ms: str | None = None
    payload: str | None = None
    tags: Sequence[str] = ()
    features: Sequence[str] | None = None
    known: Mapping[str, str] = field(default_factory=dict)
    timezone: str | None = None


@dataclass(frozen=True, kw_only=True)
class Columns(RecordColumns):
    """The same of rows that were handed over, as files and spools have them.

    ``tags_json`` is one column with all tags as JSON; with a ``prefix`` the features are the
    columns that begin with it. ``numbers`` are columns that hold numbers, though written as text
    and not in every row.
    """

    tags_json: str | None = None
    prefix: str = ""
    numbers: Sequence[str] = ()

    @classmethod
    def of(cls, named: RecordColumns) -> Self:
        """Return what a table says of its columns."""
        return cls(**{f.name: getattr(named, f.name) for f in fields(RecordColumns)})

    def named(self) -> list[str]:
        """Return every column that is no feature."""
        one = (self.id, self.time, self.available_at, self.model, self.unit, self.output)
        two = (self.score, self.latency_ms, self.payload, self.tags_json, *self.tags)
        return [c for c in (*one, *two, *self.known.values()) if c is not None]


@dataclass(frozen=True, kw_only=True)
class LabelColumns:
    """Which column of a table of labels means what."""

    id: str = "record_id"
    value: str = "label"
    happened_at: str | None = None
    available_at: str | None = None
    cost: str | None = None
    timezone: str | None = None


@dataclass(frozen=True, kw_only=True)
class FactColumns(LabelColumns):
    """The same of labels or feedback that were handed over; ``kind`` is one of feedback."""

    kind: str | None = None
    numbers: tuple[str, ...] = ()
    """Columns that hold numbers, though written as text and not in every row."""

    @classmethod
    def of(cls, named: LabelColumns) -> Self:
        """Return what a table says of its columns."""
        return cls(**{f.name: getattr(named, f.name) for f in fields(LabelColumns)})
