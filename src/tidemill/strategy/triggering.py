"""Triggering in a turn: when a retrain is due, form its dataset and open a release."""

from __future__ import annotations

from collections.abc import Iterator

from tidemill.core.machines import LABELLING, OPEN, RELEASE
from tidemill.core.ports import Json, Lease
from tidemill.loop.datasets import Manifest, difference
from tidemill.strategy.candidates import dataset_of
from tidemill.strategy.forming import describe, enough, form_dataset, unlike
from tidemill.strategy.signalling import ask
from tidemill.strategy.turn import Step, Turn


def due(turn: Turn) -> Iterator[Step]:
    """Ask the trigger, unless a candidate is still on its way."""
    state = turn.world.state
    busy = state.machines(RELEASE, [*OPEN, "awaiting"])
    if busy:
        turn.notes.append(f"no retrain: {busy[-1].id} is {busy[-1].state}")
        return
    if turn.steps or state.machines(LABELLING, ["requested"]):
        # A dataset formed now would miss what is on its way; the next turn asks again.
        first = "labels are" if not turn.steps else f"{turn.steps[-1].stage} is"
        turn.notes.append(f"no retrain yet: {first} due first")
        return
    asked, stamp = state.fact("asked"), turn.now.replace(microsecond=0).isoformat()
    if state.fact("last_triggered") == stamp and not asked:
        # What was seen at this moment has had its retrain, however that ended.
        return
    decision = ask(turn)
    if decision.next_due is not None:
        turn.due.append(decision.next_due)
    if not decision.fire:
        turn.notes.append(f"no retrain: {decision.why}")
        return
    if turn.world.events.version("chosen") < 0:
        turn.notes.append(f"no retrain: due ({decision.why}), but nothing was chosen to label yet")
        return
    manifest = form_dataset(turn)
    mixed, missing = unlike(manifest), enough(turn, manifest)
    if mixed or (missing and not (asked and manifest.rows.num_rows)):
        turn.notes.append(f"no retrain: due ({decision.why}), but {mixed or missing}")
        return
    version = f"v{len(state.machines(RELEASE)) + 1}"
    facts_: Json = {"train": manifest.count("train"), "test": manifest.count("test")}
    if decision.change is not None:
        facts_["change"] = decision.change.isoformat()
    yield Step(
        stage="trigger",
        id=version,
        target="triggered",
        why=decision.why,
        facts=facts_,
        data=manifest,
    )


def apply(turn: Turn, lease: Lease, step: Step) -> None:
    """Write the dataset down and open the release."""
    world, manifest = turn.world, step.data
    blob = world.blobs.put("datasets", manifest.to_bytes())
    world.known(lambda: manifest, "manifest", blob)
    front = world.state.front()
    payload = {
        "dataset": {
            **turn.world.known(lambda: describe(manifest), "described", manifest.digest),
            "blob": blob,
            "difference": _difference(turn, manifest),
        },
        "triggered_at": turn.now.isoformat(),
        "change": step.facts.get("change"),
        "strategy": turn.marks.whole,
        "champion": None if front is None else front.version,
    }
    older = world.state.machines(RELEASE, ["inconclusive"])
    also = tuple(
        turn.transition(
            RELEASE,
            m.id,
            m.state,
            "superseded",
            why=f"{step.id} was triggered",
            payload=m.payload,
        )
        for m in older
    )
    # To the second: a turn may run microseconds after its hour, and the next must not miss it.
    meta = {"last_triggered": turn.now.replace(microsecond=0).isoformat(), "asked": None}
    if "change" in step.facts:
        meta["last_change"] = step.facts["change"]
    turn.move(
        lease,
        RELEASE,
        step.id,
        None,
        "triggered",
        why=step.why,
        payload=payload,
        also=also,
        meta=meta,
    )


def _difference(turn: Turn, manifest: Manifest) -> Json:
    """Compare a dataset with that of the newest release so far, if there is one."""
    newest = next(reversed(turn.world.state.machines(RELEASE)), None)
    digest = None if newest is None else newest.payload["dataset"]["digest"]

    def make() -> Json:
        return difference(None if newest is None else dataset_of(turn, newest.id), manifest)

    return turn.world.known(make, "difference", digest, manifest.digest)
