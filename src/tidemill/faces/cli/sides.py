"""Two strategies side by side: where each is found, and how what differs is printed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from tidemill.core.errors import NotFound
from tidemill.core.ports import Json
from tidemill.faces.cli.options import Options

if TYPE_CHECKING:
    from tidemill.strategy.difference import Change
    from tidemill.strategy.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of two strategies that are compared, and where it was found."""

    where: str
    hash: str
    strategy: Strategy
    source: str

    def json(self) -> Json:
        """Say which it is."""
        return {"hash": self.hash, "name": self.strategy.name, "where": self.where}


def find_side(wanted: str | None, options: Options, *, live: bool = False) -> Side:
    """Find a strategy: a file, one of the registry, or what is meant when nothing is said."""
    from tidemill.strategy import registry
    from tidemill.strategy.loading import load_text, read

    path = options.project / "strategy.py" if wanted is None else Path(wanted)
    named = wanted is not None and (path.suffix == ".py" or path.is_file() or len(path.parts) > 1)
    if named or (wanted is None and not live):
        if not named:
            options.open().close()  # says when there is no project
        source = read(path)
        strategy = load_text(source, path)
        return Side(where=str(path), hash=strategy.hash, strategy=strategy, source=source)
    with options.open() as mill:
        content = wanted if wanted is not None else registry.last(mill.world)
        if content is None:
            raise NotFound("no strategy has run yet.", fix="run 'tidemill run' first.")
        row = registry.find(mill.world, content)
        source = registry.text_of(mill.world, row)
    where = options.project / f"strategy.py as of {row['hash']}"
    return Side(
        where=str(where), hash=row["hash"], strategy=load_text(source, where), source=source
    )


def aged(side: Side) -> list[str]:
    """Say when an old text means something else today."""
    now = side.strategy.hash
    if now == side.hash:
        return []
    return [
        f"{side.hash} is {now} today: something it imports, or tidemill itself, has changed since"
    ]


def change_json(change: Change) -> Json:
    """Write a change as plain JSON."""
    return {
        "path": change.path,
        "old": change.old,
        "new": change.new,
        "relevant": change.relevant,
        "code": change.code,
        "diff": change.diff,
    }


def show_diff(out: Console, found: Json) -> None:
    """Print what differs, a line a change; the same lines of code only once."""
    old, new = found["old"], found["new"]
    out.print(f"{old['name']} ({old['hash']}) → {new['name']} ({new['hash']})", style="bold")
    shown: set[str] = set()
    for change in found["changes"]:
        mark = "" if change["relevant"] else "  (cosmetic)"
        out.print(f"  {_change_words(change)}{mark}", soft_wrap=True)
        if change["diff"] and change["diff"] not in shown:
            shown.add(change["diff"])
            for line in change["diff"].splitlines():
                out.print(f"    {line}", soft_wrap=True)
    for text in found["notes"]:
        out.print(f"note: {text}", soft_wrap=True)
    if found["same"]:
        also = ", but for what is cosmetic" if found["changes"] else ""
        out.print(f"They are the same strategy{also}.")


def _change_words(change: Json) -> str:
    from tidemill.strategy.difference import Change

    return str(Change(**change))
