"""A cohort that becomes part of the strategy: its line is written, tried, and put in its place."""

from __future__ import annotations

from pathlib import Path

from tidemill.core.errors import BadInput, NotAllowed
from tidemill.core.ports import Json, World
from tidemill.measures import Cohort
from tidemill.strategy.difference import difference
from tidemill.strategy.loading import load_text
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.watching.past import Past
from tidemill.strategy.watching.pasting import line_of, with_cohort


def read_exactly(path: Path) -> str:
    """Return the text of a strategy file with its own ends of lines.

    Raises
    ------
    BadInput
        If it cannot be read.
    """
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}.", fix="mend the file.") from None


def added(
    world: World, strategy: Strategy, source: str, path: Path, *, name: str, where: str
) -> tuple[str, Json]:
    """Return the text of a strategy file with a cohort more, tried on the records there are.

    Parameters
    ----------
    strategy
        What the text makes as it is.
    source, path
        The text, and where it stands.
    name, where
        Of the cohort: an expression of ``r``, or a lambda.

    Returns
    -------
    tuple
        The text, and what is said: ``name``, ``line``, ``records`` of the last 30 days, how
        many ``inside`` the cohort.

    Raises
    ------
    NotAllowed
        If the strategy has a cohort of this name.
    BadInput
        If the file cannot be changed safely, or the condition cannot be asked of the records.
    """
    if name in {one.name for one in strategy.cohorts}:
        raise NotAllowed(f"the strategy has a cohort {name!r} already.", fix="choose another name.")
    text = with_cohort(source, name, where)
    made = load_text(text, path)
    changes = [c for c in difference(strategy, made) if not c.path.startswith("cohorts")]
    new = made.cohorts[-1] if made.cohorts else None
    if changes or not isinstance(new, Cohort) or new.name != name:
        raise BadInput(
            "strategy.py is not changed: with the cohort it would be another strategy.",
            fix="add the cohort by hand.",
        )
    return text, {
        "name": name,
        "line": line_of(name, where),
        "hash": made.hash,
        **_counted(world, made, new),
    }


def _counted(world: World, strategy: Strategy, cohort: Cohort) -> Json:
    """Ask the cohort of the records of the last 30 days; an unknown column shows here."""
    past = Past.of(world, strategy)
    rows = past.view.records(since=past.since("30d"), until=past.until)
    inside = cohort(rows)
    found = past.view.arrow(rows.aggregate(records=rows.count(), inside=inside.sum()))
    counts = found.to_pylist()[0]
    return {"records": counts["records"], "inside": counts["inside"] or 0}
