"""The registry: every strategy that was ever live, when it took over, and what it decided."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from tidemill.core.errors import BadInput, NotFound, unknown
from tidemill.core.machines import CURATION, RELEASE
from tidemill.core.ports import JournalRow, Json, World
from tidemill.strategy.realised import performed, turned_out, yardsticks
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.turn import moment_of

BOOK = "strategies"
"""The ledger with a row for each time that another strategy took over."""

OUTCOMES = ("triggered", "live", "refused", "failed", "inconclusive", "expired", "rolled_back")
"""The steps of releases that are counted for each stretch of a strategy."""


def remember(
    world: World, strategy: Strategy, source: bytes, *, author: Callable[[], str] | None = None
) -> bool:
    """Write down that a strategy takes over, with its text; nothing when it is live already.

    The row's key is its place in the ledger, so a change that is written down again after a
    crash, or by two processes at once, is there once. It needs the lease: whoever cannot turn
    takes nothing over.

    Parameters
    ----------
    source
        The text of the strategy file.
    author
        Says who wrote it; asked only when there is something to write down.

    Returns
    -------
    bool
        Whether it took over just now.
    """
    content = strategy.hash
    if _newest(world) == content:
        return False
    with world.state.lease("remember"):
        if _newest(world) == content:
            return False  # another process was faster
        rows, journal = world.state.rows(BOOK), world.state.journal()
        row: Json = {
            "hash": content,
            "name": strategy.name,
            "comment": strategy.comment,
            "author": None if author is None else author(),
            "source": world.blobs.put("strategies", source),
            "first_seen": moment_of(world).isoformat(),
            "after": journal[-1].seq if journal else 0,
        }
        return world.state.add_row(BOOK, f"{len(rows)}", row)


def _newest(world: World) -> str | None:
    rows = world.state.rows(BOOK)
    return rows[-1]["hash"] if rows else None


def last(world: World) -> str | None:
    """Return the content hash of the strategy that is live: the last one that took over."""
    stretches = _stretches(world)
    return stretches[-1]["hash"] if stretches else None


def find(world: World, wanted: str) -> Json:
    """Return the first row of a strategy by its hash or the beginning of it.

    Raises
    ------
    NotFound
        If none was ever live, or none begins like that.
    BadInput
        If several do.
    """
    rows: dict[str, Json] = {}
    for row in world.state.rows(BOOK):
        rows.setdefault(row["hash"], row)
    if not rows:
        raise NotFound("no strategy has run yet.", fix="run 'tidemill run' first.")
    fitting = [h for h in rows if wanted and h.startswith(wanted)]
    if not fitting:
        raise unknown("strategy", wanted, rows)
    if len(fitting) > 1:
        raise BadInput(
            f"strategy {wanted!r} may be any of {', '.join(sorted(fitting))}.",
            fix="give more of its digits.",
        )
    return rows[fitting[0]]


def text_of(world: World, row: Json) -> str:
    """Return the text of a strategy file as it was when the strategy took over.

    Raises
    ------
    NotFound
        If it was made in code, so that there is no text.
    """
    text = world.blobs.get("strategies", row["source"]).decode()
    if not text.strip():
        raise NotFound(
            f"strategy {row['hash']} was not read from a file, so its text is not known.",
            fix="compare with one that was; see 'tidemill strategy log'.",
        )
    return text


def log(world: World, strategy: Strategy | None = None) -> list[Json]:
    """Say of each stretch of time which strategy was live, and what was decided in it.

    Going back to an older strategy is a stretch of its own. What is counted is what happened
    while it was live, whoever had triggered it.

    Parameters
    ----------
    strategy
        What is measured by: all stretches by the same metric, the first of this strategy.

    Returns
    -------
    list of dict
        The oldest first: ``hash``, ``name``, ``author``, ``message``, ``first_seen`` (when this
        strategy was live for the first time), ``from``, ``to`` (None while it is live), each
        of :data:`OUTCOMES`, ``labels_chosen``, ``training_seconds``, and ``realised``: what
        users were answered then, measured on the labels final now (None without a strategy
        that measures anything).
    """
    first: dict[str, str] = {}
    stretches, journal = _stretches(world), world.state.journal()
    found = []
    for k, stretch in enumerate(stretches):
        after = stretches[k + 1] if k + 1 < len(stretches) else None
        until = None if after is None else after["after"]
        here = [
            r for r in journal if stretch["after"] < r.seq and (until is None or r.seq <= until)
        ]
        row = stretch["row"] or {}
        found.append(
            {
                "hash": stretch["hash"],
                "name": row.get("name"),
                "author": row.get("author"),
                "message": row.get("comment") or "",
                "first_seen": first.setdefault(stretch["hash"], stretch["at"]),
                "from": stretch["at"],
                "to": None if after is None else after["at"],
                **_decided(here),
                "realised": None,
            }
        )
    if strategy is not None and found:
        _realise(world, strategy, found)
    return found


def _realise(world: World, strategy: Strategy, found: list[Json]) -> None:
    metrics = yardsticks(strategy)
    if not metrics:
        return
    bounds = [datetime.fromisoformat(s["from"]) for s in found]
    rows = turned_out(world, strategy, since=min(bounds))
    for stretch, start, end in zip(found, bounds, [*bounds[1:], None], strict=True):
        stretch["realised"] = performed(metrics[0], rows, rows.between(start, end))


def _decided(rows: list[JournalRow]) -> Json:
    """Count what the steps of a stretch of the journal come to."""
    releases = [r for r in rows if r.kind == RELEASE]
    # Going back to an earlier release makes it live again, but is no success of a candidate.
    counted = [r.target for r in releases if r.target != "live" or r.source == "checking"]
    trained = [r for r in releases if r.target == "trained"]
    chosen = [r for r in rows if r.kind == CURATION and r.target == "chosen"]
    return {
        **{name: counted.count(name) for name in OUTCOMES},
        "labels_chosen": sum(r.payload["chosen"] for r in chosen),
        "training_seconds": round(sum(r.payload.get("seconds", 0.0) for r in trained), 2),
    }


def _stretches(world: World) -> list[Json]:
    """Join ledger and journal to stretches: ``hash``, ``row``, ``at``, and ``after`` which step.

    The ledger says when a strategy took over, the journal who decided: a process that still
    runs an older strategy, or a state from before the ledger told changes, shows there.
    """
    rows = world.state.rows(BOOK)
    known: dict[str, Json] = {}
    for row in rows:
        known[row["hash"]] = row
    found: list[Json] = []
    for seq, _, at, content, row in sorted(_events(world, rows), key=lambda e: e[:2]):
        if not found or found[-1]["hash"] != content:
            told = row or known.get(content)
            found.append({"hash": content, "row": told, "at": at, "after": seq})
    return found


def _events(world: World, rows: list[Json]) -> Iterator[tuple[int, int, str, str, Json | None]]:
    """Yield who was live from where: before a step of the journal, at that step."""
    journal = [r for r in world.state.journal() if r.strategy]
    decided = {r.strategy for r in journal}
    for k, row in enumerate(rows):
        if "after" in row:
            yield row["after"], k, row["first_seen"], row["hash"], row
        elif row["hash"] not in decided:  # of before the ledger told changes
            at = datetime.fromisoformat(row["first_seen"])
            before = max((r.seq for r in journal if r.at <= at), default=0)
            yield before, k, row["first_seen"], row["hash"], row
    for r in journal:
        # A step stands after what the ledger says of the moment before it.
        yield r.seq - 1, len(rows), r.at.isoformat(), r.strategy, None
