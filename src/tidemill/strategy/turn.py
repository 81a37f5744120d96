"""A turn: collect what has finished, advance what can be advanced, start what is due.

A turn never waits. It reads the world as of one moment, plans, and applies its plan; each
machine goes at most one step. It is level-triggered and idempotent: run twice, or again
after a kill -9, it comes to the same end. The replay drives this same code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

from tidemill.core.as_of import AsOf, as_of
from tidemill.core.machines import CURATION, LABELLING, RELEASE
from tidemill.core.ports import Json, Lease, Transition, World
from tidemill.strategy.stored_ids import StoredIds
from tidemill.strategy.strategy import Marks, Strategy

T = TypeVar("T")

INTAKE = "intake"
TABLES_READ = ("records", "labels", "chosen")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to do now: which machine goes where, and why."""

    stage: str
    id: str
    target: str
    why: str
    source: str | None = None
    """The state its machine is in; should it have moved meanwhile, the step is not done."""
    facts: Json = field(default_factory=dict)
    data: Any = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.stage} {self.id} → {self.target}: {self.why}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What can be decided now. ``plan`` prints it, ``run`` applies it."""

    now: datetime
    steps: tuple[Step, ...]
    notes: tuple[str, ...]
    """Why what could be due is not."""
    next_due: datetime | None
    running: int = 0
    """Jobs that run and whose end a turn will collect."""

    @property
    def decides(self) -> bool:
        """Whether anything but intake is done, so that another turn may find more to do."""
        return any(step.stage != INTAKE for step in self.steps)


@dataclass(kw_only=True)
class Turn:
    """One moment of a mill: its world, its strategy, and the one door to its data."""

    world: World
    strategy: Strategy
    now: datetime
    marks: Marks
    steps: list[Step] = field(default_factory=list)
    """What the stages before have found due."""
    notes: list[str] = field(default_factory=list)
    due: list[datetime] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    running: int = 0
    stored: StoredIds = field(default_factory=StoredIds)
    """Which records are stored, for what is taken in."""

    @cached_property
    def view(self) -> AsOf:
        return as_of(self.world, self.now)

    def known(self, make: Callable[[], T], what: str, *key: Any) -> T:
        """Answer a question about the data of this moment; its key says what else it is of."""
        return self.world.known(make, what, self.now, *key)

    def frontier(self) -> Json:
        """Say which data this turn can see."""
        if not self.seen:
            self.seen.update({t: self.world.events.version(t) for t in TABLES_READ})
        return {"now": self.now.isoformat(), "versions": dict(self.seen)}

    def move(
        self, lease: Lease, kind: str, machine: str, source: str | None, target: str, **more: Any
    ) -> None:
        """Write a transition of a machine, with the time, the strategy and the frontier."""
        self.world.state.transition(lease, self.transition(kind, machine, source, target, **more))

    def transition(
        self, kind: str, machine: str, source: str | None, target: str, **more: Any
    ) -> Transition:
        return Transition(
            kind=kind,
            id=machine,
            source=source,
            target=target,
            at=self.now,
            strategy=self.marks.whole,
            frontier=self.frontier(),
            **more,
        )


Due = Callable[[Turn], Iterator[Step]]
Apply = Callable[[Turn, Lease, Step], None]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What a stage of the turn does: says what is due, and does a step."""

    due: Due
    apply: Apply


def stages() -> dict[str, Stage]:
    """Return the stages of a turn that decide, in the order of the loop."""
    from tidemill.strategy import curating, labelling, releasing, triggering
    from tidemill.strategy.watching import stage as watching

    return {
        CURATION: Stage(due=curating.due, apply=curating.apply),
        LABELLING: Stage(due=labelling.due, apply=labelling.apply),
        watching.MONITORING: Stage(due=watching.due, apply=watching.apply),
        "trigger": Stage(due=triggering.due, apply=triggering.apply),
        RELEASE: Stage(due=releasing.due, apply=releasing.apply),
    }


def moment_of(world: World) -> datetime:
    """Return the time of the next turn: now, never before anything stored or the last turn.

    Clocks jump, and another machine's may be ahead: what one turn has seen the next one sees too.
    """
    known = [world.state.fact(name) for name in ("last_write", "last_turn")]
    moments = [datetime.fromisoformat(at) for at in known if at is not None]
    return max([world.clock.now(), *moments])


def went_back(world: World) -> str | None:
    """Say that the clock is behind the last turn, which was told a later time; None when not.

    A minute is left to machines whose clocks differ.
    """
    said = world.state.fact("last_turn")
    now = world.clock.now()
    if said is None or datetime.fromisoformat(said) <= now + timedelta(minutes=1):
        return None
    then, here = (f"{at:%Y-%m-%d %H:%M} UTC" for at in (datetime.fromisoformat(said), now))
    return (
        f"the clock went back: it says {here}, but the last turn was at {then}. Until then every "
        "turn is of that moment, and nothing comes due by time; nothing is lost. Fix: set the "
        "clock right; if it was ahead then, wait, or restore the project from a backup."
    )


