"""``tidemill releases``: look at candidates, sign them, roll back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console

from tidemill.core.errors import NotFound, unknown
from tidemill.core.machines import RELEASE
from tidemill.core.ports import Json
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, at, count, facts, table

if TYPE_CHECKING:
    from tidemill.project import Mill

app = App(name="releases", help="Candidates: look at them, sign them, roll back.")

Why = Annotated[str, Parameter(show_default=False)]
Who = Annotated[str | None, Parameter(name="--as")]


@app.command(name="list")
def list_releases(*, options: Options = USUAL) -> Exit:
    """List every release, the oldest first."""
    from tidemill.strategy.status import releases

    with options.open() as mill:
        found = releases(mill.world)
    answer({"releases": found}, options, lambda out: _show_list(out, found))
    return Exit.DONE


def _show_list(out: Console, found: list[Json]) -> None:
    if not found:
        out.print("No release yet.")
        return
    rows = [
        (
            r["release"],
            r["state"],
            r["verdict"],
            f"{r['trained_on']:,}",
            None if r["tested_on"] is None else f"{r['tested_on']:,}",
            at(r["triggered_at"]).removesuffix(" UTC"),
            r["signed_by"],
        )
        for r in found
    ]
    heads = ("release", "state", "verdict", "trained", "tested", "triggered (UTC)", "signed by")
    out.print(table(heads, rows, right=("trained", "tested")))


@app.command
def report(version: str | None = None, /, *, options: Options = USUAL) -> Exit:
    """Show the report card of a release, which is what a signature stands under.

    Parameters
    ----------
    version
        The release; the newest with a report card if left out.
    """
    with options.open() as mill:
        card = _card(mill, version)
    answer(card, options, lambda out: _show_card(out, card, options))
    return Exit.DONE


def _card(mill: Mill, version: str | None) -> Json:
    machines = mill.world.state.machines(RELEASE)
    known = {m.id: m for m in machines}
    if version is not None and version not in known:
        raise unknown("release", version, known)
    told = [m for m in machines if m.payload.get("report")]
    if version is not None:
        told = [m for m in told if m.id == version]
    if not told:
        which = "no release has" if version is None else f"release {version} has not"
        raise NotFound(
            f"{which} a report card yet.", fix="see 'tidemill releases list', or 'tidemill run'."
        )
    machine = told[-1]
    card: Json = json.loads(mill.world.blobs.get("reports", machine.payload["report"]))
    more = {name: machine.payload.get(name) for name in ("signed_by", "spot_check", "seconds")}
    return {**card, "state": machine.state, **more}


def _show_card(out: Console, card: Json, options: Options) -> None:
    test, data = card["test"], card["dataset"]
    champion = card["champion"] or "none yet"
    out.print(f"{card['release']} ({card['state']}): {card['verdict']}", style="bold")
    days, look = count(test["days"], "day"), "" if test["look"] == 1 else f", look {test['look']}"
    rows: list[tuple[str, object]] = [
        ("why", card["why"]),
        ("champion", champion),
        ("trained on", f"{count(data['train'], 'row')}, {at(data['first'])} to {at(data['last'])}"),
        ("tested on", f"{count(test['rows'], 'row')} of {days}{look}"),
        ("signed by", card["signed_by"]),
        ("spot check", _spot(card["spot_check"])),
    ]
    out.print(facts(rows))
    for line in card.get("assumed", ()):
        out.print(f"ASSUMED: {line}", soft_wrap=True)
    for gate in card["gates"]:
        out.print(f"\n{gate['verdict']}  {gate['gate']}", style="bold")
        if gate["estimates"]:
            heads = ("what", "value", "interval", "rows", "effective", "days")
            cells = [_estimate(name, e) for name, e in gate["estimates"].items()]
            out.print(table(heads, cells, right=("value", "rows", "effective", "days")))
        out.print(f"  {gate['why']}", soft_wrap=True)
    if card["state"] in ("awaiting", "inconclusive"):
        for verb in ("approve", "reject"):
            line = options.command(f"releases {verb} {card['release']}")
            out.print(f"\n{verb.capitalize()}: {line}", end="", soft_wrap=True)
        out.print()


def _estimate(name: str, e: Json) -> tuple[Any, ...]:
    interval = None if e["low"] is None else f"[{e['low']:.4f}, {e['high']:.4f}]"
    value = None if e["value"] is None else f"{e['value']:.4f}"
    return name, value, interval, f"{e['n']:,}", f"{e['effective']:,.0f}", e["days"]


def _spot(check: Json | None) -> str:
    if not check:
        return ""
    agree = "" if check["agree"] is None else f", {check['agree']:.0%} as the champion"
    return f"answered {check['asked']:,}{agree}, {check['latency_ms']:.1f} ms each"


@app.command
def approve(version: str, /, *, why: Why = "", who: Who = None, options: Options = USUAL) -> Exit:
    """Sign yes under a report card; the next turn puts the release in front.

    Parameters
    ----------
    version
        The release.
    why
        A word for the record.
    who
        Who signs; the user of this machine if left out.
    """
    return _sign(version, "approve", why, who, options)


@app.command
def reject(version: str, /, *, why: Why = "", who: Who = None, options: Options = USUAL) -> Exit:
    """Sign no under a report card; the next turn ends the release.

    Parameters
    ----------
    version
        The release.
    why
        A word for the record.
    who
        Who signs; the user of this machine if left out.
    """
    return _sign(version, "reject", why, who, options)


def _sign(version: str, decision: str, why: str, who: str | None, options: Options) -> Exit:
    from tidemill.project import default_user
    from tidemill.strategy.signing import sign
    from tidemill.strategy.turn import moment_of

    with options.open() as mill:
        name, now = who or default_user(), moment_of(mill.world).isoformat()
        signed = sign(mill.world.state, version, decision=decision, who=name, why=why, at=now)
    document = {
        "release": version,
        "decision": decision,
        "who": name,
        "why": why,
        "state": signed.state,
        "next": options.command("run"),
    }
    done = {"approve": "approved", "reject": "rejected"}[decision]

    def show(out: Console) -> None:
        out.print(f"{name} {done} {version}. Next: {document['next']}", soft_wrap=True)

    answer(document, options, show)
    return Exit.DONE


@app.command
def rollback(
    version: str | None = None, /, *, why: Why = "", who: Who = None, options: Options = USUAL
) -> Exit:
    """Put the model that was in front before back in front, at once.

    Parameters
    ----------
    version
        The one to take out. Named, a command that is repeated does not roll back twice.
    why
        A word for the record.
    who
        Who does it; the user of this machine if left out.
    """
    from tidemill.project import default_user
    from tidemill.strategy.front import rollback as roll_back

    with options.open() as mill:
        name = who or default_user()
        gone, back = roll_back(mill.world, who=name, why=why, version=version)
    document = {"out": gone, "front": back, "who": name, "why": why}

    def show(out: Console) -> None:
        now = f"{back} is in front again." if back else "No model is in front now."
        out.print(f"{gone} was rolled back. {now}")

    answer(document, options, show)
    return Exit.DONE
