"""``tidemill status``."""

from __future__ import annotations

from rich.console import Console

from tidemill.core.ports import Json
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, at, count, facts, table

_FATES = ("seen", "accepted", "already", "sampled_out", "waiting", "quarantined")
_MOST = 8
"""Reasons for quarantine shown before they are only counted."""


def status(*, options: Options = USUAL) -> Exit:
    """Say what is in front, what waits, and what became of all that came in.

    Ends with 3 when a release waits for a signature.
    """
    from tidemill.strategy.status import status as standing

    with options.open() as mill:
        found = standing(mill.world)
    waiting = [r["release"] for r in found["pending"] if r["state"] == "awaiting"]
    found = {**found, "waiting": waiting, "next": _next(found, waiting, options)}
    answer(found, options, lambda out: _show(out, found))
    return Exit.WAITING if waiting else Exit.DONE


def _next(found: Json, waiting: list[str], options: Options) -> str:
    if waiting:
        return options.command(f"releases report {waiting[-1]}")
    if not found["intake"].get("records"):
        return options.command("records import FILE")
    return options.command("run" if found["last_turn"] is None else "plan")


def _show(out: Console, found: Json) -> None:
    states = ", ".join(f"{n} {state}" for state, n in found["releases"].items())
    front = found["front"] and f"{found['front']}, since {at(found['front_since'])}"
    rows: list[tuple[str, object]] = [
        ("in front", front or "no model yet"),
        ("last turn", at(found["last_turn"])),
        ("last retrain", at(found["last_triggered"])),
        ("releases", states or "none yet"),
        ("curated", f"{count(found['chosen'], 'record')} in {count(found['windows'], 'window')}"),
        ("training", f"{found['training_seconds']:g} s in all"),
    ]
    out.print(facts(rows))
    if found["pending"]:
        pending = [(r["release"], r["state"], r["verdict"], r["why"]) for r in found["pending"]]
        out.print()
        out.print(table(("release", "waits", "verdict", "why"), pending))
    if found["intake"]:
        out.print()
        _show_intake(out, found["intake"])
    out.print(f"\nNext: {found['next']}", soft_wrap=True)


def _show_intake(out: Console, intake: Json) -> None:
    heads = ("came in", *(f.replace("_", " ") for f in _FATES))
    rows = [(name, *(f"{t[f]:,}" for f in _FATES)) for name, t in sorted(intake.items())]
    out.print(table(heads, rows, right=heads[1:]))
    reasons = [(n, name, why) for name, t in intake.items() for why, n in t["reasons"].items()]
    reasons.sort(key=lambda r: (-r[0], *r[1:]))
    if reasons:
        out.print()
        out.print(table(("rows", "of", "quarantined because"), reasons[:_MOST], right=("rows",)))
    if len(reasons) > _MOST:
        out.print(f"and {count(len(reasons) - _MOST, 'more reason')}: tidemill records quarantine")
