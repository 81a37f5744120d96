"""What is understood of a user's file."""

from __future__ import annotations

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.adapters.sources import separated
from tidemill.faces.cli.reading import load

DAY = "2024-01-02T00:00:00Z"


def test_the_summary_says_what_was_understood(built):
    said = built.said["records"].json
    assert said["columns"] == {"id": "record_id", "time": "predicted_at", "unit": "unit"}
    assert said["features"] == {"x": "number", "carrier": "text"}
    assert "own time (predicted_at)" in said["assumed"][0]
    assert (said["seen"], said["accepted"], said["quarantined"]) == (601, 599, 2)
    assert "x: expected a finite number, got 'far'" in said["reasons"]
    assert built.said["labels"].json["waiting"] == 1
    assert built.said["feedback"].json["columns"]["kind"] == "kind"


def test_again_changes_nothing(tidemill, project, built):
    here = ("--project", project, "--json")
    for name in ("records", "labels", "feedback"):
        said = tidemill(name, "import", built.files[name], *here).json
        assert said["accepted"] == 0, name
        assert said["already"] + said["quarantined"] == said["seen"]
    assert tidemill("records", "quarantine", *here).json["total"] == 2


def test_after_a_turn_rows_arrive_now(tidemill, project, tmp_path):
    path = tmp_path / "more.csv"
    path.write_text(f"record_id,predicted_at,x\nm1,{DAY},1\n")
    said = tidemill("records", "import", path, "--project", project, "--json").json
    assert said["accepted"] == 1
    assert "arrives now" in said["assumed"][0]


def test_stated_arrivals_are_not_assumed(tidemill, project, tmp_path):
    path = tmp_path / "more.csv"
    path.write_text(f"record_id,predicted_at,seen_at,x\nm1,{DAY},{DAY},1\n")
    more = ("--available-at", "seen_at", "--project", project, "--json")
    said = tidemill("records", "import", path, *more).json
    assert said["assumed"] == []
    assert "count as arriving now" in " ".join(said["notes"])
    assert "seen_at" not in said["features"]


def test_nothing_taken_in_is_a_problem(tidemill, project, tmp_path):
    path = tmp_path / "naive.csv"
    path.write_text("record_id,predicted_at,x\nn1,2024-01-02 00:00:00,1\n")
    said = tidemill("records", "import", path, "--project", project)
    assert said.code == 4
    assert "--timezone" in said.out
    again = tidemill("records", "import", path, "--timezone", "UTC", "--project", project)
    assert again.code == 0


def test_nested_objects(tidemill, project, tmp_path):
    rows = [
        {"id": k, "time": DAY, "features": {"x": k, "carrier": "AA"}, "tags": {"a": "b"}, "z": 1}
        for k in range(3)
    ]
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    said = tidemill("records", "import", path, "--project", project, "--json").json
    assert said["features"] == {"x": "number", "carrier": "text"}
    assert said["accepted"] == 3


def test_parquet(tidemill, project, tmp_path):
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"key": [1, 2], "at": [DAY, DAY], "x": [1.0, 2.0]}), path)
    more = ("--id", "key", "--time", "at", "--project", project, "--json")
    assert tidemill("records", "import", path, *more).json["accepted"] == 2


@pytest.mark.parametrize("mark", [",", ";"])
def test_csv_text_and_numbers(tmp_path, mark):
    path = tmp_path / "a.csv"
    lines = ["record_id,n,t,mixed", "007,NA,NA,1", "008,2,,1", '"a, or; b",3,x,y']
    path.write_text("\n".join(lines).replace(",", mark).replace(f"a{mark} or", "a, or"))
    rows = load(path, texts=["record_id", "absent"]).rows.to_pydict()
    assert rows["record_id"] == ["007", "008", "a, or; b"]
    assert rows["n"] == [None, 2, 3]
    assert rows["t"] == ["NA", None, "x"]
    assert rows["mixed"] == ["1", "1", "y"]


def test_a_few_bad_values_do_not_make_a_column_text(tmp_path):
    path = tmp_path / "a.csv"
    values = ["1.5"] * 99 + ["far"]
    path.write_text("x\n" + "\n".join(values))
    assert load(path).numbers == ("x",)
    assert load(path, texts=["x"]).numbers == ()
    lines = [json.dumps({"x": v if v == "far" else 1.5}) for v in values]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines))
    assert load(path).numbers == ("x",)


def test_a_late_change_of_type_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(separated, "BLOCK", 1000)
    path = tmp_path / "a.csv"
    path.write_text("n,x\n" + "1,1\n" * 5_000 + "2,oops\n")
    assert load(path).rows.num_rows == 5_001
