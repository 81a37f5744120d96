"""Every command of docs/sources.md runs on the tables it makes, and leaves them as they were."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

from tidemill.faces.cli import main
from tidemill.project.in_place import read_sources

GUIDE = (Path(__file__).parents[2] / "docs" / "sources.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"```(python|console|toml)\n(.*?)```", GUIDE, flags=re.DOTALL))


def test_the_guide_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(BLOCKS["python"], "tables.py", "exec"), {})
    before = Path("shop.db").read_bytes()
    for line in BLOCKS["console"].splitlines():
        words = shlex.split(line.removeprefix("$ "))
        assert words[0] == "tidemill"
        assert main(words[1:]) == 0, capsys.readouterr().err
    said = capsys.readouterr()
    assert "known from their time (made_at)" in said.out
    assert "v1, since" in said.out
    assert 'FROM "predictions"' in said.err
    assert Path("shop.db").read_bytes() == before


def test_the_words_of_project_toml_are_those_that_are_read(monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "secret")
    found = read_sources(tomllib.loads(BLOCKS["toml"]), Path("project.toml"))["sources"]
    assert found["records"].columns.available_at == "stored_at"
    assert "ana:secret@" in found["labels"].url
