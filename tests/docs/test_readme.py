"""Every command and every line of Python in the README and the guide to monitoring runs."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MONITORING = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
TIDEMILL = Path(sys.executable).with_name("tidemill")


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands(text: str = README) -> list[str]:
    lines = [line for block in blocks("console", text) for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ tidemill")]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder as the README's reader has it: the demo has run, and two tables lie there."""
    from tidemill.faces.demo.flights import load

    folder = tmp_path_factory.mktemp("reader")
    run("tidemill demo --quick", folder)
    flights = load()
    rename = {"record_id": "flight"}
    for table, name in ((flights.records, "predictions"), (flights.outcomes, "outcomes")):
        names = [rename.get(c, c) for c in table.column_names]
        pq.write_table(table.slice(0, 20_000).rename_columns(names), folder / f"{name}.parquet")
    known = flights.records.join(flights.outcomes, "record_id").sort_by("scheduled")
    pq.write_table(known.slice(0, 6_000), folder / "history.parquet")
    pq.write_table(flights.records.slice(0, 9_000), folder / "reference.parquet")
    pq.write_table(flights.records.slice(9_000, 2_000), folder / "current.parquet")
    return folder


def run(command: str, folder: Path) -> str:
    words = shlex.split(command)
    assert words[0] == "tidemill"
    done = subprocess.run(
        [str(TIDEMILL), *words[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode in {0, 3, 4}, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_command_of_the_readme_runs(place):
    assert len(commands()) >= 10
    for command in commands():
        assert run(command, place).strip(), f"{command} printed nothing"


def test_the_guide_to_monitoring_leads_from_an_alert_to_its_rows(place):
    said = {command: run(command, place) for command in commands(MONITORING)}
    assert len(said) >= 6
    assert all(text.strip() for text in said.values()), said
    shown = next(text for command, text in said.items() if "alerts show" in command)
    rows = next(text for command, text in said.items() if "rows --incident" in command)
    assert "since" in shown
    assert "record_id" in rows
    for source in blocks("python", MONITORING):
        exec(compile(source, "monitoring.md", "exec"), {})


def test_the_demo_leaves_a_picture_and_goes_on_where_it_stopped(place):
    project = place / "tidemill-demo"
    assert (project / "report" / "weeks.svg").read_text(encoding="utf-8").startswith("<svg")
    assert (project / "report" / "weeks.png").read_bytes().startswith(b"\x89PNG")
    again = run("tidemill demo --quick", place)
    assert "went live" in again or "stays behind" in again
    assert "2013-01-15  front" not in again  # only the last week is looked at again


def test_the_python_of_the_readme_runs(place, monkeypatch):
    project = place / "mill"
    if not project.exists():
        pytest.fail("the commands before it did not make the project")
    shutil.rmtree(place / "copy", ignore_errors=True)
    monkeypatch.chdir(place)
    source = blocks("python")[0]
    log_only = source.split("# or let the champion answer")[0]
    scope: dict[str, object] = {}
    exec(compile(log_only, "README.md", "exec"), scope)
    ids = scope["ids"]
    assert isinstance(ids, list)
    assert len(ids) == 1
    scope["mill"].close()  # type: ignore[attr-defined]
    demo = source.replace('"mill"', '"tidemill-demo"')
    scope = {}
    exec(compile(demo, "README.md", "exec"), scope)
    assert scope["said"].output.shape == (1,)  # type: ignore[attr-defined]
    scope["mill"].close()  # type: ignore[attr-defined]


def test_the_table_of_flights_can_be_read_by_others(place):
    from deltalake import DeltaTable

    table = DeltaTable(str(place / "tidemill-demo" / "events" / "records"))
    rows = pa.table(table.to_pyarrow_dataset().to_table(columns=["record_id", "f_carrier"]))
    assert rows.num_rows > 30_000
