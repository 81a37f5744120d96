"""State in memory: the same answers as in SQL, and nobody holds what is kept."""

from __future__ import annotations

import random
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tidemill.adapters.stores.memory_state import MemoryState
from tidemill.adapters.stores.sql import SqlState
from tidemill.core.errors import TidemillError
from tidemill.core.machines import LABELLING, RELEASE, STEPS
from tidemill.core.ports import Machine, StateStore, Transition

AT = datetime(2024, 3, 1, 12, 30, 0, 7, tzinfo=UTC)
PAYLOAD = {
    "dataset": {"blob": "a" * 64, "train": 1000, "first": AT.isoformat()},
    "model": {"digest": "b" * 64, "features": {f"f{k}": "double" for k in range(10)}},
    "verdict": "OK",
    "why": "0.81 against 0.79",
}


def step(
    name: str, source: str | None = None, target: str = "triggered", **more: Any
) -> Transition:
    given = {"kind": RELEASE, "why": "because", "at": AT, **more}
    return Transition(id=name, source=source, target=target, **given)


def some_step(draw: random.Random, state: StateStore) -> Transition:
    """A step that is legal about as often as not, with whatever may go along."""
    kind, name = draw.choice((RELEASE, RELEASE, LABELLING)), draw.choice("abcdefghijklmnop")
    machine = state.machine(kind, name)
    right = None if machine is None else machine.state
    source = draw.choice((*[right] * 20, *STEPS[kind]))
    target = draw.choice([*STEPS[kind].get(source, ()), "triggered"])
    hour = timedelta(hours=draw.randrange(9))
    return step(
        name,
        source,
        target,
        kind=kind,
        at=(AT + hour).astimezone(timezone(hour)),
        payload={"b": (1, 2), "a": {"x": draw.random()}},
        frontier={"n": draw.randrange(9)},
        front=draw.choice((None, None, "", "a", "b")),
        meta={draw.choice("kl"): draw.choice((None, 1, [0.5], {"z": "ü"}))},
        also=tuple(some_step(draw, state) for _ in range(draw.choice((0, 0, 1)))),
    )


def everything(state: StateStore) -> list[object]:
    kinds = (RELEASE, LABELLING, "nothing")
    listed = [[asdict(m) for m in state.machines(k)] for k in kinds]
    wanted = ["triggered", "training", "requested", "failed", "failed"]
    return [
        listed,
        [[(m.id, m.state) for m in state.machines(k, wanted)] for k in kinds],
        state.journal(),
        state.journal(after=7),
        state.fronts(),
        state.front(),
        [state.fact(k) for k in "klm"],
        [state.rows(t) for t in ("intake", "strategies")],
    ]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_it_holds_what_sql_holds(seed: int) -> None:
    draw, states = random.Random(seed), (SqlState(None), MemoryState())
    taken = 0
    for k in range(120):
        one, said = some_step(draw, states[0]), []
        row = (
            draw.choice(("intake", "strategies")),
            draw.choice("abc"),
            draw.choice(({}, {"k": k})),
        )
        for state in states:
            with state.lease("test") as lease:
                try:
                    state.transition(lease, one)
                    said.append("taken")
                except TidemillError as error:
                    said.append(f"{type(error).__name__}: {error}")
            said.append(state.add_row(*row))
        assert said[:2] == said[2:]
        taken += said[0] == "taken"
    assert 20 < taken < 100
    assert everything(states[0]) == everything(states[1])
    states[0].close()


def test_a_step_of_a_machine_and_the_next_may_go_in_one() -> None:
    state = MemoryState()
    with state.lease("test") as lease:
        state.transition(lease, step("a", also=(step("a", "triggered", "training"),)))
    assert [(r.source, r.target) for r in state.journal()] == [
        (None, "triggered"),
        ("triggered", "training"),
    ]
    assert [m.state for m in state.machines(RELEASE)] == ["training"]
    assert state.machines(RELEASE, ["triggered"]) == []


def test_what_is_no_json_is_refused_whole() -> None:
    state = MemoryState()
    wrong = (
        {"payload": {"x": object()}},
        {"meta": {"k": object()}},
        {"also": (step("b", frontier={"x": object()}),)},
    )
    for more in wrong:
        with state.lease("test") as lease, pytest.raises(TypeError):
            state.transition(lease, step("a", front="a", **more))
    assert (state.journal(), state.machines(RELEASE), state.fronts()) == ([], [], [])


def test_nobody_holds_what_is_kept() -> None:
    state, given = MemoryState(), {"list": [1], "deep": {"x": 1}}
    with state.lease("test") as lease:
        state.transition(lease, step("a", payload=given, frontier=given, meta={"fact": given}))
        state.set_fact(lease, "other", given)
    state.add_row("intake", "a", given)
    as_it_was = {"list": [1], "deep": {"x": 1}}

    def answers() -> list[Any]:
        machine = state.machine(RELEASE, "a")
        assert machine is not None
        listed, found = state.machines(RELEASE), state.machines(RELEASE, ["triggered"])
        row = state.journal()[0]
        facts = (state.fact("fact"), state.fact("other"), *state.rows("intake"))
        return [
            machine.payload,
            listed[0].payload,
            found[0].payload,
            row.payload,
            row.frontier,
            *facts,
        ]

    given["list"].append(2)  # type: ignore[union-attr]
    given["deep"]["x"] = 2  # type: ignore[index]
    for payload in answers():
        assert payload == as_it_was
        payload["list"].append(3)
        payload["deep"]["x"] = 3
        del payload["list"]
    assert answers() == [as_it_was] * 8
    for rows in (state.machines(RELEASE), state.fronts(), state.journal(), state.rows("intake")):
        rows.clear()
    assert answers() == [as_it_was] * 8


def test_a_machine_is_a_machine_however_it_is_held() -> None:
    state = MemoryState()
    with state.lease("test") as lease:
        state.transition(lease, step("a", payload={"x": 1}))
    found, payload = state.machine(RELEASE, "a"), {"x": 1}
    plain = Machine(kind=RELEASE, id="a", state="triggered", payload=payload, updated_at=AT)
    assert found == plain
    assert plain == found
    assert found != state.machine(RELEASE, "b")
    assert repr(found).partition("(")[2] == repr(plain).partition("(")[2]
    assert found is not None
    found.payload["x"] = 2
    assert found != plain
    assert not hasattr(found, "paylode")


def test_it_answers_in_microseconds_whatever_the_journal_holds() -> None:
    """A loose bound: 20 times what it takes when nothing else runs."""
    state = MemoryState()
    with state.lease("test") as lease:
        for k in range(500):
            state.transition(lease, step(f"v{k}", payload=PAYLOAD))
            state.transition(lease, step(f"v{k}", "triggered", "superseded", payload=PAYLOAD))
        state.transition(lease, step("open", payload=PAYLOAD, meta={"k": 1}, front="open"))
        calls = (
            lambda: state.machine(RELEASE, "v7"),
            lambda: state.machines(RELEASE, ["triggered", "training", "tested"]),
            lambda: state.fact("k"),
            state.front,
        )
        for call in calls:
            best = min(_seconds(call) for _ in range(5))
            assert best < 50e-6, f"{1e6 * best:.0f} µs"


def _seconds(call: Any) -> float:
    start = time.perf_counter()
    for _ in range(50):
        call()
    return (time.perf_counter() - start) / 50
