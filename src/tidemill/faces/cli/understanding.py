"""What a file is taken for: which column means what, what is assumed, and the report of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from tidemill.core.errors import BadInput, BadValue, enumerated
from tidemill.faces.cli.exits import Exit
from tidemill.faces.cli.options import Options
from tidemill.faces.cli.printing import answer, count, facts, table

if TYPE_CHECKING:
    from tidemill.core.ports import Json
    from tidemill.project import Mill
    from tidemill.strategy.storing import Counts

_FATES = {
    "accepted": "accepted",
    "already": "already there",
    "sampled_out": "sampled out",
    "waiting": "waiting for their record",
    "quarantined": "quarantined",
}
_MOST = 8


@dataclass
class Understood:
    """Which column of a file was taken for what, and what nobody stated."""

    path: Path
    names: list[str]
    columns: Json = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)

    def take(
        self,
        meaning: str,
        given: str | None,
        usual: Sequence[str] = (),
        *,
        need: str = "",
        leave: Iterable[str] = (),
    ) -> str | None:
        """Choose the column of a meaning: the one given, else one of the usual names.

        Parameters
        ----------
        need
            The option to name when there is none; empty when the meaning may be absent.
        leave
            Columns that were given another meaning.
        """
        taken = {*self.columns.values(), *leave}
        found = given or next((u for u in usual if u in self.names and u not in taken), None)
        if found is None and need:
            raise BadInput(
                f"{self.path} has no column {' or '.join(usual)}.",
                fix=f"say which one it is with {need}; there are: {enumerated(self.names)}.",
            )
        if found is not None:
            self.columns[meaning] = found
        return found

    def arrival(self, mill: Mill, given: str | None, time: str | None) -> str | None:
        """Choose the column that says when rows could first be seen, as far as it is known."""
        found = self.take("available_at", given, ("available_at",))
        if found is not None:
            return found
        if time is not None and mill.world.state.fact("last_turn") is None:
            self.assumed.append(
                f"every row arrived at its own time ({time}), as no turn has run yet; "
                "say --available-at COLUMN where they came later"
            )
            return time
        self.assumed.append(
            "every row arrives now; say --available-at COLUMN where they came earlier, "
            "since the last turn"
        )
        return None


def pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """Read texts like FEATURE=COLUMN.

    Examples
    --------
    >>> pairs(["weather=weather_known_at"], "--known")
    {'weather': 'weather_known_at'}
    """
    found = {}
    for text in listed(given):
        name, mark, column = text.partition("=")
        if not (name and mark and column):
            raise BadValue(
                f"{option} {text}: expected FEATURE=COLUMN.",
                fix=f"write it like {option} weather=weather_known_at.",
            )
        found[name] = column
    return found


def listed(given: Sequence[str]) -> list[str]:
    """Read names given one by one or separated by commas.

    Examples
    --------
    >>> listed(["a,b", "c"])
    ['a', 'b', 'c']
    """
    return [name.strip() for text in given for name in text.split(",") if name.strip()]


def report(
    counts: Counts,
    understood: Understood,
    options: Options,
    *,
    features: dict[str, str] | None = None,
    notes: Sequence[str] = (),
) -> Exit:
    """Say what was understood and what became of the rows."""
    document = {
        "file": str(understood.path),
        "table": counts.table,
        "source": counts.source,
        "columns": understood.columns,
        "features": features,
        "assumed": understood.assumed,
        "seen": counts.seen,
        **{name: getattr(counts, name) for name in _FATES},
        "reasons": counts.reasons or {},
        "notes": [*notes, *counts.notes],
    }
    answer(document, options, lambda out: _show(out, document, options))
    nothing = counts.quarantined > 0 and counts.quarantined == counts.seen
    return Exit.PROBLEMS if nothing else Exit.DONE


def _show(out: Console, found: Json, options: Options) -> None:
    columns = ", ".join(
        m if m == c else f"{m} = {c}"
        for m, c in found["columns"].items()
        if not isinstance(c, list | dict) or c
    )
    rows: list[tuple[str, object]] = [("read", found["file"]), ("columns", columns)]
    if found["features"] is not None:
        rows.append(("features", _features(found["features"])))
    rows += [("ASSUMED", text) for text in found["assumed"]]
    rows += [("note", text) for text in found["notes"]]
    out.print(facts(rows))
    fates = [f"{found[n]:,} {words}" for n, words in _FATES.items() if found[n]]
    out.print(f"\n{count(found['seen'], 'row')}: {', '.join(fates) or 'nothing to take in'}.")
    reasons = sorted(found["reasons"].items(), key=lambda r: (-r[1], r[0]))
    if reasons:
        shown = [(f"{n:,}", why) for why, n in reasons[:_MOST]]
        out.print()
        out.print(table(("rows", "quarantined because"), shown, right=("rows",)))
        out.print()
        if len(reasons) > _MOST:
            out.print(f"and {count(len(reasons) - _MOST, 'more reason')}.")
        out.print(f"See them: {options.command('records quarantine')}", soft_wrap=True)


def _features(kinds: dict[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in sorted(kinds.items())) or "none"
