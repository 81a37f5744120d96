"""The reference page of a backtest's JSON, and whether a document is as it says.

``python -m tidemill.faces.report.reference`` prints the page; with ``--json`` a JSON Schema.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence

from tidemill.core.ports import Json
from tidemill.faces.report.schema import DOCUMENT, SCHEMA

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


def problems(document: object, schema: Json = DOCUMENT, *, at: str = "") -> Iterator[str]:
    """Yield what is wrong with a document, by the parts of JSON Schema that are used here.

    Examples
    --------
    >>> model = {"yours": 1, "words": "mine", "more": 2}
    >>> list(problems(model, DOCUMENT["properties"]["model"]))
    ['yours: 1 is no boolean', 'more: is not in the schema']
    """
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    fits = tuple(one for kind in kinds for one in _TYPES[kind])
    if not isinstance(document, fits) or (isinstance(document, bool) and "boolean" not in kinds):
        yield f"{at}: {document!r} is no {' or '.join(kinds)}"
        return
    if "enum" in schema and document not in schema["enum"]:
        yield f"{at}: {document!r} is none of {', '.join(schema['enum'])}"
    if isinstance(document, list):
        for k, item in enumerate(document):
            yield from problems(item, schema["items"], at=f"{at}[{k}]")
    if isinstance(document, dict):
        keys = schema["properties"]
        yield from (f"{_under(at, key)}: is missing" for key in keys if key not in document)
        for key, value in document.items():
            if key in keys:
                yield from problems(value, keys[key], at=_under(at, key))
            else:
                yield f"{_under(at, key)}: is not in the schema"


def _under(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key


def reference() -> str:
    """Return the reference page, in Markdown."""
    lines = [
        "# A backtest as JSON",
        "",
        "<!-- Generated: python -m tidemill.faces.report.reference > docs/json.md -->",
        "",
        DOCUMENT["description"],
        f"Its `schema` is `{SCHEMA}`: the number changes with what could break a reader.",
        "",
        "Times are ISO 8601 in UTC; what is no finite number is null. `.` goes into an object, `[]`",
        "into each item of a list; there are no other keys. The same as JSON Schema:",
        "`python -m tidemill.faces.report.reference --json`. The keys of the other commands are in",
        "[cli.md](cli.md#json).",
    ]
    keys: Json = DOCUMENT["properties"]
    plain = [(name, one) for name, one in keys.items() if not _inner(one)]
    lines += _table([row for name, one in plain for row in _rows({name: one})])
    for name, one in keys.items():
        if _inner(one):
            meaning: str = one["description"]
            list_of = " A list." if one["type"] == "array" else ""
            lines += ["", f"## {name}", "", f"{meaning[0].upper()}{meaning[1:]}.{list_of}"]
            lines += _table(list(_rows(_inner(one))))
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    lines = ["", "| key | type | meaning |", "|---|---|---|"]
    return lines + [f"| `{key}` | {kind} | {meaning} |" for key, kind, meaning in rows]


def _inner(schema: Json) -> Json:
    """Return the keys of an object, or of the objects of a list."""
    found: Json = schema.get("items", schema).get("properties", {})
    return found


def _rows(keys: Json, at: str = "") -> Iterator[tuple[str, str, str]]:
    for name, one in keys.items():
        key = _under(at, name)
        yield key, _kind(one), one["description"]
        yield from _rows(_inner(one), f"{key}[]" if "items" in one else key)


def _kind(schema: Json) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    words = " or ".join("time" if k == "string" and "format" in schema else k for k in kinds)
    items = schema.get("items")
    return words if items is None or _inner(schema) else f"{words} of {_kind(items)}s"


if __name__ == "__main__":
    if "--json" in sys.argv[1:]:
        draft = {"$schema": "https://json-schema.org/draft/2020-12/schema", **DOCUMENT}
        print(json.dumps(draft, indent=1))
    else:
        print(reference(), end="")
