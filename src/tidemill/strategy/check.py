"""``check``: every invariant looked at again, and what can be mended mended."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial

import ibis

from tidemill.core.as_of import AsOf
from tidemill.core.errors import TidemillError
from tidemill.core.machines import CURATION, RELEASE, STEPS
from tidemill.core.ports import Flaw, KeepsInputs, Machine, World
from tidemill.core.records import TABLES
from tidemill.loop.datasets import Manifest
from tidemill.loop.datasets.manifest import fetch
from tidemill.strategy import erased
from tidemill.strategy.in_place import InPlace
from tidemill.strategy.registry import BOOK
from tidemill.strategy.releasing import jobs_of

KEPT = ("models", "datasets", "reports", "strategies", "projections")
_END = datetime(9999, 1, 1, tzinfo=UTC)
BACKUP = "restore the folder of the project, all of it, from a backup."
EDITED = f"somebody changed the state by hand: {BACKUP}"
BUG = "please report it with the line above; nothing was changed."


def problems(world: World, *, source: bytes | None = None) -> list[Flaw]:
    """Look at every invariant.

    Parameters
    ----------
    source
        The text of the strategy file, to mend the copy that was kept of it.

    Returns
    -------
    list of Flaw
        What is wrong and how to put it right; the stores' own findings are among it.
    """
    view = AsOf(world.events, world.engine, _END)
    found: list[Flaw] = []
    for look in (_journal, _front, _records, _facts, _chosen, _datasets, _erasures, _jobs):
        try:
            found += look(world, view)
        except TidemillError as error:
            found.append(Flaw(what=error.what, fix=error.fix))
    found += _blobs(world, source)
    for part in (world.state, world.events, world.blobs, world.jobs, world.inbox):
        flaws: Callable[[], Iterable[Flaw]] = getattr(part, "flaws", list)
        try:
            found += flaws()
        except TidemillError as error:
            found.append(Flaw(what=error.what, fix=error.fix))
    return list({flaw.what: flaw for flaw in found}.values())


def repair(found: list[Flaw]) -> list[Flaw]:
    """Mend what can be mended without losing anything; returns what was mended."""
    mended: list[Flaw] = []
    for flaw in found:
        if flaw.mend is not None:
            flaw.mend()
            mended.append(flaw)
    return mended


def _journal(world: World, view: AsOf) -> Iterator[Flaw]:
    states: dict[tuple[str, str], str] = {}
    last = 0
    for row in world.state.journal():
        key = (row.kind, row.id)
        if states.get(key) != row.source:
            what = f"{row.kind} {row.id} was {states.get(key)}, not {row.source}"
            yield Flaw(what=f"journal {row.seq}: {what}.", fix=EDITED)
        if row.target not in STEPS.get(row.kind, {}).get(row.source, ()):
            what = f"{row.kind} {row.id} may not go {row.source} → {row.target}"
            yield Flaw(what=f"journal {row.seq}: {what}.", fix=EDITED)
        if row.seq != last + 1:
            what = f"journal: rows {last + 1} to {row.seq - 1} are missing."
            yield Flaw(what=what, fix=EDITED)
        last, states[key] = row.seq, row.target
    for kind in STEPS:
        for machine in world.state.machines(kind):
            if states.pop((kind, machine.id), None) != machine.state:
                what = f"{kind} {machine.id} is {machine.state}, which the journal does not say."
                yield Flaw(what=what, fix=EDITED)
    for kind, name in states:
        yield Flaw(what=f"{kind} {name} is in the journal, not among the machines.", fix=EDITED)


def _front(world: World, view: AsOf) -> Iterator[Flaw]:
    front = world.state.front()
    live = [m.id for m in world.state.machines(RELEASE, ["live"])]
    version = None if front is None else front.version
    if live != ([] if version is None else [version]):
        what = f"in front is {version}, but live are {', '.join(live) or 'none'}."
        yield Flaw(what=what, fix=EDITED)


def _blobs(world: World, source: bytes | None) -> Iterator[Flaw]:
    """Read every model, dataset, report and strategy there is or should be."""
    wanted = [(k, d) for k in KEPT for d in world.blobs.digests(k)]
    for m in world.state.machines(RELEASE):
        wanted += [(kind, digest) for kind, digest in _kept_by(m) if digest is not None]
    wanted += [("strategies", row["source"]) for row in world.state.rows(BOOK)]
    ours = None if source is None else hashlib.sha256(source).hexdigest()
    for kind, digest in dict.fromkeys(wanted):
        try:
            world.blobs.get(kind, digest)
        except TidemillError as error:
            if (kind, digest) == ("strategies", ours) and source is not None:
                fix = "tidemill check --repair keeps the strategy file's text again."
                put = partial(world.blobs.put, kind, source)
                yield Flaw(what=error.what, fix=fix, mend=put)
            else:
                yield Flaw(what=error.what, fix=error.fix)


def _kept_by(machine: Machine) -> Iterator[tuple[str, str | None]]:
    payload = machine.payload
    yield "models", payload.get("model", {}).get("digest")
    yield "datasets", payload["dataset"]["blob"]
    yield "datasets", payload.get("test", {}).get("blob")
    yield "reports", payload.get("report")


def _records(world: World, view: AsOf) -> Iterator[Flaw]:
    rows = view.table("records")
    counts = rows.group_by("record_id").aggregate(n=rows.count())
    twice = view.arrow(counts.filter(ibis._.n > 1).count().as_table())
    if n := twice.column(0)[0].as_py():
        yield Flaw(what=f"{n} record ids are there more than once.", fix=_twice(world, "records"))
    bad = rows.filter(
        rows.record_id.isnull()
        | rows.predicted_at.isnull()
        | ~ibis._.p_log.between(0, 1)
        | ~ibis._.u_label.between(0, 1)
        | (ibis._.u_log >= ibis._.p_log)
    )
    if n := view.arrow(bad.count().as_table()).column(0)[0].as_py():
        yield Flaw(what=f"{n} records break an invariant of their columns.", fix=BUG)
    last = world.state.fact("last_write")
    for table in TABLES:
        rows = view.table(table)
        newest = view.arrow(rows.aggregate(at=rows.available_at.max()))["at"][0].as_py()
        # What a turn writes itself is of its moment.
        stamped = table not in ("chosen", "quarantine", "profiles", "signals")
        stamped &= not (isinstance(world.events, InPlace) and table in world.events.tables)
        if stamped and newest and (last is None or newest > datetime.fromisoformat(last)):
            what = f"{table}: rows are available at {newest}, after the last write the state knows."
            yield Flaw(
                what=what,
                fix="run 'tidemill run'; if it stays, the state is an older one: " + BACKUP,
            )


def _facts(world: World, view: AsOf) -> Iterator[Flaw]:
    records = view.table("records").select("record_id")
    for name, key in (("labels", "label_id"), ("feedback", "feedback_id")):
        rows = view.table(name)
        orphans = rows.anti_join(records, "record_id")
        if n := view.arrow(orphans.count().as_table()).column(0)[0].as_py():
            yield Flaw(what=f"{n} {name} have no record.", fix=_alone(world, name))
        counts = rows.group_by(key).aggregate(n=rows.count())
        if n := view.arrow(counts.filter(ibis._.n > 1).count().as_table()).column(0)[0].as_py():
            yield Flaw(what=f"{n} {name} are there more than once.", fix=_twice(world, name))


def _twice(world: World, table: str) -> str:
    """Say whose rows stand twice: in a table of the user's it is no fault of ours."""
    if isinstance(world.events, InPlace) and table in world.events.tables:
        return f"make ids single in {world.events.name(table)}, or name a view in which they are."
    return BUG


