"""The promises of the stores of events, state and blobs; run them on your own adapters.

Each promise is a function of its own, collected in ``EVENTS``, ``STATE`` and ``BLOBS``, so
that a test run can show each by name; ``check_...`` runs all of one port. A store is made
by ``make(folder)``; called again with the same folder it opens the same store, unless it
keeps nothing (``lasting=False``).
"""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.errors import BadValue, Busy, Damaged, NotAllowed, NotFound, TidemillError
from tidemill.core.machines import RELEASE
from tidemill.core.ports import BlobStore, Engine, EventStore, Lease, StateStore, Transition
from tidemill.core.records import RECORDS, TABLES
from tidemill.testing import data

S = TypeVar("S")
AT = datetime(2024, 3, 1, 12, 30, 0, 123456, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Bench(Generic[S]):
    """What a suite needs to know of the store it looks at.

    Parameters
    ----------
    make
        Opens the store of a folder.
    folder
        An empty folder of its own.
    lasting
        Whether a store opened again holds what the one before it held.
    engine
        Reads snapshots of events.
    damage
        Changes one stored blob behind the store's back: ``(store, folder, kind, digest)``.
    """

    make: Callable[[Path], S]
    folder: Path
    lasting: bool = True
    engine: Engine | None = None
    damage: Callable[[S, Path, str, str], None] | None = None

    def open(self) -> S:
        return self.make(self.folder)


def check_event_store(
    make: Callable[[Path], EventStore], engine: Engine, *, lasting: bool = True
) -> None:
    """Hold a store of events against every promise of its port."""
    _run(EVENTS, lambda at: Bench(make=make, folder=at, engine=engine, lasting=lasting))


def check_state_store(make: Callable[[Path], StateStore], *, lasting: bool = True) -> None:
    """Hold a store of state against every promise of its port."""
    _run(STATE, lambda at: Bench(make=make, folder=at, lasting=lasting))


def check_blob_store(
    make: Callable[[Path], BlobStore],
    *,
    lasting: bool = True,
    damage: Callable[[Any, Path, str, str], None] | None = None,
) -> None:
    """Hold a store of blobs against every promise of its port."""
    _run(BLOBS, lambda at: Bench(make=make, folder=at, lasting=lasting, damage=damage))


def _run(promises: tuple[Callable[[Any], None], ...], bench: Callable[[Path], Any]) -> None:
    for promise in promises:
        with tempfile.TemporaryDirectory(prefix="tidemill-") as folder:
            promise(bench(Path(folder)))


def refused(kind: type[TidemillError], call: Callable[[], object]) -> None:
    """Assert that a call is refused in one line that names the fix."""
    try:
        call()
    except kind as error:
        text = str(error)
        assert "Fix:" in text, f"{text!r} names no fix"
        assert "\n" not in text, f"{text!r} is more than a line"
    else:
        raise AssertionError(f"{kind.__name__} was not raised")


# ---------------------------------------------------------------------------- events


def an_unknown_table_is_refused(bench: Bench[EventStore]) -> None:
    """A table that does not exist is an error that names the nearest one."""
    store = bench.open()
    rows = data.records(3)
    refused(NotFound, lambda: store.append("record", rows, writer="w", sequence=1))
    refused(NotFound, lambda: store.snapshot("record"))


def a_new_store_is_empty(bench: Bench[EventStore]) -> None:
    """Every table can be read before anything was written to it."""
    store = bench.open()
    for table, schema in TABLES.items():
        assert store.version(table) == -1
        found = _read(bench, store, table)
        assert found.num_rows == 0
        assert set(schema.names) - {"day"} <= set(found.column_names)
        store.compact(table)


def values_come_back_as_they_were(bench: Bench[EventStore]) -> None:
    """Bits of floats, letters of all alphabets, microseconds, vectors and nulls are kept."""
    store = bench.open()
    for name, rows in data.awkward_records().items():
        if not rows.num_rows:
            continue
        fresh = bench.make(bench.folder / name)
        fresh.append("records", rows, writer="w", sequence=1)
        _same_rows(_read(bench, fresh, "records"), rows.drop_columns(["day"]))
    odd = [0.1, -0.0, 5e-324, 1.7976931348623157e308, None]
    rows = data.records(5)
    place = rows.column_names.index("f_number")
    rows = rows.set_column(place, "f_number", pa.array(odd, pa.float64()))
    store.append("records", rows, writer="w", sequence=1)
    found = _read(bench, store, "records").sort_by("record_id")["f_number"].to_pylist()
    assert [repr(v) for v in found] == [repr(v) for v in odd]


def a_batch_is_appended_once(bench: Bench[EventStore]) -> None:
    """The same (writer, sequence) again does nothing, also after opening again."""
    store = bench.open()
    assert store.append("records", data.records(4), writer="a", sequence=5)
    assert not store.append("records", data.records(4), writer="a", sequence=5)
    assert not store.append("records", data.records(4, start=90), writer="a", sequence=4)
    assert store.append("records", data.records(3, start=10), writer="b", sequence=5)
    assert store.append("chosen", _chosen(2), writer="a", sequence=5)
    store.compact("records")
    assert not store.append("records", data.records(4), writer="a", sequence=5)
    if bench.lasting:
        store = bench.open()
        assert not store.append("records", data.records(4), writer="a", sequence=5)
    assert store.append("records", data.records(2, start=20), writer="a", sequence=6)
    assert _read(bench, store, "records").num_rows == 9
    assert _read(bench, store, "chosen").num_rows == 2


def a_batch_is_appended_whole_or_not_at_all(bench: Bench[EventStore]) -> None:
    """Rows that do not fit leave nothing behind, and their number can be used again."""
    store = bench.open()
    store.append("records", data.records(4), writer="a", sequence=1)
    rows = data.records(3, start=10)
    words = pa.array(["no"] * 3)
    for name in ("output", "f_number"):
        wrong = rows.set_column(rows.column_names.index(name), name, words)
        try:
            store.append("records", wrong, writer="a", sequence=2)
        except Exception:  # noqa: BLE001, S110 - each store refuses in the words of its vendor
            pass
        else:
            raise AssertionError(f"texts are taken as {name}")
        assert _read(bench, store, "records").num_rows == 4
    assert store.append("records", rows, writer="a", sequence=2)
    assert _read(bench, store, "records").num_rows == 7


def nothing_can_be_appended(bench: Bench[EventStore]) -> None:
    """An empty batch is fine and changes nothing."""
    store = bench.open()
    assert store.append("records", data.records(0), writer="a", sequence=1)
    assert _read(bench, store, "records").num_rows == 0


def a_table_grows_new_features(bench: Bench[EventStore]) -> None:
    """A feature that appears later is null in older rows, and one that goes in newer ones."""
    store = bench.open()
    old = data.records(4).drop_columns(["f_vector"])
    new = data.records(4, start=50).drop_columns(["f_text"])
    new = new.append_column("f_extra", pa.array([1.5] * 4))
    last = _last_day(old)
    store.append("records", old, writer="a", sequence=1)
    store.append("records", new, writer="a", sequence=2)
    found = _read(bench, store, "records").sort_by("record_id")
    assert found["f_extra"].to_pylist() == [None] * 4 + [1.5] * 4
    assert found["f_vector"].to_pylist()[:4] == [None] * 4
    assert found["f_text"].null_count == 4
    # Also where no file that is read has the column.
    early = _read(bench, store, "records", until=last - timedelta(days=20))
    assert {"f_vector", "f_extra"} <= set(early.column_names)
    assert found.schema.field("f_vector").type.equals(early.schema.field("f_vector").type)


def bounds_never_lose_a_row(bench: Bench[EventStore]) -> None:
    """Bounds skip what lies outside, never a row inside, whatever the time zone."""
    store = bench.open()
    for k, name in enumerate(("plain", "late")):
        rows = data.awkward_records()[name]
        fresh = [f"{name}{k}" for k in range(rows.num_rows)]
        rows = rows.set_column(0, "record_id", pa.array(fresh))
        store.append("records", rows, writer="a", sequence=k)
    whole = _read(bench, store, "records")
    at = sorted(whole["available_at"].to_pylist())
    days = [None, data.NOW.date() - timedelta(days=20), data.NOW.date() - timedelta(days=3)]
    east = timezone(timedelta(hours=9))
    moments = [None, at[40], at[-1], at[80].astimezone(east), at[-1] + timedelta(microseconds=1)]
    for since, until, arrived in itertools.product(days, days, moments):
        found = _read(bench, store, "records", since=since, until=until, arrived=arrived)
        inside = _inside(whole, since, until, arrived)
        lost = set(inside["record_id"].to_pylist()) - set(found["record_id"].to_pylist())
        assert not lost, f"{len(lost)} rows are lost within {since}, {until}, {arrived}"


def the_version_grows_with_every_change(bench: Bench[EventStore]) -> None:
    """The version tells that a table has changed, and that it has not."""
    store = bench.open()
    versions = [store.version("records")]
    for k in range(3):
        store.append("records", data.records(3, start=10 * k), writer="a", sequence=k)
        versions.append(store.version("records"))
    assert versions == sorted(set(versions)), f"versions do not grow: {versions}"
    store.append("records", data.records(3), writer="a", sequence=1)
    assert store.version("records") == versions[-1]
    assert store.version("labels") == -1
    if bench.lasting:
        assert bench.open().version("records") == versions[-1]


def compaction_changes_no_row(bench: Bench[EventStore]) -> None:
    """After compaction the rows are the same, and an older snapshot can still be read."""
    store = bench.open()
    for k in range(4):
        store.append("records", data.records(6, start=10 * k), writer="a", sequence=k)
    before = store.snapshot("records")
    rows = _read(bench, store, "records")
    store.compact("records")
    _same_rows(_read(bench, store, "records"), rows)
    store.append("records", data.records(2, start=80), writer="a", sequence=9)
    assert bench.engine is not None
    _same_rows(bench.engine.arrow(bench.engine.table(before)), rows)


def what_is_erased_is_gone(bench: Bench[EventStore]) -> None:
    """Erased rows are gone, others and what was appended stay; only tables of records are erased."""
    store = bench.open()
    odd = ["it's", "a", "\\'; --", "é\n"]
    rows = data.records(6)
    names = [*odd, "kept", "also kept"]
    rows = rows.set_column(rows.column_names.index("record_id"), "record_id", pa.array(names))
    assert store.erase("records", odd) == 0, "a table that is not there holds nothing"
    store.append("records", rows.slice(0, 3), writer="w", sequence=1)
    store.append("records", rows.slice(3), writer="w", sequence=2)
    before = store.version("records")
    assert store.erase("records", [*odd, "never there"]) == 4
    assert store.version("records") > before
    for one in (store, bench.open()) if bench.lasting else (store,):
        left = _read(bench, one, "records")
        assert sorted(left["record_id"].to_pylist()) == ["also kept", "kept"]
        assert one.erase("records", odd) == 0
        assert one.erase("records", []) == 0
        assert not one.append("records", rows, writer="w", sequence=2)
    assert store.append("records", rows.slice(0, 1), writer="w", sequence=3)
    assert _read(bench, store, "records").num_rows == 3
    refused(BadValue, lambda: store.erase("signals", ["a"]))
    refused(NotFound, lambda: store.erase("record", ["a"]))


def another_process_sees_what_was_appended(bench: Bench[EventStore]) -> None:
    """Two stores on one folder see each other's rows."""
    if not bench.lasting:
        return
    one, other = bench.open(), bench.open()
    for k in range(3):
        one.append("records", data.records(2, start=10 * k), writer="a", sequence=k)
        other.append("records", data.records(2, start=10 * k + 5), writer="b", sequence=k)
        assert _read(bench, one, "records").num_rows == 4 * (k + 1)
        assert one.version("records") == other.version("records")


def _read(bench: Bench[EventStore], store: EventStore, table: str, **bounds: Any) -> pa.Table:
    assert bench.engine is not None, "hand in an engine to read snapshots with"
    return bench.engine.arrow(bench.engine.table(store.snapshot(table, **bounds)))


def _same_rows(one: pa.Table, other: pa.Table) -> None:
    names = sorted(other.column_names)
    assert sorted(one.column_names) == names, f"columns {one.column_names} are not {names}"
    order = [("record_id", "ascending"), ("row_hash", "ascending")]
    kind = pa.schema([other.schema.field(n) for n in names])
    left, right = (t.select(names).cast(kind).sort_by(order) for t in (one, other))
    for name in names:
        assert left[name].equals(right[name]), f"column {name} is not what it was"


def _inside(rows: pa.Table, since: Any, until: Any, arrived: Any) -> pa.Table:
    day = pc.cast(pc.cast(rows["predicted_at"], pa.timestamp("us")), pa.date32(), safe=False)
    keep = pc.is_valid(day)
    if since is not None:
        keep = pc.and_(keep, pc.greater_equal(day, pa.scalar(since, pa.date32())))
    if until is not None:
        keep = pc.and_(keep, pc.less_equal(day, pa.scalar(until, pa.date32())))
    if arrived is not None:
        bound = pa.scalar(arrived, RECORDS.field("available_at").type)
        keep = pc.and_(keep, pc.greater_equal(rows["available_at"], bound))
    return rows.filter(keep)


def _last_day(rows: pa.Table) -> Any:
    return pc.max(rows["day"]).as_py()


def _chosen(n: int) -> pa.Table:
    rows = data.records(n).select(["record_id", "predicted_at", "available_at", "day"])
    return rows.append_column("pi", pa.array([0.5] * n))


# ----------------------------------------------------------------------------- state


def a_new_state_is_empty(bench: Bench[StateStore]) -> None:
    """Before anything happened there is nothing, and asking is no error."""
    state = bench.open()
    assert state.journal() == []
    assert state.fronts() == []
    assert state.machines(RELEASE) == []
    assert state.machine(RELEASE, "v1") is state.front() is state.fact("x") is None
    assert state.rows("intake") == []


def a_step_is_journalled_whole(bench: Bench[StateStore]) -> None:
    """The journal says when, what, why, by whom, under which strategy, on which data."""
    state = bench.open()
    east = timezone(timedelta(hours=9))
    facts = {"n": 3, "text": "Zürich ✓", "nested": {"list": [1, None, 0.1]}}
    with state.lease("test") as lease:
        step = _step("v1", None, "triggered", at=AT.astimezone(east), payload=facts)
        state.transition(lease, step)
    row = state.journal()[0]
    assert (row.seq, row.kind, row.id, row.source, row.target) == (
        1,
        RELEASE,
        "v1",
        None,
        "triggered",
    )
    assert (row.why, row.payload, row.frontier) == ("because", facts, {"now": "then"})
    assert (row.strategy, row.actor, row.at) == ("s1", "ana", AT)
    machine = state.machine(RELEASE, "v1")
    assert machine is not None
    assert (machine.state, machine.payload, machine.updated_at) == ("triggered", facts, AT)


def only_legal_steps_are_taken(bench: Bench[StateStore]) -> None:
    """A step the machine cannot take, or from where it is not, is refused and leaves nothing."""
    state = bench.open()
    with state.lease("test") as lease:
        state.transition(lease, _step("v1", None, "triggered"))
        for wrong in (
            _step("v1", "triggered", "live"),
            _step("v1", "training", "trained"),
            _step("v1", None, "triggered"),
            _step("v2", "triggered", "training"),
            _step("v2", None, "live"),
        ):
            refused(NotAllowed, lambda step=wrong: state.transition(lease, step))
        unknown = Transition(kind="nothing", id="v1", source=None, target="x", why="because", at=AT)
        refused(TidemillError, lambda: state.transition(lease, unknown))
    assert [m.state for m in state.machines(RELEASE)] == ["triggered"]
    assert len(state.journal()) == 1


def a_step_and_what_goes_with_it_are_one(bench: Bench[StateStore]) -> None:
    """The step, other machines' steps, the front and the facts are written together or not."""
    state = bench.open()
    with state.lease("test") as lease:
        state.transition(lease, _step("v1", None, "triggered"))
        good = _step("v2", None, "triggered")
        bad = _step("v3", None, "live")
        for also in ((bad,), (good, bad)):
            step = _step("v1", "triggered", "training", front="v1", meta={"k": 1}, also=also)
            refused(NotAllowed, lambda one=step: state.transition(lease, one))
            assert [(m.id, m.state) for m in state.machines(RELEASE)] == [("v1", "triggered")]
            assert (state.fronts(), state.fact("k"), len(state.journal())) == ([], None, 1)
        also = (_step("v2", None, "triggered", meta={"m": [2]}),)
        step = _step("v1", "triggered", "training", front="v1", meta={"k": 1}, also=also)
        state.transition(lease, step)
    assert [(m.id, m.state) for m in state.machines(RELEASE)] == [
        ("v1", "training"),
        ("v2", "triggered"),
    ]
    assert (state.fact("k"), state.fact("m"), len(state.journal())) == (1, [2], 3)
    assert [f.version for f in state.fronts()] == ["v1"]


def the_front_is_the_latest(bench: Bench[StateStore]) -> None:
    """``fronts`` tells who answered since when; an empty version means nobody."""
    state = bench.open()
    steps = [("v1", "v1"), ("v2", "v2"), ("v3", "")]
    with state.lease("test") as lease:
        for k, (name, front) in enumerate(steps):
            at = AT + timedelta(hours=k)
            state.transition(lease, _step(name, None, "triggered", front=front, at=at))
        state.transition(lease, _step("v4", None, "triggered"))
    assert [f.version for f in state.fronts()] == ["v1", "v2", None]
    assert [f.at for f in state.fronts()] == [AT + timedelta(hours=k) for k in range(3)]
    front = state.front()
    assert front is not None
    assert front == state.fronts()[-1]


def machines_keep_their_order(bench: Bench[StateStore]) -> None:
    """Machines are listed as they were created, by kind and by state."""
    state = bench.open()
    with state.lease("test") as lease:
        for name in ("b", "a", "c"):
            state.transition(lease, _step(name, None, "triggered"))
        state.transition(lease, _step("b", "triggered", "training"))
    assert [m.id for m in state.machines(RELEASE)] == ["b", "a", "c"]
    assert [m.id for m in state.machines(RELEASE, ["triggered"])] == ["a", "c"]
    assert state.machines(RELEASE, []) == []
    assert state.machines("curation") == []


def the_journal_has_no_gaps(bench: Bench[StateStore]) -> None:
    """Entries are numbered from 1 without a gap, whatever was refused in between."""
    state = bench.open()
    with state.lease("test") as lease:
        for k in range(4):
            state.transition(lease, _step(f"v{k}", None, "triggered"))
            wrong = _step(f"v{k}", "triggered", "live")
            refused(NotAllowed, lambda step=wrong: state.transition(lease, step))
    assert [r.seq for r in state.journal()] == [1, 2, 3, 4]
    assert [r.id for r in state.journal(after=2)] == ["v2", "v3"]
    assert state.journal(after=4) == []


def an_old_lease_is_fenced(bench: Bench[StateStore]) -> None:
    """Who held the lease before cannot write any more."""
    state = bench.open()
    with state.lease("one") as old:
        state.set_fact(old, "k", 1)
    with state.lease("two") as new:
        assert new.epoch > old.epoch
        refused(Busy, lambda: state.hold(old))
        refused(Busy, lambda: state.set_fact(old, "k", 2))
        refused(Busy, lambda: state.transition(old, _step("v1", None, "triggered")))
        refused(Busy, lambda: state.set_fact(Lease(epoch=new.epoch + 1), "k", 2))
        state.hold(new)
        state.set_fact(new, "k", 3)
    assert (state.fact("k"), state.journal()) == (3, [])


def a_lease_excludes_others(bench: Bench[StateStore]) -> None:
    """While somebody holds the lease nobody else gets it; an error lets go of it."""
    if not bench.lasting:
        return
    one, other = bench.open(), bench.open()
    with one.lease("one"):
        refused(Busy, lambda: other.lease("other").__enter__())
    with other.lease("other") as second:
        refused(Busy, lambda: one.lease("one").__enter__())
    with suppress(RuntimeError), one.lease("one"):
        raise RuntimeError
    with other.lease("other") as third:
        assert third.epoch > second.epoch


def facts_are_kept(bench: Bench[StateStore]) -> None:
    """Facts are plain JSON; the last one counts, also after opening again."""
    state = bench.open()
    values = {"a": 1, "b": {"x": [1, 2.5, None]}, "c": "ü", "d": None, "e": False}
    with state.lease("test") as lease:
        state.set_fact(lease, "a", "old")
        for key, value in values.items():
            state.set_fact(lease, key, value)
        state.transition(lease, _step("v1", None, "triggered", front="v1"))
    journal, fronts = state.journal(), state.fronts()
    if bench.lasting:
        state = bench.open()
    assert {k: state.fact(k) for k in values} == values
    assert (state.journal(), state.fronts()) == (journal, fronts)


def a_ledger_takes_each_key_once(bench: Bench[StateStore]) -> None:
    """The first row of a key stays, in the order of writing; books do not mix."""
    state = bench.open()
    assert state.add_row("intake", "b", {"n": 1})
    assert state.add_row("intake", "a", {"n": 2})
    assert not state.add_row("intake", "b", {"n": 3})
    assert state.add_row("signatures", "b", {"n": 4})
    if bench.lasting:
        state = bench.open()
        assert not state.add_row("intake", "a", {"n": 5})
    assert state.rows("intake") == [{"n": 1}, {"n": 2}]
    assert state.rows("signatures") == [{"n": 4}]


def what_is_kept_can_be_written_anew(bench: Bench[StateStore]) -> None:
    """Payloads, rows of ledgers and facts become what is made of them; all else stays."""
    state = bench.open()
    with state.lease("test") as lease:
        state.transition(lease, _step("v1", None, "triggered", payload={"who": ["ada", "bob"]}))
        state.set_fact(lease, "a", ["ada"])
        state.add_row("intake", "k", {"who": ["ada"]})
        before = state.journal()
        rewritten = lambda value: (  # noqa: E731 - said where it is used
            {k: [one for one in v if one != "ada"] for k, v in value.items()}
            if isinstance(value, dict)
            else value
        )
        state.rewrite(lease, rewritten)
    if bench.lasting:
        state = bench.open()
    machine = state.machine(RELEASE, "v1")
    assert machine is not None
    assert (machine.state, machine.payload) == ("triggered", {"who": ["bob"]})
    assert state.machines(RELEASE, ["triggered"]) == [machine]
    assert state.journal() == [replace(row, payload={"who": ["bob"]}) for row in before]
    assert (state.fact("a"), state.rows("intake")) == (["ada"], [{"who": []}])
    refused(Busy, lambda: state.rewrite(Lease(epoch=lease.epoch - 1), rewritten))


def _step(
    name: str, source: str | None, target: str, *, at: datetime = AT, **more: Any
) -> Transition:
    return Transition(
        kind=RELEASE,
        id=name,
        source=source,
        target=target,
        why="because",
        at=at,
        frontier={"now": "then"},
        strategy="s1",
        actor="ana",
        **more,
    )


# ----------------------------------------------------------------------------- blobs


def bytes_come_back(bench: Bench[BlobStore]) -> None:
    """Bytes are kept under their sha256, once, also after opening again."""
    blobs = bench.open()
    texts = [b"", b"model", bytes(range(256)) * 5000]
    digests = [blobs.put("model", t) for t in texts]
    assert digests == [hashlib.sha256(t).hexdigest() for t in texts]
    assert blobs.put("model", b"model") == digests[1]
    if bench.lasting:
        blobs = bench.open()
    assert [blobs.get("model", d) for d in digests] == texts
    assert blobs.digests("model") == sorted(digests)
    assert blobs.digests("other") == []


def an_unknown_blob_is_not_found(bench: Bench[BlobStore]) -> None:
    """A digest nobody put, or one of another kind, is not found."""
    blobs = bench.open()
    refused(NotFound, lambda: blobs.get("model", "0" * 64))
    digest = blobs.put("model", b"model")
    refused(NotFound, lambda: blobs.get("card", digest))


def a_name_is_no_path(bench: Bench[BlobStore]) -> None:
    """What is not a kind and a digest is refused before it becomes a path."""
    blobs = bench.open()
    digest = blobs.put("model", b"model")
    for kind in ("../model", "model/..", "/model", "", ".", "Model", "a b"):
        refused(BadValue, lambda k=kind: blobs.put(k, b"x"))
        refused(BadValue, lambda k=kind: blobs.get(k, digest))
        refused(BadValue, lambda k=kind: blobs.digests(k))
    for name in ("", "../../state.db", digest[:-1], digest.upper() + "/", digest + "\n"):
        refused(BadValue, lambda d=name: blobs.get("model", d))


def a_flipped_bit_is_noticed(bench: Bench[BlobStore]) -> None:
    """Bytes that do not match their digest are never returned; putting them again mends it."""
    if bench.damage is None:
        return
    blobs = bench.open()
    digest = blobs.put("model", b"model")
    bench.damage(blobs, bench.folder, "model", digest)
    refused(Damaged, lambda: blobs.get("model", digest))
    assert blobs.put("model", b"model") == digest
    assert blobs.get("model", digest) == b"model"


def a_dropped_blob_is_gone(bench: Bench[BlobStore]) -> None:
    """What was dropped is not found and can be put again; to drop it twice is to drop it once."""
    blobs = bench.open()
    digest, other = blobs.put("model", b"model"), blobs.put("model", b"other")
    blobs.drop("model", digest)
    blobs.drop("model", digest)
    refused(NotFound, lambda: blobs.get("model", digest))
    assert blobs.digests("model") == [other]
    assert blobs.put("model", b"model") == digest
    assert blobs.get("model", digest) == b"model"


EVENTS: tuple[Callable[[Bench[EventStore]], None], ...] = (
    an_unknown_table_is_refused,
    a_new_store_is_empty,
    values_come_back_as_they_were,
    a_batch_is_appended_once,
    a_batch_is_appended_whole_or_not_at_all,
    nothing_can_be_appended,
    a_table_grows_new_features,
    bounds_never_lose_a_row,
    the_version_grows_with_every_change,
    compaction_changes_no_row,
    another_process_sees_what_was_appended,
    what_is_erased_is_gone,
)
"""The promises of a store of events."""

STATE: tuple[Callable[[Bench[StateStore]], None], ...] = (
    a_new_state_is_empty,
    a_step_is_journalled_whole,
    only_legal_steps_are_taken,
    a_step_and_what_goes_with_it_are_one,
    the_front_is_the_latest,
    machines_keep_their_order,
    the_journal_has_no_gaps,
    an_old_lease_is_fenced,
    a_lease_excludes_others,
    facts_are_kept,
    a_ledger_takes_each_key_once,
    what_is_kept_can_be_written_anew,
)
"""The promises of a store of state."""

BLOBS: tuple[Callable[[Bench[BlobStore]], None], ...] = (
    bytes_come_back,
    an_unknown_blob_is_not_found,
    a_name_is_no_path,
    a_flipped_bit_is_noticed,
    a_dropped_blob_is_gone,
)
"""The promises of a store of blobs."""
