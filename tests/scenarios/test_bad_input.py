"""Hostile input at every door: taken in, set aside with a reason, or refused in one line.

A few inputs of each kind here; ``benchmarks/fuzz.py`` tries thousands. What it found once, and was
mended, stands below by name.
"""

from __future__ import annotations

import importlib.util
import json
import pickle
import sqlite3
import sys
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tidemill.adapters.sources.addresses import read
from tidemill.adapters.trainers.pickling import dump
from tidemill.core.errors import TidemillError
from tidemill.core.machines import RELEASE
from tidemill.core.ports import Transition
from tidemill.core.printable import printable, printable_json
from tidemill.project import create_project, open_project
from tidemill.strategy import registry
from tidemill.strategy.loading import load

HERE = Path(__file__).parent


def _neighbours():
    """Load the strategies of hostile input, which lie beside the tests."""
    for name in ("hostile", "hostile_files", "hostile_words", "hostile_doors"):
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
            sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
    return sys.modules["hostile_doors"]


doors = _neighbours()
EXAMPLES = {"tables": 5, "mill.log": 6, "Logger": 5, "strategy files": 60, "files": 8, "drift": 2,
            "commands": 40}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_input_is_taken_in_or_set_aside_with_a_reason_or_refused_with_a_fix(name, tmp_path):
    fates = []
    if name == "commands":
        doors.template(tmp_path / "template")

    @settings(
        max_examples=EXAMPLES[name],
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(doors.DOORS[name].inputs)
    def tried(example):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of the texts that are bent
            fates.append(doors.through(name, example, tmp_path))

    tried()
    assert len(fates) >= EXAMPLES[name] // 2  # it did try them


def test_a_broken_promise_would_be_seen(tmp_path, monkeypatch):
    def bare(*_):
        raise ValueError("as it is")

    monkeypatch.setattr(doors, "load", bare)
    with pytest.raises(ValueError, match="as it is"):
        doors.through("strategy files", "x = 1", tmp_path)
    monkeypatch.setattr(doors, "main", lambda words: 70)
    with pytest.raises(doors.Broken, match="exit 70"):
        doors.through("commands", ["status"], tmp_path)
    monkeypatch.setattr(doors, "main", lambda words: print("\x1b[2J") or 0)  # noqa: T201 - the point
    with pytest.raises(doors.Broken, match="printed as it is"):
        doors.through("commands", ["status"], tmp_path)


# --------------------------------------------------------------------- what was found and mended


def test_json_that_is_nested_so_deep_that_arrow_would_crash_is_refused(tmp_path):
    deep = b'{"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}\n"
    hidden = b'{"a": "]]]]\\"]]", "b": 1}\n' * 50 + b"]" * 60_000 + b"\n" + deep
    for raw in (deep, hidden):
        (tmp_path / "a.jsonl").write_bytes(raw)
        with pytest.raises(TidemillError, match=r"nested more than 100 deep. Fix: write plain"):
            read(str(tmp_path / "a.jsonl"))
    (tmp_path / "a.jsonl").write_bytes(b'{"a": "[[[' + b"[" * 500 + b'", "b": [[1]]}\n')
    assert read(str(tmp_path / "a.jsonl")).num_rows == 1


@pytest.mark.parametrize(
    "odd",
    [
        pa.array(["a", None, "b"], pa.string_view()),
        pa.array([b"a", None, b"b"], pa.binary_view()),
        pa.ExtensionArray.from_storage(pa.json_(), pa.array(["1", None, "2"])),
        pa.ExtensionArray.from_storage(
            pa.uuid(), pa.array([b"0123456789abcdef"] * 3, pa.binary(16))
        ),
        pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array([1, 2])),
    ],
    ids=lambda odd: str(odd.type)[:20],
)
def test_columns_of_new_types_of_arrow_are_read_or_set_aside_beside_rows_that_are_bad(small, odd):
    times = pa.array(["2023-01-01T00:00:00Z", "soon", "2023-01-01T00:00:00Z"])
    counts = small().records(pa.table({"record_id": ["a", "b", "c"], "at": times, "x": odd}))
    assert counts.accepted + counts.quarantined == 3
    assert "at: expected a time" in " ".join(counts.reasons)


