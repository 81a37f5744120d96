"""The promise at each door: taken in, set aside with a reason, or refused in one line with a fix.

A trial lets one input through one door and says what became of it. It raises `Broken` where the
promise does not hold: a traceback, a hang, a line without a fix, rows that are nowhere.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import hostile
import hostile_files
import hostile_words
import pyarrow.parquet as pq
from hypothesis import strategies as st

from tidemill import Logger
from tidemill.adapters.spool.inbox import Spool
from tidemill.core.errors import TidemillError
from tidemill.faces.cli import main
from tidemill.project import create_project
from tidemill.project.mill import Mill
from tidemill.strategy.loading import load

SECONDS = 60
"""No single input may take longer; a busy machine is slow, so only what hangs does."""

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves the cursor of a terminal, or turns the text around."""

RECORD, FACT = ("record_id", "at", "x"), ("record_id", "label", "at")


class Broken(AssertionError):
    """The promise does not hold for an input."""


def neighbour(name: str) -> ModuleType:
    """Load the conftest of a folder of tests, which has the makers of mills."""
    path = Path(__file__).parent / name
    spec = importlib.util.spec_from_file_location(f"hostile_{path.parent.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def in_time() -> Iterator[None]:
    """Break the promise when the block hangs."""

    def stop(*_: object) -> None:
        raise Broken(f"it took longer than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def holds(condition: object, what: object) -> None:
    """Raise Broken unless something holds."""
    if not condition:
        raise Broken(str(what)[:2_000])


def refusal(act: Callable[[], Any]) -> tuple[Any, str]:
    """Return what a call returns and an empty text, or None and how it refused."""
    try:
        return act(), ""
    except TidemillError as error:
        line = str(error)
        holds(" Fix: " in line, f"no fix: {line!r}")
        holds("\n" not in line, f"more than one line: {line!r}")
        holds(len(line) < 3_000, f"a line of {len(line)} characters: {line[:80]!r}")
        return None, line


def rows_of(snapshot: Any) -> int:
    """Count the rows of a table, in memory or in files."""
    if snapshot.arrow is not None:
        return snapshot.arrow.num_rows
    return sum(pq.ParquetFile(file).metadata.num_rows for file in snapshot.files)


def inside(mill: Any) -> dict[str, Any]:
    """Say how many rows each table holds, and what else importing changes."""
    events, state = mill.world.events, mill.world.state
    names = ("records", "labels", "feedback", "quarantine", "waiting_labels", "waiting_feedback")
    found: dict[str, Any] = {
        n: rows_of(events.snapshot(n)) if events.version(n) >= 0 else 0 for n in names
    }
    return found | {"kinds": state.fact("kinds"), "intake": len(state.rows("intake"))}


@dataclass(frozen=True)
class Door:
    """Where something comes in: what is tried, and the trial."""

    inputs: st.SearchStrategy[Any]
    trial: Callable[[Any, Path], str]


# -------------------------------------------------------------------------------- tables


def _small() -> Any:
    return neighbour("conftest.py").small_mill(training=lambda data, previous: None)


def tables(given: list[tuple[str, Any]], folder: Path) -> str:
    """Import tables one after the other, so that schemas change over time."""
    mill, fates = _small(), []
    for name, table in given:
        before = inside(mill)

        def act(name: str = name, table: Any = table) -> Any:
            if name == "records":
                return mill.records(table, timezone="UTC")
            return mill.labels(table, name=name, value="label", happened_at="at", timezone="UTC")

        counts, refused = refusal(act)
        after = inside(mill)
        if refused:
            holds(before == after, f"refused, and yet {before} became {after}")
            fates.append("refused")
            continue
        there = sum(after[n] - before[n] for n in after if n not in ("kinds", "intake"))
        gone = counts.already + counts.sampled_out
        holds(there + gone <= counts.seen, f"{counts} but {there} more rows")
        holds(counts.accepted == after[name] - before[name], f"{counts}: {before} {after}")
        fates.append("quarantined" if counts.quarantined else "accepted")
    holds(mill.problems() == [], mill.problems())
    holds(mill.records({"record_id": ["fine"], "at": [hostile.AT]}).accepted == 1, "stuck")
    return max(fates, default="accepted")


# ------------------------------------------------------------------------------- logging


def logged(given: list[tuple[str, Any, dict[str, Any]]], folder: Path) -> str:
    """Log by a mill, then turn: everything that was acknowledged is somewhere."""
    small = _small()
    inbox = Spool(folder / "spool")
    mill = Mill(folder, replace(small.world, inbox=inbox), small.strategy)
    small.world = mill.world
    kept, refused = 0, 0
    for call, first, others in hostile.made(given):
        how = (
            others if call in ("log", "batch") else {k: v for k, v in others.items() if k == "time"}
        )

        def act(call: str = call, first: Any = first, how: Any = how, others: Any = others) -> int:
            if call in ("log", "batch"):
                return len(mill.log(first, **how))
            key, value = others.get("record_id", "a"), others.get("output", 1)
            (mill.feedback if call == "feedback" else mill.label)(key, value, **how)
            return 1

        n, why = refusal(act)
        kept, refused = kept + (n or 0), refused + bool(why)
    return _turned(small, kept) if kept or not refused else "refused"


def services(given: list[tuple[str, Any, dict[str, Any]]], folder: Path) -> str:
    """Log by a Logger, which never raises: what is logged is somewhere, the rest is counted."""
    small = _small()
    logging.getLogger("tidemill").disabled = True
    with Logger(folder) as logger:
        for call, first, others in given:
            how = {k: v for k, v in others.items() if k == "time"}
            key, value = others.get("record_id", "a"), others.get("output", 1)
            if call in ("log", "batch"):
                logger.log(first, **others)
            else:
                (logger.feedback if call == "feedback" else logger.label)(key, value, **how)
        counts = logger.counts()
    holds(counts["logged"] + sum(counts["lost"].values()) == len(given), counts)
    small.world = replace(small.world, inbox=Spool(folder / "spool"))
    return _turned(small, counts["logged"])


def _turned(small: Any, kept: int) -> str:
    small.run()
    found = inside(small)
    rows = small.world.state.rows("intake")
    there = sum(r["seen"] for r in rows)
    fates = ("accepted", "already", "sampled_out", "waiting", "quarantined")
    counted = {n: sum(r[n] for r in rows) for n in fates}
    holds(sum(counted.values()) == there, f"{counted} of {there}")
    stored = found["records"] + found["labels"] + found["feedback"]
    holds(stored == counted["accepted"], f"{counted}, and yet {found}")
    # Equal rows are set aside once.
    holds(bool(found["quarantine"]) == bool(counted["quarantined"]), f"{counted} {found}")
    holds(there == kept, f"{kept} were acknowledged, {there} are there: {found}")
    holds(not small.run()[0].steps, "the mill does not come to rest")
    holds(small.problems() == [], small.problems())
    return "quarantined" if found["quarantine"] else "accepted"


# ----------------------------------------------------------------------------- strategies


def strategy(text: str, folder: Path) -> str:
    """Load a strategy file, and let it say what it is."""
    path = folder / "strategy.py"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    before = list(sys.path)
    try:
        loaded, refused = refusal(lambda: load(path))
    finally:
        sys.path[:] = before
        for name in [n for n in sys.modules if n.startswith("tidemill_strategy_")]:
            del sys.modules[name]
    if refused:
        return "refused"
    holds(isinstance(loaded.hash, str) and repr(loaded), "it cannot say what it is")
    return "accepted"


# ------------------------------------------------------------------------------- commands


def command(words: list[str], folder: Path) -> str:
    """Run a command in a folder of its own."""
    here = Path.cwd()
    os.chdir(folder)
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = int(main(words))
    finally:
        os.chdir(here)
    said = err.getvalue()
    holds(code in (0, 1, 2, 3, 4, 5), f"exit {code}: {said}")
    holds("Traceback" not in said, said)
    found = CONTROL.search(out.getvalue()) or CONTROL.search(said)
    holds(not found, f"{found} is printed as it is")
    if code in (1, 2, 5):
        line = said.splitlines()[-1]
        holds(line.startswith("tidemill: ") and " Fix: " in line, f"no fix: {line!r}")
        holds(len(line) < 20_000, f"a line of {len(line)} characters: {line[:80]!r}")
        return "refused"
    return "quarantined" if code == 4 else "accepted"


def imported(given: tuple[str, tuple[str, bytes], bool], folder: Path) -> str:
    """Import a file into a project; when it is refused nothing of the project changes."""
    from tidemill.project import open_project

    what, (name, raw), as_json = given
    project = folder / "project"
    create_project(project, strategy=hostile_words.STRATEGY, salt="s")
    (folder / name).write_bytes(raw)
    words = [what, "import", name, "--project", "project", "--timezone", "UTC"]
    words += {"records": ["--time", "at"], "labels": [], "feedback": ["--value", "label"]}[what]
    with open_project(project) as mill:
        before = inside(mill)
    fate = command([*words, *(["--json"] if as_json else [])], folder)
    with open_project(project) as mill:
        after = inside(mill)
        holds(fate != "refused" or before == after, f"refused, and yet {before} became {after}")
    if after["quarantine"]:
        holds(command(["records", "quarantine", "--project", "project"], folder) == "accepted", "")
    return fate


def compared(given: tuple[tuple[str, bytes], tuple[str, bytes], list[str]], folder: Path) -> str:
    """Compare two files for drift."""
    names = []
    for k, (name, raw) in enumerate(given[:2]):
        if name == "wide.csv":  # ten thousand columns are compared in minutes, not at once
            return "left out"
        (folder / f"{k}{name}").write_bytes(raw)
        names.append(f"{k}{name}")
    return command([*given[2], *names], folder)


_LOG = st.tuples(
    st.just("log"), st.one_of(hostile.rows, hostile.rows, hostile.values), hostile.said
)
_BATCH = st.tuples(
    st.just("batch"),
    st.one_of(st.lists(hostile.rows, max_size=3), hostile.tables(("x",)), hostile.values),
    hostile.said,
)
_SAY = st.tuples(st.sampled_from(["feedback", "label"]), st.none(), hostile.said)
_RECORDS = hostile.tables(RECORD).map(lambda t: ("records", t))
_FACTS = st.tuples(st.sampled_from(["labels", "feedback"]), hostile.tables(FACT))


def _files(what: str) -> st.SearchStrategy[Any]:
    return st.tuples(
        st.just(what), hostile_files.files(RECORD if what == "records" else FACT), st.booleans()
    )


DOORS = {
    "tables": Door(st.lists(st.one_of(_RECORDS, _RECORDS, _FACTS), min_size=1, max_size=3), tables),
    "mill.log": Door(st.lists(st.one_of(_LOG, _LOG, _BATCH, _SAY), min_size=1, max_size=6), logged),
    "Logger": Door(st.lists(st.one_of(_LOG, _LOG, _SAY), min_size=1, max_size=6), services),
    "strategy files": Door(hostile_words.strategy_texts(), strategy),
    "files": Door(
        st.sampled_from(["records", "records", "labels", "feedback"]).flatmap(_files), imported
    ),
    "drift": Door(
        st.tuples(
            hostile_files.files(RECORD),
            hostile_files.files(RECORD),
            st.sampled_from([["drift"], ["drift", "--json"]]),
        ),
        compared,
    ),
    "commands": Door(hostile_words.command_lines(), command),
}


def through(name: str, given: Any, base: Path) -> str:
    """Let an input through a door, in a folder that is new or a copy of ``base``/template."""
    folder = base / "deep" / "down" / "here"
    shutil.rmtree(base / "deep", ignore_errors=True)
    template = base / "template"
    if name == "commands" and template.exists():
        shutil.copytree(template, folder)
    else:
        folder.mkdir(parents=True)
    with in_time():
        return DOORS[name].trial(given, folder)


def template(folder: Path) -> None:
    """Make a project of forty records with labels, and files beside it."""
    folder.mkdir(parents=True)
    at = [hostile.AT + timedelta(hours=k) for k in range(40)]
    rows = [f"{k:05},{t.isoformat()},{k % 7},{'AB'[k % 2]}" for k, t in enumerate(at)]
    head = "record_id,predicted_at,x,carrier\n"
    (folder / "records.csv").write_text(head + "\n".join(rows) + "\n")
    truths = [f"{k:05},{k % 2},{t.isoformat()}" for k, t in enumerate(at)]
    (folder / "labels.csv").write_text("record_id,label,happened_at\n" + "\n".join(truths) + "\n")
    create_project(folder, strategy=hostile_words.STRATEGY, salt="s")
    for what in ("records", "labels"):
        fate = command([what, "import", f"{what}.csv"], folder)
        holds(fate == "accepted", f"{what}: {fate}")
