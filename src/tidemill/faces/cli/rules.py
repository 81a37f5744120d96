"""``tidemill strategy``: the rules of every stage, those that were live before, what differs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App
from rich.console import Console

from tidemill.core.errors import TidemillError
from tidemill.core.ports import Json
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import USUAL, Options
from tidemill.faces.cli.printing import answer, at, count, facts, table
from tidemill.faces.cli.sides import aged, change_json, find_side, show_diff
from tidemill.faces.cli.standing import interval
from tidemill.faces.cli.suggesting import suggest
from tidemill.faces.cli.tuning import tune

if TYPE_CHECKING:
    from tidemill.project import Mill

app = App(name="strategy", help="The rules of every stage: show, log, diff, check, tune, suggest.")
app.command(tune)
app.command(suggest)

_REST = ("signing", "deadline", "online", "window", "metrics", "cohorts", "projections", "costs")


@app.command
def show(wanted: str | None = None, /, *, options: Options = USUAL) -> Exit:
    """Show the rules by stage, the content hash, and whether they ran last.

    Parameters
    ----------
    wanted
        The hash of a strategy that ran before, or its beginning: shows its source.
    """
    from tidemill.strategy.doubts import STAGES

    with options.open() as mill:
        if wanted is not None:
            return _show_old(mill, wanted, options)
        last, strategy = _last(mill), mill.strategy
        ran = {r["hash"]: r for r in reversed(mill.world.state.rows("strategies"))}
    content = strategy.hash
    document = {
        "hash": content,
        "name": strategy.name,
        "comment": strategy.comment,
        "rules": {name: _words(getattr(strategy, name)) for name in (*STAGES, *_REST)},
        "ran_last": last == content,
        "last": last,
        "earlier": [
            {k: r[k] for k in ("hash", "name", "first_seen")}
            for r in sorted(ran.values(), key=lambda r: r["first_seen"])
            if r["hash"] != content
        ],
    }
    answer(document, options, lambda out: _show_rules(out, document, options))
    return Exit.DONE


def _words(value: Any) -> str | list[str] | None:
    """Write a rule as in a strategy file; a plain text and nothing as they are."""
    from tidemill.strategy.difference import told

    if isinstance(value, tuple):
        return [told(part) for part in value]
    return value if value is None or isinstance(value, str) else told(value)


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
        said = (
            f"The last decisions are of {found['last']}; this one takes over at the next turn. "
            f"What differs: {options.command('strategy diff')}"
        )
    out.print(f"\n{said}", soft_wrap=True)
    for row in found["earlier"]:
        line = options.command(f"strategy show {row['hash']}")
        out.print(f"Since {at(row['first_seen'])} also: {line}", soft_wrap=True)


def _show_old(mill: Mill, wanted: str, options: Options) -> Exit:
    from tidemill.strategy.registry import find

    row = find(mill.world, wanted)
    source = mill.world.blobs.get("strategies", row["source"]).decode()
    document = {
        "hash": row["hash"],
        "name": row["name"],
        "author": row.get("author"),
        "message": row.get("comment") or "",
        "first_seen": row["first_seen"],
        "ran_last": _last(mill) == row["hash"],
        "source": source,
    }

    def shown(out: Console) -> None:
        by = f", by {document['author']}" if document["author"] else ""
        out.print(f"# {row['name']} ({row['hash']}), first run {at(row['first_seen'])}{by}")
        out.print(source, soft_wrap=True)

    answer(document, options, shown)
    return Exit.DONE


def _last(mill: Mill) -> str | None:
    """Return the hash of the strategy that decided last."""
    decided = (row.strategy for row in reversed(mill.world.state.journal()))
    return next((name for name in decided if name), None)


@app.command
def log(*, options: Options = USUAL) -> Exit:
    """List every strategy that was live: when, whose it was, and how it did meanwhile.

    The oldest first; going back to an earlier one is a line of its own. All are measured by
    the first metric of the present strategy.py, on the labels that are final now.
    """
    from tidemill.strategy import registry

    with options.open() as mill:
        strategy, notes = None, list[str]()
        try:
            strategy = mill.strategy
        except TidemillError as error:
            notes.append(f"nothing is measured: {error.what}")
        found = registry.log(mill.world, strategy)
    document = {"strategies": found, "notes": notes}
    answer(document, options, lambda out: _show_log(out, found, notes))
    return Exit.DONE


def _show_log(out: Console, found: list[Json], notes: list[str]) -> None:
    if not found:
        out.print("No strategy has run yet.")
    for row in found:
        until = "now" if row["to"] is None else at(row["to"])
        out.print(f"{row['hash']} {row['name'] or ''}".rstrip(), style="bold")
        said = [f"{row[k]} {k.replace('_', ' ')}" for k in _OUTCOMES if row[k] or k in _ALWAYS]
        rows: list[tuple[str, object]] = [
            ("live", f"{at(row['from'])} to {until}"),
            ("author", row["author"]),
            ("message", row["message"]),
            ("releases", ", ".join(said)),
            ("labels", f"{row['labels_chosen']:,} chosen"),
            ("training", f"{row['training_seconds']:g} s"),
            ("users got", None if row["realised"] is None else _measured(row["realised"])),
        ]
        out.print(facts(rows))
        out.print()
    for text in notes:
        out.print(f"note: {text}", soft_wrap=True)


_OUTCOMES = ("triggered", "live", "refused", "failed", "inconclusive", "expired", "rolled_back")
_ALWAYS = ("triggered", "live", "refused", "failed")


def _measured(found: Json) -> str:
    if found["value"] is None:
        return f"{found['metric']} not known: {found['why']}"
    rest = f"{count(found['n'], 'record')} of {count(found['days'], 'day')}"
    return f"{found['metric']} {interval(found)}, on {rest}"


@app.command
def diff(old: str | None = None, new: str | None = None, /, *, options: Options = USUAL) -> Exit:
    """Show what differs between two strategies, rule by rule.

    A change that is not cosmetic makes another content hash: another strategy.

    Parameters
    ----------
    old
        A strategy file, or the hash of one that was live, or its beginning; the last one that
        was live if left out.
    new
        The same; strategy.py if left out.
    """
    from tidemill.strategy.difference import difference

    before, after = find_side(old, options, live=True), find_side(new, options)
    found = difference(before.strategy, after.strategy)
    notes = [*aged(before), *aged(after)]
    if not found and before.source.strip() != after.source.strip():
        notes.append("only comments, layout or docstrings differ")
    document = {
        "old": before.json(),
        "new": after.json(),
        "same": not any(c.relevant for c in found),
        "changes": [change_json(c) for c in found],
        "notes": notes,
    }
    answer(document, options, lambda out: show_diff(out, document))
    return Exit.DONE


@app.command
def check(file: Path | None = None, /, *, options: Options = USUAL) -> Exit:
    """Load a strategy, say what each stage will do, and what cannot work together.

    Ends with 4 when nothing can ever come of it. Needs no project when a file is given.

    Parameters
    ----------
    file
        The strategy file; strategy.py of the project if left out.
    """
    from tidemill.strategy.doubts import notes, problems, stages

    side = find_side(None if file is None else str(file.absolute()), options)
    here = _in_place(options) if file is None else ()
    found = problems(side.strategy, in_place=here)
    document = {
        "file": side.where,
        "hash": side.hash,
        "name": side.strategy.name,
        "ok": not found,
        "stages": stages(side.strategy),
        "problems": found,
        "notes": notes(side.strategy, in_place=here),
    }
    answer(document, options, lambda out: _show_check(out, document))
    return Exit.PROBLEMS if found else Exit.DONE


def _in_place(options: Options) -> tuple[str, ...]:
    """Return which tables of the project stay where they are."""
    from tidemill.strategy.in_place import in_place

    with options.open() as mill:
        return in_place(mill.world.events)


def _show_check(out: Console, found: Json) -> None:
    out.print(f"{found['name']} ({found['hash']})", style="bold")
    rows = [(s["stage"], s["rule"], s["does"]) for s in found["stages"]]
    out.print(table(("stage", "rule", "what it does"), rows))
    for kind, words in (("problems", "PROBLEM"), ("notes", "note")):
        for text in found[kind]:
            out.print(f"\n{words}: {text}.", soft_wrap=True)
    if not found["problems"]:
        out.print("\nNothing in it keeps it from working.")
