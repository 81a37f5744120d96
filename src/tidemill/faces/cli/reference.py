"""The reference page of the command line: every command with all its options, as its help says.

``python -m tidemill.faces.cli.reference`` prints the page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from cyclopts import App

from tidemill.faces.cli.app import build
from tidemill.faces.cli.options import EVERY

_HEAD = """\
# Every command

<!-- Generated: python -m tidemill.faces.cli.reference > docs/commands.md -->

What `tidemill COMMAND --help` says, on one page. Exit codes, files and the keys of `--json` are in [cli.md](cli.md);
every command also takes the [options of every command](#options-of-every-command).
"""


def reference() -> str:
    """Return the reference page, in Markdown."""
    commands = [(words, app, list(_arguments(app))) for words, app in _commands(build())]
    count = Counter((_group(a), a.names) for _, _, found in commands for a in found)
    shared: dict[str, dict[tuple[str, ...], Any]] = {}
    lines = [_HEAD]
    for words, app, found in commands:
        named = [a.names[0] for a in found if not _is_option(a)]
        lines += [f"## tidemill {' '.join([*words, *named])}", "", _first(app.help), ""]
        own: list[Any] = []
        others: list[str] = []
        for a in found:
            group = _group(a)
            if not group or count[group, a.names] == 1:
                own.append(a)
                continue
            # Options that several commands take are described once, below the commands.
            shared.setdefault(group, {})[a.names] = a
            if group != EVERY.name:
                others.append(_link(group))
        lines += _table(own)
        if others:
            lines += [f"Also {', '.join(dict.fromkeys(others))}.", ""]
    for name, found in sorted(shared.items(), key=lambda one: one[0] == EVERY.name):
        lines += [f"## {name}", "", *_table(list(found.values()))]
    return "\n".join(lines).rstrip("\n") + "\n"


def _commands(app: App, words: Sequence[str] = ()) -> Iterator[tuple[list[str], App]]:
    for name in app:
        if name.startswith("-"):
            continue
        one: App = app[name]
        inner = [n for n in one if not n.startswith("-")]
        if inner:
            yield from _commands(one, [*words, name])
        if not inner or one.default_command is not None:
            yield [*words, name], one


def _arguments(app: App) -> Iterator[Any]:
    for argument in app.assemble_argument_collection(parse_docstring=True):
        if argument.names != ("*",):  # stands for the options of a class, which follow
            yield argument


def _is_option(argument: Any) -> bool:
    return argument.names[0].startswith("-")


def _group(argument: Any) -> str:
    """Name the group of an option that has one of its own; empty for the options of one command."""
    names = [group.name for group in argument.parameter.group]
    return "" if names[0] in {"Parameters", "Arguments"} else names[0]


def _first(text: str) -> str:
    return " ".join(text.strip().split("\n\n")[0].split())


def _link(name: str) -> str:
    return f"[{name[0].lower()}{name[1:]}](#{name.lower().replace(' ', '-')})"


def _table(arguments: Sequence[Any]) -> list[str]:
    if not arguments:
        return []
    rows = [f"| {_name(a)} | {_usual(a)} | {_meaning(a)} |" for a in arguments]
    return ["| option | usually | meaning |", "|---|---|---|", *rows, ""]


def _name(argument: Any) -> str:
    return " ".join(f"`{name}`" for name in argument.names)


def _usual(argument: Any) -> str:
    usual = argument.field_info.default
    if not argument.show_default or usual in (None, "", ()) or isinstance(usual, bool):
        return ""
    return f"`{usual}`"


def _meaning(argument: Any) -> str:
    return " ".join((argument.parameter.help or "").split()).replace("|", "\\|").replace("``", "`")


if __name__ == "__main__":
    print(reference(), end="")
