"""``records erase``: nothing of a person is left in any file of the project, and the rest holds."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import ipc
from pyarrow import parquet as pq

from tidemill import Logger
from tidemill.core import failpoints
from tidemill.core.clock import ReplayedClock, instant
from tidemill.core.ports import Transition
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.project import open_project
from tidemill.strategy import erasing
from tidemill.strategy.check import problems

DOCS = Path(__file__).parents[3] / "docs" / "cli.md"
PERSON, MARK = "ada-lovelace-1815", "a-remark-of-hers"
HERS = [f"hers-{k}" for k in range(6)]
"""Her records; the last two are still in the spool."""
SIGNAL = {"kind": "drift", "metric": "null_rate", "column": "x", "cohort": "", "model": ""}
SIGNAL |= {"start": "2024-02-01T00:00:00+00:00", "why": "many more"}
CAME, TRAINED, ERASED = instant("2024-02-01"), instant("2024-02-12"), instant("2024-02-13")


@pytest.fixture(scope="module")
def lived(built, tmp_path_factory):
    """A project that learnt from a person, with traces of her wherever there can be some."""
    folder = tmp_path_factory.mktemp("erase") / "project"
    shutil.copytree(built.project, folder)
    clock = ReplayedClock(CAME)
    with open_project(folder, clock=clock) as mill:
        _import(mill)
        clock.move_to(TRAINED)
        mill.run()
        _be_an_example(mill)
        mill.feedback("hers-4", MARK, kind="word")
        mill.log({"x": 0.5, "carrier": MARK}, output=1, record_id="hers-4", unit=PERSON)
        mill.log({"x": 0.5, "carrier": "AA"}, output=1, record_id="other", unit="else")
        rows = pa.table({"x": [0.1, 0.2], "carrier": [MARK, "AA"]})
        mill.log(rows, output=[1, 0], record_id=["hers-5", "another"], unit=[PERSON, "else"])
    row = {"record_id": "hers-4", "label": 1.0, "happened_at": CAME.isoformat()}
    line = json.dumps({"table": "labels", "row": row})
    (folder / "spool" / "old.jsonl").write_text(
        line + "\n" + line.replace("hers-4", "other") + "\n"
    )
    job = folder / "jobs" / "v9-fit"
    job.mkdir()
    (job / "log.txt").write_text(f"looked at {MARK}")
    return folder


@pytest.fixture
def hers(lived, tmp_path):
    shutil.copytree(lived, tmp_path / "project")
    return tmp_path / "project"


def _import(mill):
    names = [*HERS[:4], *(f"more-{k}" for k in range(56))]
    times = [CAME - timedelta(hours=k + 1) for k in range(60)]
    units = [PERSON] * 4 + ["else"] * 56
    x = [(-1.0) ** k * (1 + k / 60) for k in range(60)]
    table = {"record_id": names, "predicted_at": times, "unit": units, "x": x}
    rows = pa.table({**table, "carrier": [MARK] * 4 + ["AA"] * 56})
    columns = Columns(unit="unit")
    mill.import_records(rows, columns, source="more")
    bad = {**table, "x": [MARK, *(["0"] * 59)]}
    bad["unit"] = [PERSON] + ["else"] * 59
    bad["record_id"] = ["bad", *(f"fine-{k}" for k in range(59))]
    mill.import_records(pa.table({**bad, "carrier": ["AA"] * 60}), columns, source="bad")
    labels = {"record_id": [*names, "never"], "label": [float(v > 0) for v in x] + [1.0]}
    mill.import_labels(pa.table(labels), FactColumns(), source="truth")
    told = pa.table({"record_id": HERS[:1], "value": [MARK]})
    mill.import_labels(told, FactColumns(value="value"), source="words", name="feedback")


def _be_an_example(mill):
    with mill.world.state.lease("test") as lease:
        step = Transition(
            kind="incident",
            id="i9",
            source=None,
            target="open",
            why="",
            at=mill.world.clock.now(),
            payload={"rows": [HERS[0], "more-1"], "signals": [SIGNAL], "events": []},
        )
        mill.world.state.transition(lease, step)


def traces(project):
    """Find files in which her unit, one of her ids or her remark stands, however it is packed."""
    found = {}
    for path in sorted(p for p in project.rglob("*") if p.is_file()):
        texts = [path.read_bytes().decode("latin-1")]
        if texts[0].startswith("PAR1"):
            texts += [str(pq.read_table(path, partitioning=None).to_pydict())]
            texts += [str(pq.read_schema(path).metadata)]
        elif path.suffix == ".arrow":
            with pa.OSFile(str(path), "rb") as source:
                texts += [str(ipc.open_file(source).read_all().to_pydict())]
        names = [name for name in (PERSON, MARK, *HERS) if any(name in t for t in texts)]
        if names:
            found[str(path.relative_to(project))] = names
    return found


def _erase(project, **whose):
    with open_project(project, clock=ReplayedClock(ERASED)) as mill:
        return erasing.erase(mill.world, erasing.Whose(**whose), who="ada")


def _holds(project):
    """Check that the rest is whole, that it turns, and that what waited of others comes in."""
    with open_project(project, clock=ReplayedClock(ERASED)) as mill:
        assert [str(flaw) for flaw in problems(mill.world)] == []
        mill.run()
        names = mill.sql("select record_id from records")["record_id"].to_pylist()
        assert {"other", "another", "more-1", "00003"} <= set(names)
        labelled = mill.sql("select label from records where record_id = 'other'")
        assert labelled["label"].to_pylist() == [1.0]
        assert mill.world.state.machine("incident", "i9").payload["rows"] == ["more-1"]
        assert [str(flaw) for flaw in problems(mill.world)] == []
    assert traces(project) == {}


def test_a_person_is_in_no_file_any_more_and_who_learnt_from_her_is_told(tidemill, hers):
    before = traces(hers)
    parts = {name.split("/")[0] for name in before}
    assert {"events", "spool", "store", "jobs", "state.db"} <= parts, "the test saw nothing"
    here = ("--project", hers, "--json")
    service = Logger(hers)  # a service that lives on while she is erased
    service.log({"x": 0.7, "carrier": MARK}, record_id="hers-3b", unit=PERSON, output=1)
    service.flush()
    asked = tidemill("records", "erase", "--unit", PERSON, *here)
    assert (asked.code, asked.json["exit"]) == (2, 2)
    assert "--yes" in asked.json["fix"]

    said = tidemill("records", "erase", "--unit", PERSON, "--yes", *here)
    assert said.code == 0, said.err
    assert said.json["rows"] | {"chosen": 0} == {
        "labels": 4,
        "feedback": 1,
        "chosen": 0,
        "quarantine": 1,
        "records": 4,
    }
    assert said.json["waiting"] == 5
    text = DOCS.read_text("utf-8").split("### records erase")[1].split("###")[0]
    heads = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", text, flags=re.MULTILINE)
    assert {key for head in heads for key in re.findall(r"\w+", head)} == set(said.json)
    [release] = said.json["releases"]
    assert release["release"] == "v2"
    assert release["learnt_from"] + release["tested_on"] == said.json["rows"]["chosen"] > 0
    assert traces(hers) == {}

    after = service.log({"x": 0.7, "carrier": "AA"}, record_id="later", unit="else", output=1)
    service.close()
    assert after
    _holds(hers)
    old = tidemill("history", release["dataset"], *here).json
    assert old["erased"] == said.json["rows"]["chosen"]
    gone = tidemill("history", HERS[0], *here).json
    assert [r["release"] for r in gone["erased"]["releases"]] == ["v2"]
    assert "erased" in tidemill("history", HERS[0], "--project", hers).out
    again = tidemill("records", "erase", "--unit", PERSON, "--yes", *here)
    assert (again.code, again.json["rows"], again.json["releases"]) == (0, {}, [release])


def test_what_was_erased_does_not_come_back_and_what_was_lost_is_not_called_erased(hers):
    _erase(hers, record=HERS[0])
    assert all(HERS[0] not in names for names in traces(hers).values())
    with open_project(hers, clock=ReplayedClock(ERASED)) as mill:
        row = {"record_id": HERS[:1], "predicted_at": [CAME], "unit": [PERSON]}
        counts = mill.import_records(pa.table(row), Columns(unit="unit"), source="again")
        assert (counts.accepted, counts.already, counts.quarantined) == (0, 1, 0)
        assert "stays so" in counts.notes[-1]
        label = pa.table({"record_id": HERS[:1], "label": [0.0]})
        counts = mill.import_labels(label, FactColumns(), source="again")
        assert (counts.accepted, counts.waiting, counts.already) == (0, 0, 1)
        # One more goes, and not by the command.
        mill.world.events.erase("records", [HERS[1]])
        told = " ".join(map(str, problems(mill.world)))
        assert f"1 records of a dataset are lost, '{HERS[1]}' first" in told


def test_nobody_is_erased_by_a_name_that_is_not_there(tidemill, hers):
    here = ("--project", hers, "--json")
    said = tidemill("records", "erase", "--unit", PERSON[:-1], "--yes", *here)
    assert said.code == 1
    assert "nothing is stored" in said.json["error"]
    assert tidemill("records", "erase", "--yes", *here).code == 2
    assert "hers-1" in str(traces(hers))


KILLED = (
    *("fact.erasing.after", "blobs.datasets.after", "state.rewrite.within", "blobs.drop.after"),
    *("events.erase.within", "spool.erase.after", "ledger.erasures.after"),
)
"""After each kind of effect; tests/scenarios kills at all of them."""


class Killed(BaseException):
    """Stands for kill -9: nothing but finally clauses goes on."""


def _killed_at(monkeypatch, point, act):
    def kill(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setenv("TIDEMILL_FAILPOINT", point)
        patch.setattr(failpoints, "_seen", Counter())
        patch.setattr(failpoints.os, "kill", kill)
        with pytest.raises(Killed):
            act()


def test_an_erasure_that_was_killed_anywhere_ends_when_it_is_run_again(
    lived, tmp_path, monkeypatch
):
    shutil.copytree(lived, tmp_path / "calm")
    log = tmp_path / "passed"
    with monkeypatch.context() as patch:
        patch.setenv("TIDEMILL_FAILPOINT_LOG", str(log))
        _erase(tmp_path / "calm", unit=PERSON)
    passed = Counter(log.read_text().split())
    for name in KILLED:
        project = tmp_path / name
        shutil.copytree(lived, project)
        # At its last pass most is done, and what says whose the rest is may be gone.
        point = f"{name}@{passed[name] if name != 'fact.erasing.after' else 1}"
        with open_project(project, clock=ReplayedClock(ERASED)) as mill:
            act = partial(erasing.erase, mill.world, erasing.Whose(unit=PERSON), who="ada")
            _killed_at(monkeypatch, point, act)
            done = act()
            assert [r["release"] for r in done["releases"]] == ["v2"], point
            assert [str(flaw) for flaw in problems(mill.world)] == [], point
            [entry] = {json.dumps(row["records"]) for row in mill.world.state.rows("erasures")}
            assert len(json.loads(entry)) == len(HERS), point
        assert traces(project) == {}, point


def test_an_erasure_that_is_not_finished_is_told_by_check(hers, monkeypatch):
    _killed_at(monkeypatch, "state.rewrite.within", lambda: _erase(hers, unit=PERSON))
    with open_project(hers, clock=ReplayedClock(ERASED)) as mill:
        told = [str(flaw) for flaw in problems(mill.world)]
        assert any("not finished" in one and "records erase" in one for one in told)
