"""Automatic labelling in a turn: ask for the labels of a window, collect the answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np
import pyarrow as pa

from tidemill.core.machines import CURATION, LABELLING
from tidemill.core.ports import Job, Lease, Machine
from tidemill.core.records import MOMENT, bare
from tidemill.loop.log.columns import FactColumns
from tidemill.strategy.jobs import begin, end, worth_another_try
from tidemill.strategy.storing import store_facts
from tidemill.strategy.turn import Step, Turn


def due(turn: Turn) -> Iterator[Step]:
    """Say which chosen windows want labels, and which answers have come."""
    state = turn.world.state
    for machine in state.machines(LABELLING, ["requested"]):
        result = turn.world.jobs.poll(_job(machine.id))
        if result is None:
            turn.running += 1
        elif not worth_another_try(turn, result, _job(machine.id)):
            target = "answered" if result.ok else "failed"
            why = "the labeller answered" if result.ok else f"the labeller failed: {result.why}"
            yield Step(
                stage=LABELLING,
                id=machine.id,
                source="requested",
                target=target,
                why=why,
                data=result,
            )
        else:
            why = "the labeller disappeared and is asked again"
            yield Step(
                stage=LABELLING, id=machine.id, source="requested", target="requested", why=why
            )
    if turn.strategy.labels.labeller is None:
        return
    asked = {m.id for m in state.machines(LABELLING)}
    for machine in state.machines(CURATION):
        if machine.id not in asked and machine.payload["chosen"]:
            why = f"{machine.payload['chosen']:,} chosen records want a label"
            yield Step(stage=LABELLING, id=machine.id, target="requested", why=why)


def apply(turn: Turn, lease: Lease, step: Step) -> None:
    """Ask the labeller, or keep what it said."""
    machine = turn.world.state.machine(LABELLING, step.id)
    if step.target == "requested":
        begin(turn, lease, _ask(turn, step.id))
        if machine is None:
            turn.move(lease, LABELLING, step.id, None, "requested", why=step.why)
        return
    if machine is None:
        return
    payload = {}
    if step.target == "answered":
        payload = {"labels": _collect(turn, lease, step)}
    turn.move(lease, LABELLING, step.id, "requested", step.target, why=step.why, payload=payload)
    end(turn, lease, _job(step.id))


def _job(window: str) -> str:
    return "label-" + window.replace(":", "").replace("+", "-")


def _chosen(turn: Turn, window: str) -> pa.Table:
    chosen = turn.view.table("chosen")
    chosen = chosen.filter(chosen.window == window).select("record_id")
    records = turn.view.records().semi_join(chosen, "record_id").order_by("record_id")
    return turn.view.arrow(records)


def _ask(turn: Turn, window: str) -> Job:
    rule = turn.strategy.labels
    return Job(id=_job(window), kind="label", work=rule.labeller, table=bare(_chosen(turn, window)))


def _collect(turn: Turn, lease: Lease, step: Step) -> int:
    said: pa.Table = step.data.tables["labels"]
    rule = turn.strategy.labels
    name = "output_text" if said["output"].null_count == said.num_rows else "output"
    ids = _chosen(turn, step.id)["record_id"]
    price = float(getattr(rule, "price", 0.0))
    table = pa.table(
        {
            "record_id": ids,
            "label": said[name],
            "cost": pa.array(np.full(len(ids), price)),
            # Stated, and the same whenever it is said: labels stored again after a crash
            # are known again by it.
            "asked_at": pa.array([_closed_at(turn, step.id)] * len(ids), MOMENT),
        }
    )
    table = table.filter(table["label"].is_valid())
    store_facts(
        turn,
        lease,
        table,
        FactColumns(cost="cost", available_at="asked_at"),
        name="labels",
        source=f"model:{getattr(rule, 'name', 'automatic')}",
        source_kind="model",
        writer=_job(step.id),
        sequence=1,
    )
    return table.num_rows


def _closed_at(turn: Turn, window: str) -> datetime | None:
    machine = turn.world.state.machine(CURATION, window)
    return None if machine is None else datetime.fromisoformat(machine.payload["end"])


def running(machine: Machine) -> str:
    """Return the job a labelling machine waits for."""
    return _job(machine.id)
