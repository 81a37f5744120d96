"""``[sources]`` of project.toml: which tables of a project stay where they are.

``[sources.records]`` holds the words of :class:`~tidemill.project.sources.Table`,
``[sources.labels]`` those of :class:`~tidemill.project.sources.Outcomes`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from datetime import date, datetime
from pathlib import Path
from typing import Any

from tidemill.core.clock import instant
from tidemill.core.errors import BadInput, unknown
from tidemill.core.ports import EventStore
from tidemill.core.records import SOURCE_KINDS
from tidemill.project.places import expanded, without_secret
from tidemill.project.sources import Outcomes, Table

_PARTS: dict[str, type[Table | Outcomes]] = {"records": Table, "labels": Outcomes}
_TEXTS, _PAIRS = ("tags", "features"), ("known",)
_FILES = ("duckdb://", "sqlite://")


def read_sources(config: dict[str, Any], where: Path) -> dict[str, Any]:
    """Read ``[sources]``, with the values of environment variables put into addresses.

    Raises
    ------
    BadInput
        If a key is unknown, or a value of the wrong kind.

    Examples
    --------
    >>> said = {"sources": {"records": {"url": "rows.parquet", "score": "p"}}}
    >>> read_sources(said, Path("project.toml"))["sources"]["records"].score
    'p'
    """
    said = config.get("sources", {})
    if not isinstance(said, dict):
        raise BadInput(f"{where}: [sources] cannot be read.", fix="write [sources.records].")
    found = {str(part): _read(str(part), values, where) for part, values in said.items()}
    if "labels" in found and "records" not in found:
        raise BadInput(
            f"{where}: [sources.labels] stands without [sources.records].",
            fix="say where the records are, or import the labels.",
        )
    return {"sources": found}


def _read(part: str, values: Any, where: Path) -> Table | Outcomes:
    if part not in _PARTS:
        raise unknown("part of [sources]", part, _PARTS)
    here = f"{where}: [sources.{part}]"
    if not isinstance(values, dict) or "url" not in values:
        raise BadInput(f"{here} says not where the table is.", fix='write url = "..." below it.')
    known = [f.name for f in fields(_PARTS[part])]
    for name in values:
        if name not in known:
            error = unknown("key", str(name), known)
            raise BadInput(f"{here}: {error.what}", fix=error.fix)
    given = {name: _value(name, value, here) for name, value in values.items()}
    given["url"] = expanded(given["url"], f"{here} url")
    if given.get("kind", SOURCE_KINDS[0]) not in SOURCE_KINDS:
        raise unknown("kind of label", given["kind"], SOURCE_KINDS)
    return _PARTS[part](**given)


def _value(name: str, value: Any, here: str) -> Any:
    if name == "since":
        value = value.isoformat() if isinstance(value, date | datetime) else value
        return instant(value) and value
    if name in _TEXTS:
        fits, what = _are_texts(value), 'a list such as ["price", "age"]'
    elif name in _PAIRS:
        fits = isinstance(value, dict) and _are_texts(list(value.values()))
        what = "a table such as {price = 'price_known_at'}"
    elif name == "scan_cap":
        fits, what = isinstance(value, int) and value >= 1, "a number of rows, 1 or more"
    else:
        fits, what = isinstance(value, str) and bool(value), "a text"
    if not fits:
        raise BadInput(f"{here} {name} is {value!r}.", fix=f"write {what}.")
    return tuple(value) if isinstance(value, list) else value


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(v, str) for v in values)


def in_place(
    own: EventStore,
    said: dict[str, Any],
    folder: Path,
    *,
    salt: str,
    show: Callable[[str], object] | None = None,
) -> EventStore:
    """Return the tables of a project, some of them the user's; ``own`` where none is."""
    records, labels = said.get("records"), said.get("labels")
    if records is None:
        return own
    from tidemill.adapters.sources.asked import Asked
    from tidemill.strategy.in_place import InPlace
    from tidemill.strategy.mapped import LabelsIn, Mapped, RecordsIn

    def asked(table: Table | Outcomes) -> Asked:
        # Of text files that hold both, both read the same columns as text.
        every = [t for t in (records, labels) if t is not None and t.url == table.url]
        texts = {
            n for t in every for n in (t.id, getattr(t, "model", None), getattr(t, "unit", None))
        }
        return Asked(
            address=placed(table.url, folder),
            most=table.scan_cap,
            texts=tuple(sorted(t for t in texts if t is not None)),
            show=show,
        )

    mine = asked(records)
    leave: set[str | None] = set()
    if labels is not None and labels.url == records.url:
        leave = {labels.value, labels.happened_at, labels.available_at, labels.cost}
    mapped = RecordsIn(
        source=mine,
        columns=records.columns,
        since=None if records.since is None else instant(records.since),
        leave=tuple(sorted(n for n in leave if n and n not in records.columns.named())),
        called=mine.short,
    )
    outcomes = None
    if labels is not None:
        there = asked(labels)
        outcomes = LabelsIn(
            source=there, columns=labels.columns, kind=labels.kind, called=there.short
        )
    return InPlace(own, Mapped(records=mapped, labels=outcomes, salt=salt))


def placed(url: str, folder: Path) -> str:
    """Take the path of a file from the folder of the project on.

    Examples
    --------
    >>> placed("duckdb://shop.db?table=rows", Path("/mine")), placed("s3://logs", Path("/mine"))
    ('duckdb:///mine/shop.db?table=rows', 's3://logs')
    """
    scheme = next((s for s in _FILES if url.lower().startswith(s)), "")
    if "://" in url and not scheme:
        return url
    return scheme + str(folder / Path(url[len(scheme) :]).expanduser())


def written_sources(records: Table | None, labels: Outcomes | None) -> str:
    """Write the two sections for a new project; what is as usual is left out.

    Raises
    ------
    BadValue
        If a password would be written down.

    Examples
    --------
    >>> print(written_sources(Table("rows.parquet", score="p"), None), end="")
    <BLANKLINE>
    [sources.records]
    url = "rows.parquet"
    score = "p"
    """
    text = ""
    for part, table in (("records", records), ("labels", labels)):
        if table is None:
            continue
        without_secret(f"sources.{part}", table.url)
        text += f"\n[sources.{part}]\n"
        usual = type(table)("")
        for one in sorted(fields(table), key=lambda f: f.name != "url"):
            value = getattr(table, one.name)
            if value != getattr(usual, one.name):
                text += f"{one.name} = {_toml(value)}\n"
    return text


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in value.items()) + "}"
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
