"""The command as a process: what help loads, signals, pipes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq

HEAVY = ("duckdb", "ibis", "pandas", "pyarrow", "sklearn", "sqlalchemy", "deltalake", "numpy")
MAIN = "import sys; from tidemill.faces.cli import main; code = main(); "
END = "sys.exit(code)"


def start(*words, code=MAIN + END, **more):
    command = [sys.executable, "-W", "error", "-c", code, *map(str, words)]
    env = {**os.environ, "COLUMNS": "80"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, **more
    )


def test_help_is_short_and_loads_nothing():
    code = MAIN + f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    out, err = start("--help", code=code).communicate()
    assert err.strip() == "[]"
    commands = out.split("Groups of commands")[0].count("\n│ ")
    assert 6 <= commands <= 10
    assert max(len(line) for line in out.splitlines()) <= 80
    assert "\x1b" not in out


def test_drift_of_parquet_loads_no_engine_it_does_not_ask(tmp_path):
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"x": range(100)}), file)
    code = MAIN + f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    _, err = start("drift", file, file, code=code).communicate()
    assert err.strip() == "['duckdb', 'pyarrow', 'numpy']"


def test_version():
    import tidemill

    assert start("--version").communicate()[0].strip() == tidemill.__version__


def test_every_stops_between_turns(project):
    process = start("run", "--every", "1h", "--json", "--project", project)
    turn = json.loads(process.stdout.readline())
    assert turn["waiting"] == ["v1"] or turn["steps"]
    while turn["steps"]:
        turn = json.loads(process.stdout.readline())
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "stopped by SIGTERM" in err
    assert "Traceback" not in err


def test_every_goes_on_when_busy(project):
    from tidemill.project import open_project

    with open_project(project) as mill, mill.world.state.lease("somebody"):
        process = start("run", "--every", "1s", "--project", project)
        lines = [process.stderr.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert lines[0].startswith("turning every 1s")
    assert all("Tried again at the next tick" in line for line in lines[1:])
    assert process.returncode == 130
    assert "stopped by SIGINT" in err


def test_a_closed_pipe_is_no_error(built):
    with start("strategy", "show", "--project", built.project) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=10) == 0
