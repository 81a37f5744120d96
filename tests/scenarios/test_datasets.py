"""Datasets are exact: rebuilt bit for bit, damage is named, test rows are never learnt from."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from tidemill import AUC, AtLeast
from tidemill.adapters.stores.delta import DeltaEvents
from tidemill.core.as_of import as_of
from tidemill.core.errors import Damaged
from tidemill.core.records import TABLES
from tidemill.core.rule import rule
from tidemill.core.verdict import Decision
from tidemill.loop.datasets import All, Manifest, New, Newest, difference, rebuild
from tidemill.strategy.forming import form_dataset, past_of
from tidemill.strategy.front import rollback
from tidemill.strategy.standing import standing
from tidemill.strategy.turn import Turn

START = datetime(2024, 1, 1, tzinfo=UTC)


def manifest_of(mill, version):
    payload = mill.world.state.machine("release", version).payload
    return Manifest.from_bytes(mill.world.blobs.get("datasets", payload["dataset"]["blob"]))


def turn_of(mill):
    now = mill.clock.now()
    return Turn(world=mill.world, strategy=mill.strategy, now=now, marks=mill.strategy.marks)


def rebuilt(mill, version):
    view = as_of(mill.world, mill.clock.now() + timedelta(days=999))
    out = []
    for split in ("train", "test"):
        rows, data = rebuild(view, manifest_of(mill, version), split)
        out += [rows, data.features, data.label.tobytes(), data.weight.tobytes()]
    return out


def grow(mill, week):
    records, labels = week(4)
    mill.clock.move_to(START + timedelta(days=35))
    old = mill.table("records").slice(0, 50)
    early = {"record_id": [f"old-{k}" for k in range(50)], "at": old["predicted_at"],
             "x": old["f_x"], "w": old["f_w"], "extra": [1.0] * 50}  # fmt: skip
    mill.records(early)
    mill.records(records, available_at="at")
    mill.labels(labels, happened_at="done", available_at="done")
    ids = mill.table("chosen")["record_id"].to_pylist()
    mill.labels({"record_id": ids, "label": [2.0] * len(ids)})


def same(one, two):
    pairs = zip(one, two, strict=True)
    return all(a.equals(b) if isinstance(a, pa.Table) else a == b for a, b in pairs)


def test_a_dataset_is_the_same_bit_for_bit_after_compaction_and_more_imports(four_weeks, week):
    mill = four_weeks
    before = rebuilt(mill, "v1")
    assert min(before[0].num_rows, before[4].num_rows) > 0
    grow(mill, week)
    for name in TABLES:
        mill.world.events.compact(name)
    assert same(before, rebuilt(mill, "v1"))


def test_and_so_it_is_on_delta_tables(four_weeks, week, tmp_path):
    mill = four_weeks
    before = rebuilt(mill, "v1")
    events = DeltaEvents(tmp_path)
    for name in TABLES:
        rows = mill.table(name)
        third = -(-rows.num_rows // 3)
        for k in range(3):
            part = rows.slice(k * third, third)
            events.append(name, part, writer="copy", sequence=k)
    object.__setattr__(mill.world, "events", events)
    assert same(before, rebuilt(mill, "v1"))
    versions = {name: events.version(name) for name in TABLES}
    for name in TABLES:
        events.compact(name)
    assert versions != {name: events.version(name) for name in TABLES}
    assert same(before, rebuilt(mill, "v1"))


@pytest.fixture
def wounded(four_weeks):
    """The mill, and the id of a record its first dataset holds."""
    rows = manifest_of(four_weeks, "v1").rows
    return four_weeks, rows["record_id"][7].as_py()


def alter(mill, record_id, change):
    """Do to the stored records what no part of the mill ever does."""
    events = mill.world.events
    rows = events._rows["records"].to_pylist()
    rows = [r for r in rows if r["record_id"] != record_id or change(r) is not False]
    events._rows["records"] = pa.Table.from_pylist(rows, schema=events._rows["records"].schema)


def test_a_record_that_was_changed_is_named(wounded):
    mill, victim = wounded
    alter(mill, victim, lambda r: r.update(f_x=r["f_x"] + 1e-9))
    with pytest.raises(Damaged, match=f"1 records changed.*'{victim}' first"):
        rebuilt(mill, "v1")
    assert any(victim in p for p in mill.problems())


def test_a_record_that_is_gone_is_named(wounded):
    mill, victim = wounded
    alter(mill, victim, lambda r: False)
    with pytest.raises(Damaged, match=f"1 records of a dataset are lost, '{victim}' first"):
        rebuilt(mill, "v1")
    assert any(victim in p for p in mill.problems())


def test_a_manifest_that_was_changed_or_is_gone_is_named(four_weeks):
    mill = four_weeks
    blob = mill.world.state.machine("release", "v1").payload["dataset"]["blob"]
    kept = mill.world.blobs._kept["datasets"]
    whole = kept[blob]
    kept[blob] = whole[:-1]
    assert f"the datasets {blob[:12]} does not match its digest" in " ".join(mill.problems())
    del kept[blob]
    assert f"no datasets with digest {blob[:12]}" in " ".join(mill.problems())


def test_the_digest_of_a_dataset_does_not_hang_on_the_order_of_rows_in_storage(four_weeks):
    mill = four_weeks
    turn = turn_of(mill)
    before = form_dataset(turn).digest
    events = mill.world.events
    for name in ("records", "labels", "chosen"):
        shuffled = np.random.default_rng(1).permutation(events._rows[name].num_rows)
        events._rows[name] = events._rows[name].take(pa.array(shuffled))
    assert form_dataset(turn).digest == before


@pytest.mark.parametrize("change", ["weight", "label", "split", "row_hash", "record_id"])
def test_the_digest_of_a_dataset_sees_every_change(four_weeks, change):
    manifest = manifest_of(four_weeks, "v1")
    rows = manifest.rows.to_pylist()
    value = rows[3][change]
    rows[3][change] = np.nextafter(value, 9) if isinstance(value, float) else value + "x"
    other = Manifest(rows=pa.Table.from_pylist(rows, schema=manifest.rows.schema))
    assert other.rows.schema.metadata == manifest.rows.schema.metadata
    assert other.digest != manifest.digest


def test_recent_looks_back_as_far_as_it_says_and_all_takes_everything(four_weeks):
    mill = four_weeks
    rows = manifest_of(mill, "v3").rows["predicted_at"].to_pylist()
    at = datetime.fromisoformat(mill.world.state.machine("release", "v3").payload["triggered_at"])
    assert min(rows) >= at - timedelta(days=30)
    assert max(rows) <= at - timedelta(days=1), "Outcome(final_after='1d')"
    mill.with_strategy(dataset=All())
    mill.run(days=400)
    last = mill.world.state.machines("release")[-1]
    assert manifest_of(mill, last.id).rows.num_rows == mill.table("chosen").num_rows


def days_of(*counts):
    days = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")[: len(counts)]
    return np.repeat(days, counts).astype("datetime64[us]")


def held(rule, *counts):
    at = days_of(*counts)
    mask = rule(at)
    return len(np.unique(at[mask].astype("datetime64[D]"))), int(mask.sum())


def test_newest_holds_out_whole_days_at_the_end():
    rule = Newest(share=0.2, at_least=1, days=1)
    assert held(rule, *[100] * 10) == (2, 200)
    assert held(rule, *[100] * 9, 150) == (2, 250)
    at = days_of(5, 5, 5, 5, 50)
    assert not rule(at).any(), "one day is more than half of all"


def test_newest_grows_to_the_least_number_of_rows_and_days_up_to_half():
    assert held(Newest(share=0.2, at_least=500, days=1), *[100] * 10) == (5, 500)
    assert held(Newest(share=0.1, at_least=1, days=4), *[100] * 10) == (4, 400)
    assert held(Newest(share=0.1, at_least=501, days=1), *[100] * 10) == (0, 0)
    assert held(Newest(share=0.1, at_least=1, days=6), *[100] * 10) == (0, 0)
    assert not Newest()(np.array([], dtype="datetime64[us]")).size


def test_newest_does_not_need_its_rows_in_order():
    rule, at = Newest(share=0.2, at_least=10, days=2), days_of(*[30] * 10)
    mixed = np.random.default_rng(0).permutation(at)
    assert sorted(mixed[rule(mixed)]) == sorted(at[rule(at)])


def test_rows_to_test_on_were_learnt_from_neither_by_the_candidate_nor_by_the_champion(
    four_weeks, week
):
    mill = four_weeks
    for number in (4, 5, 6):
        records, labels = week(number)
        mill.clock.move_to(START + timedelta(days=7 * (number + 1)))
        mill.records(records, available_at="at")
        mill.labels(labels, happened_at="done", available_at="done")
        mill.run()
    looked = 0
    for machine in mill.world.state.machines("release"):
        if "test" not in machine.payload:
            continue
        tested = Manifest.from_bytes(
            mill.world.blobs.get("datasets", machine.payload["test"]["blob"])
        )
        ids = set(tested.rows["record_id"].to_pylist())
        assert len(ids) == tested.rows.num_rows
        for version in filter(None, (machine.id, machine.payload["champion"])):
            rows = manifest_of(mill, version).rows.to_pylist()
            assert ids.isdisjoint(r["record_id"] for r in rows if r["split"] == "train")
            looked += version != machine.id
    assert looked >= 2


def test_how_a_dataset_differs_from_the_one_before_is_kept_and_stands_in_the_report(four_weeks):
    mill = four_weeks
    releases = mill.world.state.machines("release")
    assert len(releases) >= 3
    before = None
    for machine in releases:
        now = manifest_of(mill, machine.id)
        told = machine.payload["dataset"]["difference"]
        assert told == difference(before, now)
        card = json.loads(mill.world.blobs.get("reports", machine.payload["report"]))
        assert card["difference"] == told
        assert "difference" not in card["dataset"]
        before = now
    assert told["kept"] > 0
    assert told["added"] > 0


def triggered(mill, version):
    payload = mill.world.state.machine("release", version).payload
    return datetime.fromisoformat(payload["triggered_at"])


def test_what_a_refused_candidate_learnt_comes_again_and_a_rollback_brings_back_the_past(
    four_weeks, week, small
):
    assert past_of(turn_of(small())).champion_triggered is None
    mill = four_weeks
    champion = mill.world.state.front().version
    mill.with_strategy(dataset=New(delay="8d"), offline=[AtLeast(AUC(), 0.9999)])
    for number in (4, 5):
        records, labels = week(number, n=150)
        mill.clock.move_to(START + timedelta(days=7 * (number + 1)))
        mill.records(records, available_at="at")
        mill.labels(labels, happened_at="done", available_at="done")
        mill.run()
    *_, refused, last = mill.world.state.machines("release")
    assert refused.state == "refused"
    assert mill.world.state.front().version == champion
    assert past_of(turn_of(mill)).champion_triggered == triggered(mill, champion)
    assert past_of(turn_of(mill)).last_triggered == triggered(mill, last.id)
    one, two = (set(manifest_of(mill, m.id).rows["record_id"].to_pylist()) for m in (refused, last))
    assert one
    assert one < two
    rollback(mill.world, who="ana")
    before = mill.world.state.front().version
    assert before not in (champion, None)
    assert past_of(turn_of(mill)).champion_triggered == triggered(mill, before)


@rule
class Changed:
    """Fires once a week and says that data changed three days ago."""

    wants = ()

    def __call__(self, facts, /):
        last = facts.last_triggered
        fire = last is None or facts.now - last >= timedelta(days=7)
        return Decision(fire=fire, why="so", change=facts.now - timedelta(days=3))

    @classmethod
    def examples(cls):
        yield cls()


def test_each_release_keeps_the_change_that_its_trigger_saw(four_weeks, week):
    mill = four_weeks
    assert all(m.payload["change"] is None for m in mill.world.state.machines("release"))
    first = len(mill.world.state.machines("release"))
    mill.with_strategy(trigger=Changed())
    records, labels = week(4)
    mill.clock.move_to(START + timedelta(days=35))
    mill.records(records, available_at="at")
    mill.labels(labels, happened_at="done", available_at="done")
    mill.run()
    machine = mill.world.state.machines("release")[first]
    at = datetime.fromisoformat(machine.payload["triggered_at"])
    assert datetime.fromisoformat(machine.payload["change"]) == at - timedelta(days=3)
    assert past_of(turn_of(mill)).last_change == at - timedelta(days=3)
    spans = [*(_since_final(mill, m) for m in mill.world.state.machines("release")[:first]), 3 * 86_400]  # fmt: skip
    assert standing(mill.world, mill.strategy)["to_decide"] == pytest.approx(np.median(spans))


def _since_final(mill, machine):
    last = max(manifest_of(mill, machine.id).rows["predicted_at"].to_pylist())
    at = datetime.fromisoformat(machine.payload["triggered_at"])
    return max(0.0, (at - last - timedelta(days=1)).total_seconds())