def plan(world: World, strategy: Strategy) -> Plan:
    """Say what a turn would do now, without doing it."""
    from tidemill.strategy import reading, taking_in

    turn = _open(world, strategy, strategy.marks)
    waiting = (*reading.due(turn), *map(_without_rows, taking_in.due(turn)))
    if waiting:
        turn.notes.append("what was handed over is taken in first, and may change the rest")
    return _decide(turn, after=waiting)


def run_once(world: World, strategy: Strategy) -> Plan:
    """Do one turn; returns the plan that was applied.

    Raises
    ------
    Busy
        If another process is turning this mill.
    """
    with world.state.lease("turn") as lease:
        return _turn(world, strategy, lease, strategy.marks)


def _turn(world: World, strategy: Strategy, lease: Lease, marks: Marks) -> Plan:
    from tidemill.strategy.releasing import sweep

    taken = _take_in(world, strategy, lease, marks)
    turn = _open(world, strategy, marks)
    decided = _decide(turn, after=taken)
    now = turn.now.isoformat()
    # From here on nothing can be stored as if it had been seen before this moment. A turn of an
    # empty mill has looked at nothing, so history may still be imported as it came.
    filled = any(world.events.version(t) >= 0 for t in ("records", "edge_profiles"))
    if filled and world.state.fact("last_turn") != now:
        world.state.set_fact(lease, "last_turn", now)
    parts = stages()
    for step in turn.steps:
        parts[step.stage].apply(turn, lease, step)
    if not turn.steps:
        sweep(turn, lease)
    return decided


def _take_in(world: World, strategy: Strategy, lease: Lease, marks: Marks) -> tuple[Step, ...]:
    """Take in what was handed over, before anything is decided, so that this turn sees it.

    Once a turn: a service that never stops handing over must not keep it from deciding.
    """
    from tidemill.strategy import reading, taking_in

    taken: list[Step] = []
    turn = _open(world, strategy, marks)
    for step in reading.due(turn):
        reading.apply(turn, lease, step)
        taken.append(step)
    for due in (taking_in.handed_over, taking_in.settling):
        turn = _open(world, strategy, marks)
        for step in due(turn):
            taking_in.apply(turn, lease, step)
            taken.append(_without_rows(step))
    return tuple(taken)


def _without_rows(step: Step) -> Step:
    """Return a step as it is told: its rows must not all stay in memory."""
    return replace(step, data=None)


def settle(
    world: World,
    strategy: Strategy,
    *,
    wait: bool = True,
    told: Callable[[Plan], None] | None = None,
    marks: Marks | None = None,
) -> list[Plan]:
    """Turn until nothing can be decided now; ``wait`` for jobs that run meanwhile.

    ``marks`` are the strategy's own, for a caller that turns it a thousand times.
    """
    plans: list[Plan] = []
    marks = strategy.marks if marks is None else marks
    while True:
        with world.state.lease("turn") as lease:
            while not plans or plans[-1].decides or not plans[-1].running or _ended(world):
                plans.append(_turn(world, strategy, lease, marks))
                if told is not None:
                    told(plans[-1])
                if not plans[-1].decides and not plans[-1].running:
                    return plans
        if not wait:
            return plans
        # Others may change the project while a fit runs.
        while not _ended(world):
            world.jobs.wait(1.0)


def _ended(world: World) -> bool:
    from tidemill.strategy.releasing import jobs_of

    jobs = jobs_of(world.state)
    # None any more: another process has collected them.
    return not jobs or any(world.jobs.poll(job) is not None for job in jobs)


def _open(world: World, strategy: Strategy, marks: Marks) -> Turn:
    return Turn(world=world, strategy=strategy, now=moment_of(world), marks=marks)


def _decide(turn: Turn, *, after: tuple[Step, ...] = ()) -> Plan:
    for stage in stages().values():
        turn.steps.extend(list(stage.due(turn)))
    if (said := went_back(turn.world)) is not None:
        turn.notes.append(said)
    return Plan(
        now=turn.now,
        steps=(*after, *turn.steps),
        notes=tuple(turn.notes),
        next_due=min(turn.due, default=None),
        running=turn.running,
    )


def stamp(world: World) -> datetime:
    """Return when rows stored now become available: after the last turn looked."""
    floor = world.state.fact("last_turn")
    now = world.clock.now()
    if floor is None:
        return now
    return max(now, datetime.fromisoformat(floor) + timedelta(microseconds=1))
