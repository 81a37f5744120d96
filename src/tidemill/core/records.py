"""The tables of events: which columns a record, a label, a piece of feedback has.

Every row of every table knows ``available_at``: when the mill could first see it, stamped
at storage and never back-dated; and ``day``: its record's day in UTC, the partition.
Features are stored as ``f_<name>``; the moment a feature became known, where it differs
from the prediction, as ``k_<name>``. Numbers are float64 everywhere, so that a column of
integers that one day holds a fraction does not change the table.
"""

from __future__ import annotations

import pyarrow as pa

MOMENT = pa.timestamp("us", tz="UTC")

RECORDS = pa.schema(
    [
        ("record_id", pa.string()),
        ("predicted_at", MOMENT),
        ("available_at", MOMENT),
        ("day", pa.date32()),
        ("model", pa.string()),
        ("unit", pa.string()),
        ("output", pa.float64()),
        ("output_text", pa.string()),
        ("score", pa.float64()),
        ("scores", pa.string()),
        ("tags", pa.string()),
        ("latency_ms", pa.float64()),
        ("payload", pa.string()),
        ("payload_digest", pa.string()),
        ("p_log", pa.float64()),
        ("u_log", pa.float64()),
        ("u_label", pa.float64()),
        ("u_split", pa.float64()),
        ("row_hash", pa.string()),
    ]
)

_FACT = [
    ("record_id", pa.string()),
    ("predicted_at", MOMENT),
    ("available_at", MOMENT),
    ("day", pa.date32()),
    ("happened_at", MOMENT),
    ("received_at", MOMENT),
    ("source", pa.string()),
]

LABELS = pa.schema(
    [
        *_FACT,
        ("label_id", pa.string()),
        ("label", pa.float64()),
        ("label_text", pa.string()),
        ("source_kind", pa.string()),
        ("cost", pa.float64()),
        ("paid_at", MOMENT),
    ]
)

FEEDBACK = pa.schema(
    [
        *_FACT,
        ("feedback_id", pa.string()),
        ("kind", pa.string()),
        ("value", pa.float64()),
        ("value_text", pa.string()),
    ]
)

CHOSEN = pa.schema(
    [
        ("record_id", pa.string()),
        ("predicted_at", MOMENT),
        ("available_at", MOMENT),
        ("day", pa.date32()),
        ("window", pa.string()),
        ("pi", pa.float64()),
    ]
)

QUARANTINE = pa.schema(
    [
        ("quarantine_id", pa.string()),
        ("available_at", MOMENT),
        ("day", pa.date32()),
        ("table", pa.string()),
        ("source", pa.string()),
        ("reason", pa.string()),
        ("row", pa.string()),
    ]
)

PROFILES = pa.schema(
    [
        ("predicted_at", MOMENT),
        ("available_at", MOMENT),
        ("day", pa.date32()),
        ("ends_at", MOMENT),
        ("model", pa.string()),
        ("cohort", pa.string()),
        ("rows", pa.int64()),
        ("cells", pa.int64()),
        ("profile", pa.binary()),
    ]
)
"""Parts of the profile of a base window that starts at ``predicted_at``: each sums up the records
that arrived between two looks, so all parts of a window together are its profile."""

EDGE_PROFILES = pa.schema(
    [
        ("predicted_at", MOMENT),
        ("available_at", MOMENT),
        ("day", pa.date32()),
        ("ends_at", MOMENT),
        ("model", pa.string()),
        ("parts", pa.string()),
        ("rows", pa.int64()),
        ("cells", pa.int64()),
        ("profile", pa.binary()),
    ]
)
"""Files of the edge, each of the base window that starts at ``predicted_at``; ``parts`` is JSON, a list
of [writer, first, last]: which files of which process were added up in it."""

SIGNALS = pa.schema(
    [
        ("predicted_at", MOMENT),
        ("available_at", MOMENT),
        ("day", pa.date32()),
        ("ends_at", MOMENT),
        *((name, pa.string()) for name in ("kind", "metric", "column", "cohort", "model")),
        *((name, pa.float64()) for name in ("value", "low", "high")),
        ("n", pa.int64()),
        *((name, pa.float64()) for name in ("n_effective", "weight")),
        ("why", pa.string()),
        ("verdict", pa.string()),
        ("said", pa.string()),
        *((name, pa.float64()) for name in ("p", "effect", "expected_low", "expected_high")),
        ("onset", MOMENT),
    ]
)
"""Points of signals by base window, and what was thought of them; of a point that was measured
again, because labels came late, the last one counts."""

TABLES: dict[str, pa.Schema] = {
    "records": RECORDS,
    "labels": LABELS,
    "feedback": FEEDBACK,
    "waiting_labels": LABELS,
    "waiting_feedback": FEEDBACK,
    "chosen": CHOSEN,
    "quarantine": QUARANTINE,
    "profiles": PROFILES,
    "edge_profiles": EDGE_PROFILES,
    "signals": SIGNALS,
}

SOURCE_KINDS = ("human", "outcome", "model")
"""Where a label came from, the most trusted first; the resolver follows this order."""

FEATURE = "f_"
KNOWN = "k_"


def features_of(names: list[str]) -> list[str]:
    """Return the stored feature columns among ``names``, sorted.

    Examples
    --------
    >>> features_of(["record_id", "f_origin", "k_origin", "f_carrier"])
    ['f_carrier', 'f_origin']
    """
    return sorted(n for n in names if n.startswith(FEATURE))


def bare(table: pa.Table) -> pa.Table:
    """Return only the features of a table, under their own names, in a fixed order."""
    names = features_of(table.column_names)
    return table.select(names).rename_columns([n.removeprefix(FEATURE) for n in names])


def conform(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give rows exactly the columns of a schema, nulls where they have none; extras go last."""
    columns = {}
    for field in schema:
        if field.name in rows.column_names:
            columns[field.name] = rows.column(field.name).cast(field.type)
        else:
            columns[field.name] = pa.nulls(rows.num_rows, field.type)
    for name in rows.column_names:
        if name.startswith((FEATURE, KNOWN)) and name not in columns:
            columns[name] = rows.column(name)
    return pa.table(columns)
