"""Crash safety: the mill is killed (-9) at every failpoint and at random times, and goes on."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tidemill.core.as_of import as_of
from tidemill.core.errors import Busy
from tidemill.core.machines import STEPS
from tidemill.core.records import TABLES
from tidemill.project import create_project, open_project
from tidemill.strategy import comparing

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import crash_story as story  # noqa: E402
import crash_teller  # noqa: E402

ROSTER = HERE / "failpoints.txt"
SOURCE = HERE.parent.parent / "src" / "tidemill"
CHAINS = 4
PLOTS = ("outcomes", "labeller")


@pytest.fixture(scope="module")
def teller() -> Iterator[Any]:
    one = crash_teller.Teller()
    yield one
    one.close()


@pytest.fixture(scope="module")
def undisturbed(teller, tmp_path_factory) -> dict[str, Any]:
    """Tell both stories once for all test processes."""
    shared = os.environ.get("PYTEST_XDIST_WORKER") is not None
    base = tmp_path_factory.getbasetemp()
    kept = (base.parent if shared else base) / "undisturbed.json"
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            found = {p: crash_teller.undisturbed(teller, base / f"calm-{p}", p) for p in PLOTS}
            kept.write_text(json.dumps(found))
    return json.loads(kept.read_text())


def _roster() -> list[str]:
    return ROSTER.read_text().split()


def _same(teller: Any, root: Path, plot: str, calm: dict[str, Any]) -> None:
    found = teller.end(root, plot)
    assert found["problems"] == []
    assert found["digest"] == calm[plot]["digest"]
    _whole(root / "project")


def _whole(project: Path) -> None:
    """Nothing half-written is where a reader looks."""
    for path in (project / "store").glob("*/*"):
        assert path.name.startswith(".part-") or re.fullmatch("[0-9a-f]{64}", path.name)
    left = [p for p in (project / "jobs").glob("*/*") if p.name != "log.txt"]
    assert left == [], "a collected job left its files behind"
    with open_project(project) as mill:
        assert list(mill.world.inbox.pending(mill.world.state.fact("inbox") or {})) == []


def _kills(calm: dict[str, Any], k: int) -> dict[str, list[tuple[int, str]]]:
    """Share the failpoints among the chains; a chain with an odd number takes them late."""
    kills: dict[str, list[tuple[int, str]]] = {p: [] for p in PLOTS}
    for n, name in enumerate(_roster()):
        if n % CHAINS != k:
            continue
        for plot in PLOTS:
            where = [s for s, names in enumerate(calm[plot]["passed"]) if name in names]
            if where:
                kills[plot].append((where[-1 if k % 2 else 0], name))
                break
    for plot in PLOTS:
        passed = calm[plot]["passed"]
        kills[plot].sort(key=lambda at: (at[0], passed[at[0]].index(at[1])))
    return kills


def test_the_story_passes_every_failpoint_of_the_roster(undisturbed) -> None:
    passed = {n for p in PLOTS for names in undisturbed[p]["passed"] for n in names}
    assert sorted(passed) == _roster()
    assert [undisturbed[p]["problems"] for p in PLOTS] == [[], []]


def test_every_state_and_every_effect_has_a_failpoint() -> None:
    roster = set(_roster())
    steps = [
        (kind, target) for kind, after in STEPS.items() for t in after.values() for target in t
    ]
    states = {f"{kind}.{target}" for kind, target in steps}
    missing = [s for s in states if f"{s}.before" not in roster and f"{s}.within" not in roster]
    assert missing == []
    effects = [f"events.{t}" for t in TABLES]
    effects += [f"blobs.{k}" for k in ("models", "datasets", "reports", "strategies")]
    effects += [f"job.{k}" for k in ("fit", "answer", "check", "label", "forget")]
    effects += [f"ledger.{b}" for b in ("intake", "strategies", "signatures")]
    effects += ["spool.write", "spool.batch", "spool.discard", "state.migrate"]
    effects += ["events.records.compact"]
    wanted = {f"{e}.{when}" for e in effects for when in ("before", "after")}
    assert wanted - roster == set()


def test_every_failpoint_in_the_source_is_in_the_roster() -> None:
    text = "\n".join(_roster())
    for path in SOURCE.rglob("*.py"):
        for name in re.findall(r'failpoint\(f?"([^"]+)"\)', path.read_text()):
            if name.startswith("demo.") or path.name == "failpoints.py":
                continue
            pattern = re.sub(r"\\{.*?\\}", "[a-z_.]+", re.escape(name))
            assert re.search(f"^{pattern}$", text, re.MULTILINE), f"{path.name}: {name}"


def test_the_facts_that_are_set_are_in_the_roster() -> None:
    roster = set(_roster())
    for path in (SOURCE / "strategy").rglob("*.py"):
        for key in re.findall(r'set_fact\(\s*lease,\s*"(\w+)"', path.read_text()):
            assert f"fact.{key}.before" in roster, f"{path.name}: {key}"


@pytest.mark.parametrize("k", range(CHAINS))
def test_killed_at_every_failpoint_it_ends_as_undisturbed(teller, undisturbed, tmp_path, k) -> None:
    for plot, kills in _kills(undisturbed, k).items():
        left, round_ = kills, 0
        while left:
            # What one kill made the story pass over is tried in another telling.
            root, before = tmp_path / f"{plot}-{round_}", len(left)
            left, round_ = crash_teller.chain(teller, root, plot, left), round_ + 1
            assert len(left) < before
            _same(teller, root, plot, undisturbed)


@pytest.mark.parametrize(("plot", "seed"), [("outcomes", 1), ("labeller", 2)])
def test_killed_at_random_times_it_ends_as_undisturbed(
    teller, undisturbed, tmp_path, plot, seed
) -> None:
    kills, telling = 0, 0
    # A fast machine may tell a whole story between two kills: then another, killed sooner.
    while kills <= 3:
        root, longest = tmp_path / f"{plot}-{telling}", 2.5 / 2**telling
        kills += crash_teller.random_kills(teller, root, plot, seed + 10 * telling, longest=longest)
        _same(teller, root, plot, undisturbed)
        telling += 1


def _at_the_first_fit(tmp_path: Path, *, slow: bool = True) -> Any:
    """Tell the story up to its first turn, whose fit then takes a while."""
    tale = story.tell(tmp_path, "outcomes", upto=2)
    if slow:
        (tale.project / "slow").touch()
    tale.clock.move_to(story.steps("outcomes")[2].at)
    return tale


def _fits(tale: Any) -> int:
    path = tale.project / "fits"
    return len(path.read_text().split()) if path.exists() else 0


def _start_fit(tale: Any, n: int) -> tuple[int, int]:
    """Turn until the n-th start of the fit runs; return the worker and its child."""
    end = time.monotonic() + 60
    while _fits(tale) < n and time.monotonic() < end:
        tale.mill.run(wait=False)
        time.sleep(0.02)
    worker = tale.mill.world.jobs._worker.pid
    child = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
    return worker, int(child[0])


def _kill(who: str, worker: int, child: int) -> None:
    for name, pid in (("worker", worker), ("child", child)):
        if who in (name, "both"):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(("who", "fits"), [("worker", 1), ("child", 2), ("both", 2)])
def test_the_next_turn_goes_on_when_the_pool_is_killed(tmp_path, who, fits) -> None:
    tale = _at_the_first_fit(tmp_path)
    _kill(who, *_start_fit(tale, 1))
    tale.mill.run()
    assert tale.mill.world.state.front().version == "v1"
    assert _fits(tale) == fits, "a worker that dies alone leaves its child to finish"
    assert story.look(tale)["problems"] == []
    tale.close()


def test_a_fit_that_keeps_disappearing_fails_its_candidate_not_the_mill(tmp_path) -> None:
    tale = _at_the_first_fit(tmp_path)
    for n in (1, 2, 3):
        _kill("both", *_start_fit(tale, n))
    plans = tale.mill.run()
    machine = tale.mill.world.state.machine("release", "v1")
    assert machine.state == "failed"
    assert "disappeared" in machine.payload["why"]
    assert _fits(tale) == 3
    assert plans[-1].steps == ()
    assert story.look(tale)["problems"] == []
    tale.close()


def test_a_fit_outlives_the_mill_and_is_collected_not_repeated(teller, tmp_path) -> None:
    tale = _at_the_first_fit(tmp_path)
    tale.close()
    assert teller.kill_at(tmp_path, "outcomes", "release.training.after", upto=3) == -9
    assert teller.tell(tmp_path, "outcomes", upto=3) == 0
    assert _fits(tale) == 1
    assert tale.mill.world.state.front().version == "v1"
    tale.close()


def test_a_second_process_gets_busy(tmp_path) -> None:
    tale = _at_the_first_fit(tmp_path, slow=False)
    with tale.mill.world.state.lease("turn"), open_project(tale.project) as other:
        with pytest.raises(Busy, match="is changing this project"):
            other.run()
        with pytest.raises(Busy):
            other.retrain("ada")
    tale.close()


def test_two_processes_that_turn_at_once_double_nothing(teller, undisturbed, tmp_path) -> None:
    story.tell(tmp_path, "outcomes", upto=2).close()
    second = crash_teller.Teller()
    with ThreadPoolExecutor(2) as both:
        how = {"upto": 3, "look": False}
        codes = [both.submit(t.tell, tmp_path, "outcomes", **how) for t in (teller, second)]
        assert [c.result() for c in codes] == [0, 0]
    second.close()
    _same(teller, tmp_path, "outcomes", undisturbed)


def test_a_turn_repeated_right_after_does_nothing(tmp_path) -> None:
    tale = story.tell(tmp_path, "labeller")
    world = tale.mill.world

    def state() -> Any:
        facts = {k: world.state.fact(k) for k in ("last_turn", "last_write", "tries", "inbox")}
        versions = {t: world.events.version(t) for t in TABLES}
        return len(world.state.journal()), facts, versions, story.look(tale)

    before = state()
    plans = tale.mill.run()
    assert [p.steps for p in plans] == [()]
    assert state() == before
    tale.close()


def test_a_window_begun_by_one_strategy_is_not_chosen_again_by_another(teller, tmp_path) -> None:
    assert teller.kill_at(tmp_path, "outcomes", "events.chosen.after", upto=3) == -9
    strategy = tmp_path / "project" / "strategy.py"
    text = strategy.read_text()
    strategy.write_text(text.replace('Uniform(80, per="4d")', 'Uniform(10, per="1d")'))
    assert teller.tell(tmp_path, "outcomes", upto=3) == 0
    found = json.loads((tmp_path / "result.json").read_text())
    assert found["problems"] == []
    with open_project(tmp_path / "project") as mill:
        windows = mill.world.state.machines("curation")
    assert [w.payload["chosen"] for w in windows] == [80]


LOGGER = """
import sys
import tidemill
mill = tidemill.open(sys.argv[1])
print("ready", flush=True)
for n in range(10**9):
    mill.log({"x": 1.0 * n}, record_id=f"a{n}", output=1)
    print(n, flush=True)
