"""Incidents: alerts that belong together, from the first bad window until it is over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tidemill.core.machines import INCIDENT, RELEASE
from tidemill.core.ports import Json, Machine, Transition
from tidemill.core.signals import KINDS
from tidemill.core.verdict import Verdict
from tidemill.strategy.turn import Turn
from tidemill.strategy.watching.changing import changes
from tidemill.strategy.watching.judging import by_window
from tidemill.strategy.watching.rows import examples
from tidemill.strategy.watching.store import Judged
from tidemill.strategy.watching.windows import Windows, rules

AROUND = 2
"""Windows before the onset in which what else happened may have to do with it."""
_NAMED = ("kind", "metric", "column", "cohort")


@dataclass(kw_only=True)
class Incident:
    """An incident while it is being followed."""

    id: str
    state: str | None
    """Its state in the journal; None while it is new."""
    payload: Json
    why: str = ""
    changed: bool = False
    closed: bool = False
    extended: bool = False
    """Whether this look found another bad window of it."""
    keys: set[tuple[str, ...]] = field(default_factory=set)

    @classmethod
    def of(cls, machine: Machine) -> Incident:
        made = cls(id=machine.id, state=machine.state, payload=dict(machine.payload))
        made.keys = {_named(s) for s in machine.payload["signals"]}
        return made


def follow(turn: Turn, judged: Sequence[Judged]) -> list[Transition]:
    """Open, extend and close incidents by what was judged; returns their steps in order."""
    state = turn.world.state
    known = len(state.machines(INCIDENT))
    open_ = [Incident.of(m) for m in state.machines(INCIDENT, ["open"])]
    every = list(open_)
    for start, here in by_window(judged):
        alerts = [one for one in here if one.alert]
        if alerts:
            home = _home(turn, open_, alerts, start)
            if home is None:
                home = _new(turn, f"i{known + 1}", alerts[0])
                known += 1
                open_.append(home)
                every.append(home)
            _extend(turn, home, alerts)
        for one in [i for i in open_ if _over(turn, i, here, start)]:
            one.closed, one.changed = True, True
            one.payload |= {"closed": (start + Windows.of(turn).every).isoformat()}
            open_.remove(one)
    _describe(turn, [one for one in every if one.extended or one.closed], judged)
    return [step for one in every for step in _steps(turn, one)]


def _describe(turn: Turn, found: Sequence[Incident], judged: Sequence[Judged]) -> None:
    """Write down which kind of change incidents look like that are more, or over, since this look."""
    last = max((one.point.start for one in judged), default=turn.now)
    every = Windows.of(turn).every
    ends = [
        datetime.fromisoformat(one.payload["closed"]) - every if one.closed else last
        for one in found
    ]
    asked = [(one.payload, end) for one, end in zip(found, ends, strict=True)]
    for one, kind in zip(found, changes(turn, asked), strict=True):
        one.payload["change"] = kind


def _home(
    turn: Turn, open_: Iterable[Incident], alerts: Sequence[Judged], start: datetime
) -> Incident | None:
    """Return the open incident that alerts belong to: of a signal they share, or of their time."""
    every = Windows.of(turn).every
    found = list(open_)
    for one in found:
        if any(_key(a) in one.keys for a in alerts):
            return one
    for one in found:
        first = datetime.fromisoformat(one.payload["onset"])
        last = datetime.fromisoformat(one.payload["last"])
        if first - every <= start <= last + every:
            return one
    return None


def _new(turn: Turn, name: str, first: Judged) -> Incident:
    onset = first.point.start
    if first.judgement is not None and first.judgement.onset is not None:
        onset = first.judgement.onset
    payload: Json = {
        "opened": turn.now.isoformat(),
        "onset": onset.isoformat(),
        "last": first.point.start.isoformat(),
        "closed": None,
        "calm": 0,
        "bad": [],
        "signals": [],
        "rows": [],
        "events": _events(turn, onset),
    }
    return Incident(id=name, state=None, payload=payload)


def _extend(turn: Turn, one: Incident, alerts: Sequence[Judged]) -> None:
    new = [a for a in alerts if _key(a) not in one.keys]
    payload = one.payload
    payload["signals"] = [*payload["signals"], *map(_signal, new)]
    one.keys |= {_key(a) for a in new}
    start = alerts[0].point.start
    onsets = [a.judgement.onset or a.point.start for a in new if a.judgement is not None]
    payload["onset"] = min([payload["onset"], *(o.isoformat() for o in onsets)])
    payload["last"] = max(payload["last"], start.isoformat())
    # A window that came to be known better is judged again, and is one all the same.
    payload["bad"] = sorted({*payload["bad"], start.isoformat()})
    payload["windows"] = len(payload["bad"])
    payload["calm"] = 0
    if new and not payload["rows"]:
        payload["rows"] = examples(turn, new)
    one.changed = one.extended = True
    one.why = _words(payload)


def _signal(one: Judged) -> Json:
    said = one.judgement
    return {
        **{name: getattr(one.key, name) for name in (*_NAMED, "model")},
        "start": one.point.start.isoformat(),
        "value": _finite(one.point.value),
        "low": None if said is None else _finite(said.low),
        "high": None if said is None else _finite(said.high),
        "p": None if said is None else _finite(said.p),
        "n": one.point.n,
        "where": one.where,
        "why": "" if said is None else said.why,
    }


def _finite(value: float) -> float | None:
    return float(value) if value - value == 0 else None


def _words(payload: Json) -> str:
    first = min(payload["signals"], key=lambda s: KINDS.index(s["kind"]))
    name = f"{first['metric']} of {first['column']}" if first["column"] else first["metric"]
    who = f" for {first['cohort']}" if first["cohort"] else ""
    more = len(payload["signals"]) - 1
    return f"{name}{who}: {first['why']}" + (f"; and {more} more signals" if more else "")


def _over(turn: Turn, one: Incident, here: Sequence[Judged], start: datetime) -> bool:
    """Tell whether its signals have been calm for long enough; one not measured is not calm."""
    if start.isoformat() <= max(one.payload["last"], one.payload.get("calm_until", "")):
        return False
    said = [j for j in here if _key(j) in one.keys and j.judgement is not None]
    if not any(j.judgement.verdict in (Verdict.OK, Verdict.WARN) for j in said if j.judgement):
        return False
    one.payload |= {"calm": one.payload["calm"] + 1, "calm_until": start.isoformat()}
    one.changed = True
    return one.payload["calm"] >= rules(turn).quiet


def _steps(turn: Turn, one: Incident) -> Iterator[Transition]:
    if not one.changed:
        return
    why = one.why or _words(one.payload)
    how: dict[str, Any] = {"payload": one.payload}
    if one.state is None or not one.closed:
        yield turn.transition(INCIDENT, one.id, one.state, "open", why=why, **how)
    if one.closed:
        calm = rules(turn).quiet
        why = f"calm for {calm} windows"
        yield turn.transition(INCIDENT, one.id, "open", "closed", why=why, **how)


def _events(turn: Turn, onset: datetime) -> list[Json]:
    """Return what else happened then: releases, rollbacks, changes of the strategy."""
    every = max(Windows.of(turn).every, timedelta(days=1))
    low, high = onset - AROUND * every, turn.now
    shown = ("live", "rolled_back")
    found = [
        {"at": row.at.isoformat(), "what": f"{row.id} {row.target.replace('_', ' ')}: {row.why}"}
        for row in turn.world.state.journal(kind=RELEASE)
        if row.target in shown and low <= row.at <= high
    ]
    for row in turn.world.state.rows("strategies"):
        at = row.get("first_seen")
        if at is not None and low <= datetime.fromisoformat(at) <= high:
            found.append({"at": at, "what": f"the strategy changed to {row['hash'][:8]}"})
    return sorted(found, key=lambda e: e["at"])


def _key(one: Judged) -> tuple[str, ...]:
    return tuple(getattr(one.key, name) for name in _NAMED)


def _named(signal: Json) -> tuple[str, ...]:
    return tuple(signal[name] for name in _NAMED)