def _alone(world: World, table: str) -> str:
    """Say what to do about facts without a record, which one in a user's table may lose."""
    if isinstance(world.events, InPlace):
        return f"their records cannot be used, or went from {world.events.name('records')}."
    return BACKUP


def _chosen(world: World, view: AsOf) -> Iterator[Flaw]:
    rows = view.table("chosen")
    counts = rows.group_by("window").aggregate(
        n=rows.count(), least=rows.pi.min(), most=rows.pi.max()
    )
    found = {r["window"]: r for r in view.arrow(counts).to_pylist()}
    gone = erased.by_window(world)
    for machine in world.state.machines(CURATION):
        row = found.pop(machine.id, {"n": 0, "least": 1.0, "most": 1.0})
        if row["n"] + gone[machine.id] != machine.payload["chosen"]:
            more = f" and {gone[machine.id]} erased" if gone[machine.id] else ""
            what = (
                f"window {machine.id} holds {row['n']} rows{more}, not {machine.payload['chosen']}."
            )
            yield Flaw(what=what, fix=BACKUP)
        if not 0 < row["least"] <= row["most"] <= 1:
            what = f"window {machine.id} has an inclusion probability outside (0, 1]."
            yield Flaw(what=what, fix=BUG)
    for window in found:
        what = f"window {window} was chosen but is not in the journal."
        yield Flaw(what=what, fix="run 'tidemill run': the next turn takes it up.")


def _erasures(world: World, view: AsOf) -> Iterator[Flaw]:
    for entry in (world.state.fact(erased.BEGUN) or {}).values():
        yield Flaw(
            what=f"an erasure was begun at {entry['begun'][:19]} and is not finished.",
            fix="run the same 'tidemill records erase' again: it goes on.",
        )


def _jobs(world: World, view: AsOf) -> Iterator[Flaw]:
    if not isinstance(world.jobs, KeepsInputs):
        return
    awaited = set(jobs_of(world.state))
    left = [job for job in world.jobs.kept() if job not in awaited]
    if left:
        yield Flaw(
            what=f"{len(left):,} jobs that nobody waits for left files behind, {left[0]} first.",
            fix="tidemill check --repair removes them.",
            mend=lambda: [world.jobs.forget(job) for job in left],
        )


def _datasets(world: World, view: AsOf) -> Iterator[Flaw]:
    for m in world.state.machines(RELEASE):
        kept = m.payload["dataset"]
        try:
            manifest = Manifest.from_bytes(world.blobs.get("datasets", kept["blob"]))
        except TidemillError:
            continue  # told among the blobs
        if manifest.digest != kept["digest"]:
            yield Flaw(what=f"the dataset of {m.id} does not match its digest.", fix=EDITED)
        try:
            fetch(view, manifest.rows)
        except TidemillError as error:
            what = f"the dataset of {m.id} cannot be rebuilt: {error.what}"
            yield Flaw(what=what, fix=error.fix)
