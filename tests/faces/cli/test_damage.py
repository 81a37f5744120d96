"""Files that are gone, torn or changed: check names each, and no command gives a wrong answer."""

from __future__ import annotations

import json

import pytest

ASK = "select count(*) as n, count(x) as x, count(label) as labels from records"
HARMS = {
    "gone": lambda path: path.unlink(),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "flipped": lambda path: path.write_bytes(_flipped(path.read_bytes())),
    "json": lambda path: path.write_bytes(path.read_bytes().replace(b'"dataset": {', b'"dataset"# {')),
}  # fmt: skip
CASES = [
    ("events/records/*/*.parquet", "gone"),
    ("events/records/*/*.parquet", "half"),
    ("events/records/*/*.parquet", "empty"),
    ("events/labels/_delta_log/*0.json", "gone"),
    ("events/records/_delta_log/*0.json", "half"),
    ("events/waiting_labels/_delta_log/*0.json", "gone"),
    ("store/models/*", "flipped"),
    ("store/datasets/*", "flipped"),
    ("store/datasets/*", "gone"),
    ("store/reports/*", "half"),
    ("state.db", "gone"),
    ("state.db", "empty"),
    ("state.db", "half"),
    ("state.db", "json"),
]


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize(("where", "how"), CASES, ids=str)
def test_damage_is_named_with_a_fix_and_never_answered_over(tidemill, project, where, how):
    here = ("--project", project, "--json")
    right = tidemill("sql", ASK, *here).json
    path = min(project.glob(where))
    HARMS[how](path)

    said = tidemill("check", *here)
    assert said.code in (1, 4), said.err
    told = said.json["problems"] if said.code == 4 else [{"what": said.json["error"], **said.json}]
    naming = [one for one in told if _named(path, project) in one["what"].replace("\\", "/")]
    assert naming, told
    assert all("backup" in one["fix"] for one in naming)

    for words in (("sql", ASK), ("run", "--at", "2024-02-05"), ("status",), ("plan",)):
        answer = tidemill(*words, *here)
        assert answer.code in (0, 1, 3), answer.err
        assert "Traceback" not in answer.err
        if answer.code == 1:
            assert "Fix:" in answer.err
            assert answer.err.count("\n") == 1
        elif words[0] == "sql":
            assert json.loads(answer.out)["rows"] == right["rows"]


def _named(path, project) -> str:
    """What of a file must be in the line: a table or a blob by its name, the state by its own."""
    top, *below = path.relative_to(project).parts
    return {"events": below[0] if below else "", "store": path.name[:12]}.get(top, "state")