"""


def test_what_was_acknowledged_is_there_exactly_once(tmp_path) -> None:
    project = create_project(tmp_path / "p", strategy=story.LABELLER, salt="s")
    acknowledged = set()
    for seed in (1, 2):
        command = [sys.executable, "-c", LOGGER, str(project)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as logger:
            assert logger.stdout is not None
            assert logger.stdout.readline() == "ready\n"
            time.sleep(0.05 * seed)
            os.kill(logger.pid, signal.SIGKILL)
            said = logger.stdout.read()
        # The last line may be torn: it was not acknowledged to anybody.
        acknowledged |= {f"a{n}" for n in said.split("\n")[:-1]}
    with open_project(project) as mill:
        mill.run(wait=False)
        mill.run(wait=False)
        view = as_of(mill.world, mill.world.clock.now())
        ids = view.arrow(view.records().select("record_id"))["record_id"].to_pylist()
        assert len(acknowledged) > 5
        assert acknowledged <= set(ids)
        assert len(ids) == len(set(ids))


def test_models_count_by_their_answers() -> None:
    def said(score: float) -> str:
        table = pa.table({"output": [1.0, 0.0], "score": [score, 0.25]})
        return comparing.digest_of_answers(table)

    assert said(0.5) == said(0.5 + 1e-13)
    assert said(0.5) != said(0.5001)


def test_the_documentation_names_every_group_of_failpoints() -> None:
    text = (HERE.parent.parent / "docs" / "reliability.md").read_text()
    named = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert named == {name.partition(".")[0] for name in _roster()}
