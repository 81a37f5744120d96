"""``tidemill strategy``: the rules of every stage, and those that ran before."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from cyclopts import App
from rich.console import Console

from tidemill.core.errors import NotFound, unknown
from tidemill.core.ports import Json
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, at, facts

if TYPE_CHECKING:
    from tidemill.project import Mill

app = App(name="strategy", help="The rules of every stage.")

_STAGES = ("log", "curation", "labels", "trigger", "dataset", "holdout", "training", "offline")
_REST = ("signing", "deadline", "online")


@app.command
def show(wanted: str | None = None, /, *, options: Options = USUAL) -> Exit:
    """Show the rules by stage, the content hash, and whether they ran last.

    Parameters
    ----------
    wanted
        The hash of a strategy that ran before, or its beginning: shows its source.
    """
    with options.open() as mill:
        if wanted is not None:
            return _show_old(mill, wanted, options)
        last, strategy = _last(mill), mill.strategy
        ran = sorted(mill.world.state.rows("strategies"), key=lambda r: r["first_seen"])
    rules = {name: _words(getattr(strategy, name)) for name in (*_STAGES, *_REST)}
    document = {
        "hash": strategy.hash,
        "name": strategy.name,
        "comment": strategy.comment,
        "rules": rules,
        "ran_last": last == strategy.hash,
        "last": last,
        "earlier": [
            {k: r[k] for k in ("hash", "name", "first_seen")}
            for r in ran
            if r["hash"] != strategy.hash
        ],
    }
    answer(document, options, lambda out: _show_rules(out, document, options))
    return Exit.DONE


def _show_rules(out: Console, found: Json, options: Options) -> None:
    out.print(f"{found['name']} ({found['hash']})", style="bold")
    if found["comment"]:
        out.print(found["comment"])
    rows = [(n, "\n".join(v) if isinstance(v, list) else v) for n, v in found["rules"].items()]
    out.print(facts(rows))
    if found["ran_last"]:
        said = "This is the strategy that decided last."
    elif found["last"] is None:
        said = f"It has decided nothing yet. Next: {options.command('plan')}"
    else:
        said = f"The last decisions are of {found['last']}; this one takes over at the next turn."
    out.print(f"\n{said}", soft_wrap=True)
    for row in found["earlier"]:
        line = options.command(f"strategy show {row['hash']}")
        out.print(f"Since {at(row['first_seen'])} also: {line}", soft_wrap=True)


def _show_old(mill: Mill, wanted: str, options: Options) -> Exit:
    rows = {r["hash"]: r for r in mill.world.state.rows("strategies")}
    if not rows:
        raise NotFound("no strategy has run yet.", fix="run 'tidemill run' first.")
    fitting = [h for h in rows if h.startswith(wanted)]
    if len(fitting) != 1:
        raise unknown("strategy", wanted, rows)
    row = rows[fitting[0]]
    source = mill.world.blobs.get("strategies", row["source"]).decode()
    document = {
        "hash": row["hash"],
        "name": row["name"],
        "first_seen": row["first_seen"],
        "ran_last": _last(mill) == row["hash"],
        "source": source,
    }

    def shown(out: Console) -> None:
        out.print(f"# {row['name']} ({row['hash']}), first run {at(row['first_seen'])}")
        out.print(source, soft_wrap=True)

    answer(document, options, shown)
    return Exit.DONE


def _last(mill: Mill) -> str | None:
    """Return the hash of the strategy that decided last."""
    decided = (row.strategy for row in reversed(mill.world.state.journal()))
    return next((name for name in decided if name), None)


def _words(rule: object) -> str | list[str]:
    """Write a rule as in a strategy file, with only the fields that were changed."""
    if isinstance(rule, tuple):
        return [str(_words(part)) for part in rule]
    if not dataclasses.is_dataclass(rule) or isinstance(rule, type):
        name = getattr(rule, "__name__", None)
        return name if callable(rule) and name else " ".join(str(rule).split())
    parts = []
    for field in dataclasses.fields(rule):
        value = getattr(rule, field.name)
        if field.default is dataclasses.MISSING or value != field.default:
            shown = repr(value) if isinstance(value, str) else str(_words(value))
            parts.append(f"{field.name}={shown}" if field.kw_only else shown)
    return f"{type(rule).__name__}({', '.join(parts)})"