def test_what_cannot_be_written_down_is_refused_at_once(tmp_path):
    create_project(tmp_path / "p", strategy=sys.modules["hostile_words"].STRATEGY, salt="s")
    rude = sys.modules["hostile"].Rude()
    with open_project(tmp_path / "p") as mill:
        for how in ({"record_id": rude}, {"time": rude}, {"tags": 3}, {"tags": "ab"}):
            with pytest.raises(TidemillError, match=r" Fix: give "):
                mill.log({"x": 1.0}, **how)
        with pytest.raises(TidemillError, match=r" Fix: give "):
            mill.log([{"x": 1.0}], output=rude)
        assert list(mill.world.inbox.pending({})) == []


def test_an_unknown_name_among_thousands_lists_some(tmp_path):
    (tmp_path / "wide.csv").write_bytes(sys.modules["hostile_files"].ODD_FILES["wide.csv"])
    assert doors.command(["records", "import", "wide.csv"], tmp_path) == "refused"


@pytest.mark.parametrize("line", ["raise BaseException('x')", "raise GeneratorExit"])
def test_a_strategy_that_raises_what_is_no_exception_is_refused_with_its_line(tmp_path, line):
    (tmp_path / "strategy.py").write_text(f"\n{line}\n")
    with pytest.raises(TidemillError, match=r"line 2: (BaseException|GeneratorExit)"):
        load(tmp_path / "strategy.py")


def test_what_moves_a_cursor_is_shown_and_json_stays_json():
    text = "a\x1b[2J\x9bb\u202ec\udcffd\n\te"
    assert printable(text) == "a\\x1b[2J\\x9bb\\u202ec\\udcffd\n\te"
    assert json.loads(printable_json(json.dumps([text], ensure_ascii=False))) == [text]


# ------------------------------------------------------------------------------ foreign pickles


class Touches:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.fixture
def turned(tmp_path):
    """A project in which a model is in front, and what a foreign pickle would touch."""
    text = sys.modules["hostile_words"].STRATEGY
    create_project(tmp_path / "p", strategy=text, salt="s")
    with open_project(tmp_path / "p") as mill:
        digest = mill.world.blobs.put("models", dump(lambda frame: np.zeros(len(frame))))
        payload = {"model": {"digest": digest, "features": {"x": "double"}, "rows": 1}}
        how = {"kind": RELEASE, "id": "v1", "at": mill.world.clock.now(), "why": "a test"}
        with mill.world.state.lease("test") as lease:
            for source, target in (
                (None, "triggered"),
                ("triggered", "training"),
                ("training", "trained"),
            ):
                step = Transition(source=source, target=target, payload=payload, **how)
                mill.world.state.transition(lease, step)
        yield mill, digest, tmp_path / "touched"


def test_a_foreign_pickle_in_the_place_of_a_model_is_refused_unread(turned):
    mill, digest, touched = turned
    file = next((mill.path).rglob(digest))
    file.write_bytes(pickle.dumps(Touches(touched)))
    with pytest.raises(TidemillError, match=r"does not match its digest: it was changed"):
        mill.model("v1")
    assert not touched.exists()


def test_a_foreign_pickle_that_somebody_made_a_release_name_is_refused_unread(turned):
    mill, digest, touched = turned
    foreign = mill.world.blobs.put("models", pickle.dumps(Touches(touched)))
    assert mill.model("v1")[1] == {"x": "double"}
    state = sqlite3.connect(mill.path / "state.db")
    with state:
        state.execute("update machines set payload = replace(payload, ?, ?)", (digest, foreign))
    state.close()
    with pytest.raises(TidemillError, match=r"which no fit of it made.*Fix: restore the state"):
        mill.model("v1")
    named = f"../../{touched.name}"
    with pytest.raises(TidemillError, match=r"names no blob"):
        mill.world.blobs.get("models", named)
    assert not touched.exists()


def test_a_strategy_that_is_in_the_store_and_was_changed_there_is_not_run(turned):
    mill, _, touched = turned
    kept = mill.world.blobs.put("strategies", b"strategy = 1")
    next(mill.path.rglob(kept)).write_text(f"open({str(touched)!r}, 'w')")
    with pytest.raises(TidemillError, match=r"does not match its digest"):
        registry.text_of(mill.world, {"hash": "a", "source": kept})
    assert not touched.exists()
