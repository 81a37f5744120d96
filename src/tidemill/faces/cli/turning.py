"""``tidemill plan`` and ``tidemill run``."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console

from tidemill.core.clock import Clock, ReplayedClock, instant
from tidemill.core.durations import duration
from tidemill.core.errors import BadValue, NotAllowed
from tidemill.core.machines import RELEASE
from tidemill.core.ports import Json
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, as_json, at, count, out, table

if TYPE_CHECKING:
    from tidemill.project import Mill
    from tidemill.strategy.turn import Plan

MOST_BAD = 3
"""Incidents that a run names; the rest are counted."""

Moment = Annotated[str | None, Parameter(name="--at")]
ShowSql = Annotated[bool, Parameter(negative=(), show_default=False)]


def plan(*, show_sql: ShowSql = False, options: Options = USUAL) -> Exit:
    """Say what a turn would do now and why, and why what could be due is not.

    Nothing is changed. Ends with 3 when a release waits for a signature.

    Parameters
    ----------
    show_sql
        Write each query on a table that stays where it is to standard error before it is sent.
    """
    with options.open(show_sql=show_sql) as mill:
        found = mill.plan()
        waiting = awaiting(mill)
    answer(plan_json(found, waiting), options, lambda o: show_plan(o, found, waiting, options))
    return Exit.WAITING if waiting else Exit.DONE


def run(
    *,
    moment: Moment = None,
    every: str | None = None,
    wait: Annotated[bool, Parameter(show_default=False)] = True,
    retrain: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    show_sql: ShowSql = False,
    options: Options = USUAL,
) -> Exit:
    """Turn the mill until nothing can be decided now; twice does nothing the second time.

    Ends with 3 when a release waits for a signature. With --every it goes on until SIGTERM or
    Ctrl-C, which stop it between two turns.

    Parameters
    ----------
    moment
        Turn as if it were this time, such as 2013-01-07; not before the last turn.
    every
        Turn again every so often, such as 1h, and when something is due.
    wait
        Wait for fits that were started; --no-wait leaves them to the next run.
    retrain
        Ask for a retrain, whatever the trigger says.
    show_sql
        Write each query on a table that stays where it is to standard error before it is sent.
    """
    from tidemill.project import default_user

    if moment is not None and every is not None:
        raise BadValue("--at and --every exclude each other.", fix="leave one of them out.")
    interval = None if every is None else duration(every)
    if interval is not None and not interval:
        raise BadValue("--every 0s never rests.", fix="write it like 15m or 1h.")
    clock = None if moment is None else ReplayedClock(instant(moment))
    with options.open(clock=clock, show_sql=show_sql) as mill:
        if moment is not None:
            _not_before(mill, mill.world.clock)
        if retrain:
            mill.retrain(default_user())
        if interval is not None:
            from tidemill.faces.cli.ticking import tick

            return tick(mill, interval, wait=wait, options=options)
        return _once(mill, wait=wait, options=options)


def _once(mill: Mill, *, wait: bool, options: Options) -> Exit:
    told = None if options.json else show_steps
    plans = mill.run(wait=wait, told=told)
    waiting, front = awaiting(mill), mill.world.state.front()
    document = {
        "turns": [plan_json(p, waiting) for p in plans],
        "front": None if front is None else front.version,
        "next_due": _iso(plans[-1].next_due),
        "running": plans[-1].running,
        "waiting": waiting,
    }

    def show(console: Console) -> None:
        if front is not None and front.version is not None:
            console.print(f"In front: {front.version}, since {at(front.at)}.")
        else:
            console.print("No model is in front yet.")
        show_rest(console, plans[-1], waiting, options)
        show_bad(console, mill, options)

    answer(document, options, show)
    # What waits for a person is no failure of the run: whoever schedules it must not retry.
    return Exit.DONE


def _not_before(mill: Mill, clock: Clock) -> None:
    """Refuse a time at which the mill has already seen what came later."""
    now, state = clock.now(), mill.world.state
    for fact, what in (("last_turn", "the last turn"), ("last_write", "the newest arrival")):
        stored = state.fact(fact)
        if stored is not None and now < datetime.fromisoformat(stored):
            raise NotAllowed(
                f"--at {now.isoformat()} is before {what}, at {stored}.",
                fix=f"give a time at or after {stored}.",
            )


def awaiting(mill: Mill) -> list[str]:
    """Return the releases that wait for a person."""
    return [m.id for m in mill.world.state.machines(RELEASE, ["awaiting"])]


def plan_json(found: Plan, waiting: list[str]) -> Json:
    """Write a plan as plain JSON."""
    steps = [{"stage": s.stage, "id": s.id, "to": s.target, "why": s.why} for s in found.steps]
    return {
        "now": found.now.isoformat(),
        "steps": steps,
        "notes": list(found.notes),
        "next_due": _iso(found.next_due),
        "running": found.running,
        "waiting": waiting,
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def show_plan(console: Console, found: Plan, waiting: list[str], options: Options) -> None:
    """Print what a turn would do."""
    if found.steps:
        console.print(f"A turn at {at(found.now)} would:")
        rows = [(s.stage, s.id, s.target, s.why) for s in found.steps]
        console.print(table(("stage", "which", "becomes", "why"), rows))
        console.print(f"Do it: {options.command('run')}", soft_wrap=True)
    else:
        console.print(f"Nothing to do at {at(found.now)}.")
    show_rest(console, found, waiting, options)


def show_steps(found: Plan) -> None:
    """Print what a turn has just done, a line a step."""
    console = out()
    for step in found.steps:
        console.print(f"{at(found.now)}  {step}", soft_wrap=True)


def show_bad(console: Console, mill: Mill, options: Options) -> None:
    """Print what is bad now, or that nothing is, where anything is watched."""
    from tidemill.strategy.watching.telling import incidents

    found = incidents(mill.world)
    if not found and mill.world.state.fact("watched") is not None:
        look = options.command("metrics")
        console.print(f"Nothing is bad. What is watched: {look}", soft_wrap=True)
    for one in found[:MOST_BAD]:
        said = f"Bad since {at(one['onset'])[:10]}: {one['what']}: {one['why']}"
        console.print(said, soft_wrap=True)
    if len(found) > MOST_BAD:
        console.print(f"and {count(len(found) - MOST_BAD, 'more incident')}")
    if found:
        more = "list" if len(found) > 1 else f"show {found[0]['id']}"
        console.print(f"Look: {options.command(f'alerts {more}')}", soft_wrap=True)


def show_rest(console: Console, found: Plan, waiting: list[str], options: Options) -> None:
    """Print why what could be due is not, who is waited for, and when to come again."""
    for text in found.notes:
        if not text.startswith(tuple(f"{version} waits" for version in waiting)):
            console.print(f"  {text}", soft_wrap=True)
    if found.running:
        console.print(f"Running: {count(found.running, 'job')}; a later turn collects it.")
    for version in waiting:
        look = options.command(f"releases report {version}")
        console.print(f"{version} waits for a signature. Look: {look}", soft_wrap=True)
    if found.next_due is not None:
        console.print(f"Next due: {at(found.next_due)}")


def print_line(document: Json) -> None:
    """Print one JSON line, at once."""
    with suppress(BrokenPipeError):
        print(as_json(document), flush=True)
