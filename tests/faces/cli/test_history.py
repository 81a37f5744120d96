"""``tidemill history``: from a record to every model that saw it, and back."""

from __future__ import annotations

import shutil

import pytest
from tests.faces.cli.test_json import documented

import tidemill as tm
from tidemill.loop.datasets import Manifest


@pytest.fixture(scope="module")
def here(built):
    return ("--project", built.project, "--json")


@pytest.fixture(scope="module")
def dataset(built):
    """The manifest that v1 learnt from."""
    with tm.open(built.project) as mill:
        machine = mill.world.state.machine("release", "v1")
        return Manifest.from_bytes(
            mill.world.blobs.get("datasets", machine.payload["dataset"]["blob"])
        )


def test_a_record_names_exactly_the_releases_whose_dataset_holds_it(tidemill, here, dataset):
    rows = {r["record_id"]: r for r in dataset.rows.to_pylist()}
    split = {k: r["split"] for k, r in rows.items()}
    train, test = (next(k for k, s in split.items() if s == w) for w in ("train", "test"))

    learnt = tidemill("history", train, *here).json
    assert [(o["release"], o["weight"]) for o in learnt["learnt_by"]] == [
        ("v1", rows[train]["weight"])
    ]
    assert learnt["tested_by"] == []
    [label] = [one for one in learnt["labels"] if one["counts"]]
    assert label["label"] == rows[train]["label"]
    assert learnt["chosen"]["pi"] > 0
    assert learnt["feedback"][0]["kind"] == "thumb"

    tested = tidemill("history", test, *here).json
    assert (tested["learnt_by"], tested["tested_by"][0]["release"]) == ([], "v1")


def test_a_release_leads_to_its_dataset_and_that_back_to_it(tidemill, here, dataset):
    release = tidemill("history", "v1", *here).json
    assert release["dataset"] == "ds-" + dataset.digest[:12]
    assert release["strategy"]["author"]
    assert [s["to"] for s in release["steps"]][:3] == ["triggered", "training", "trained"]
    by_model = tidemill("history", release["model"][:8], *here).json
    assert by_model == release
    held = tidemill("history", release["dataset"], *here).json
    assert set(held) == documented()["history DATASET"]
    assert held["releases"] == [{"release": "v1", "state": release["state"]}]
    assert sum(held["answered_by"].values()) == dataset.rows.num_rows
    assert set(held["records"]) <= set(dataset.rows["record_id"].to_pylist())


def test_a_name_of_nothing_or_of_several_things_is_told(tidemill, here, built, tmp_path):
    nothing = tidemill("history", "v9", *here)
    assert nothing.code == 1
    assert "v1" in nothing.json["fix"]
    shutil.copytree(built.project, tmp_path / "copy")
    there = ("--project", tmp_path / "copy", "--json")
    with tm.open(tmp_path / "copy") as mill:
        mill.log({"x": 1.0}, record_id="v1")
        mill.run()
    both = tidemill("history", "v1", *there)
    assert "a release and a record" in both.json["error"]
    assert "--kind release" in both.json["fix"]
    record = tidemill("history", "v1", "--kind", "record", *there).json
    assert (record["kind"], record["learnt_by"], record["tested_by"]) == ("record", [], [])
