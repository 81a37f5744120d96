"""``check`` explains what it finds, and ``check --repair`` mends what can be mended safely."""

from __future__ import annotations

import os
import time

DAYS = 86_400.0


def aged(path, data=b"half", *, days):
    """Write a file that nobody has written to for so many days."""
    path.write_bytes(data)
    then = time.time() - days * DAYS
    os.utime(path, (then, then))
    return path


def test_leftovers_of_the_dead_are_removed_and_those_of_the_living_are_not(tidemill, project):
    day = next((project / "events" / "records").glob("day=*"))
    dead = [
        aged(project / "store" / "models" / ".part-1", days=2),
        aged(day / "part-0-lost.parquet", days=9),
    ]
    living = [
        aged(project / "store" / "models" / ".part-2", days=0.5),
        aged(day / "part-0-young.parquet", days=0.5),
    ]
    here = ("--project", project, "--json")
    before = tidemill("check", *here)
    assert before.code == 4
    assert [p["mendable"] for p in before.json["problems"]] == [True, True]
    assert all(path.exists() for path in dead)

    said = tidemill("check", "--repair", *here)
    assert (said.code, said.json["problems"]) == (0, [])
    assert said.json["mended"] == [p["what"] for p in before.json["problems"]]
    assert not any(path.exists() for path in dead)
    assert all(path.exists() for path in living)
    assert said.json["digest"] == tidemill("check", *here).json["digest"] is not None


def test_the_text_of_the_strategy_is_kept_again_and_a_model_is_not_made_up(tidemill, project):
    [text] = (project / "store" / "strategies").iterdir()
    [model] = (project / "store" / "models").iterdir()
    text.write_bytes(b"flipped")
    model.write_bytes(model.read_bytes()[:-1])
    here = ("--project", project, "--json")
    told = {p["mendable"]: p for p in tidemill("check", *here).json["problems"]}
    assert "backup" in told[False]["fix"]

    said = tidemill("check", "--repair", *here)
    assert said.code == 4
    assert [p["what"] for p in said.json["problems"]] == [told[False]["what"]]
    assert text.read_bytes() == (project / "strategy.py").read_bytes()


def test_a_state_that_was_changed_by_hand_is_left_as_it_is(tidemill, project):
    import sqlite3

    with sqlite3.connect(project / "state.db") as db:
        db.execute("update machines set state = 'live' where kind = 'release'")
    here = ("--project", project, "--json")
    said = tidemill("check", "--repair", *here)
    assert said.code == 4
    assert said.json["mended"] == []
    assert any("which the journal does not say" in p["what"] for p in said.json["problems"])
    assert all("by hand" in p["fix"] for p in said.json["problems"])


def test_an_index_of_the_state_is_built_again(tidemill, project):
    import sqlite3

    with sqlite3.connect(project / "state.db") as db:
        db.execute("create index times on journal (at)")
        db.execute("pragma writable_schema = on")
        # The index as it would be of an empty table: its rows are missing from it.
        db.execute("create table emptied as select at from journal limit 0")
        db.execute("create index no_times on emptied (at)")
        [(root,)] = db.execute("select rootpage from sqlite_master where name = 'no_times'")
        db.execute("update sqlite_master set rootpage = ? where name = 'times'", (root,))
        db.execute("delete from sqlite_master where name = 'no_times'")
    here = ("--project", project, "--json")
    found = tidemill("check", *here).json["problems"]
    assert any("missing from index" in p["what"] and p["mendable"] for p in found)
    tidemill("check", "--repair", *here)
    after = tidemill("check", *here).json["problems"]
    assert not any("index" in p["what"] for p in after)


def test_a_table_is_not_repaired(tidemill, tmp_path):
    said = tidemill("check", "rows.parquet", "--repair", "--json")
    assert said.code == 2
