"""The offline test of a candidate: on which rows, and what the gates say to the answers."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.ports import JobResult, Json, Machine
from tidemill.core.rules import Gate, TestSet
from tidemill.core.verdict import Finding, Verdict
from tidemill.core.work import reason
from tidemill.loop.datasets import Manifest
from tidemill.loop.offline.comparison import answered, compare_on
from tidemill.loop.offline.report_card import report_card
from tidemill.measures.grouped import columns_of_groups
from tidemill.strategy.candidates import dataset_of, manifest_of
from tidemill.strategy.forming import form_test
from tidemill.strategy.in_place import assumed, doubt
from tidemill.strategy.turn import Turn

_MATTERING = ("importance", "importance_why")
"""What a job says of how much answers rest on each feature, for monitoring."""


def chosen(turn: Turn, m: Machine) -> Json:
    """Write down exactly which rows the comparison is about."""
    front = turn.world.state.front()
    champion = None if front is None else front.version
    dataset = dataset_of(turn, m.id)
    if turn.strategy.tested:
        rows = form_test(
            turn,
            dataset,
            dataset_of(turn, champion) if champion else None,
            formed_at=datetime.fromisoformat(m.payload["triggered_at"]),
        )
    else:
        rows = Manifest(rows=dataset.rows.slice(0, 0))
    return {
        "champion": champion,
        "test": {
            "blob": turn.world.blobs.put("datasets", rows.to_bytes()),
            "digest": rows.digest,
            "rows": len(rows.rows),
        },
        "look": m.payload.get("look", 0) + 1,
        "curated_until": turn.world.state.fact("curated_until"),
    }


def compared(turn: Turn, m: Machine, said: JobResult) -> Json:
    """Ask the gates about the answers, and keep the report card."""
    rows = manifest_of(turn, m.payload["test"]["blob"]).rows
    answers = {name: answered(table) for name, table in said.tables.items()}
    rows = _with_groups(turn, rows)
    test = compare_on(rows, answers, look=m.payload["look"])
    findings = [_ask(gate, test) for gate in turn.strategy.offline]
    flatters = doubt(turn.world, turn.strategy)
    told = assumed(turn.world)
    card = report_card(m.id, m.payload, test, findings, assumed=told, doubt=flatters)
    text = json.dumps(card, sort_keys=True, indent=1, allow_nan=False)
    report = turn.world.blobs.put("reports", text.encode())
    return {
        "report": report,
        "answers": digest_of_answers(said.tables["candidate"]),
        "verdict": card["verdict"],
        "why": card["why"],
        "tested_at": turn.now.isoformat(),
        **{k: v for k, v in said.facts.items() if k in _MATTERING},
        "_why": f"{card['verdict']}: {card['why']}",
    }


def _with_groups(turn: Turn, rows: pa.Table) -> pa.Table:
    """Fetch what tells the lists of the rows of a test, where a gate's metric is of lists."""
    columns = columns_of_groups(getattr(gate, "metric", None) for gate in turn.strategy.offline)
    if not columns or not rows.num_rows:
        return rows
    span = pc.min_max(rows["predicted_at"]).as_py()
    found = turn.view.records(since=span["min"], until=span["max"] + timedelta(microseconds=1))
    known = turn.view.arrow(found.select("record_id", *columns))
    place = pc.index_in(rows["record_id"], known["record_id"])
    for name in columns:
        rows = rows.append_column(name, known[name].take(place))
    return rows


def _ask(gate: Gate, test: TestSet) -> Finding:
    """Ask a gate; one that breaks, as on labels its metric cannot read, has no verdict."""
    try:
        return gate(test)
    except Exception as error:  # noqa: BLE001 - a user's metric may raise anything
        name = getattr(getattr(gate, "metric", None), "name", type(gate).__name__)
        why = f"it cannot tell: {reason(error)}"
        return Finding(gate=str(name), verdict=Verdict.NO_VERDICT, why=why)


def digest_of_answers(said: pa.Table) -> str:
    """Name a model by what it answers on its test, to nine digits: bytes may differ."""
    digest = hashlib.sha256()
    for name in sorted(said.column_names):
        digest.update(name.encode())
        if pa.types.is_floating(said[name].type):
            digest.update(_nine_digits(said[name].to_numpy()).tobytes())
        else:
            digest.update("\x1f".join(map(str, said[name].to_pylist())).encode())
    return digest.hexdigest()[:16]


def _nine_digits(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Round to nine significant digits; what is no number stays what it is."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        size = 10.0 ** (8 - np.floor(np.log10(np.abs(values))))
        rounded = np.rint(values * size) / size
    plain = (values == 0) | ~np.isfinite(values) | ~np.isfinite(rounded)
    return np.where(np.isnan(values), np.nan, np.where(plain, values, rounded)) + 0.0
