"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import fnmatch
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "tidemill"
MODULES = sorted(PACKAGE.rglob("*.py"))
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}
DEEPEST = 3  # folders below tidemill/

# Split, so that this file does not name what it forbids.
_OUR_PLACES = [
    "/wor" + "k/",
    "/tmp/scr" + "atch",
    "/ro" + "ot/",
    "/opt/py" + "pi",
    "/opt/whe" + "els",
]
_REGISTRIES = [
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "--index" + "-url http",
    "--find" + "-links /",
]
FOREIGN = _OUR_PLACES + _REGISTRIES

VENDORS_ANYWHERE = {"ibis", "numpy", "pyarrow", "scipy", "tidemill"}
VENDORS_BY_FLOOR = {
    "statistics": {"numpy", "scipy", "tidemill"},
    "testing": VENDORS_ANYWHERE | {"hypothesis", "pytest"},
}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _floor(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _committed() -> list[Path]:
    """Every file that is, or is about to be, in the repository."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_names_say_what_they_hold() -> None:
    parts = {
        (word, _name(path))
        for path in _committed()
        for part in path.relative_to(ROOT).parts
        for word in re.split(r"[^a-z]+", part.lower())
    }
    assert [where for word, where in sorted(parts) if word in VAGUE] == []


def test_folders_are_shallow() -> None:
    inside = {module: module.relative_to(PACKAGE).parent.parts for module in MODULES}
    # Alembic keeps its revisions one folder further down.
    ours = {module: parts for module, parts in inside.items() if "migrations" not in parts}
    deep = [_name(module) for module, parts in ours.items() if len(parts) > DEEPEST]
    assert deep == []


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_a_module_opens_with_a_sentence(module: Path) -> None:
    if module.name.startswith("_") and module.name != "__init__.py":
        return
    first = (ast.get_docstring(_tree(module)) or "").split("\n\n")[0].strip()
    assert re.search(r"[.!?:]$", first), f"{_name(module)} opens with {first!r}"


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_vendors_stay_in_adapters_and_faces(module: Path) -> None:
    if _floor(module) in {"adapters", "faces"}:
        return
    nodes = list(ast.walk(_tree(module)))
    imported = {
        alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {
        n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module and not n.level
    }
    vendors = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names
    assert vendors <= VENDORS_BY_FLOOR.get(_floor(module), VENDORS_ANYWHERE)


def test_examples_are_never_skipped() -> None:
    assert [_name(m) for m in MODULES if "doctest: +SKIP" in m.read_text(encoding="utf-8")] == []


def _loaded(code: str, names: str) -> list[str]:
    """Run code in a fresh interpreter and say which of the names it loaded."""
    tail = f"\nimport sys\nprint('LOADED', *(set({names.split()!r}) & sys.modules.keys()))"
    run = subprocess.run(
        [sys.executable, "-c", code + tail], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return sorted(run.stdout.rpartition("LOADED")[2].split())


def test_importing_tidemill_is_light() -> None:
    heavy = "alembic altair cyclopts deltalake duckdb ibis pandas pyarrow sklearn sqlalchemy"
    assert _loaded("import tidemill", heavy) == []


def test_help_is_light() -> None:
    ask = """
import sys
from tidemill.faces.cli import main
sys.argv = ["tidemill", "--help"]
try:
    code = main()
except SystemExit as stop:
    code = stop.code
assert not code, code
"""
    assert _loaded(ask, "duckdb ibis pandas pyarrow sklearn") == []


def test_files_name_no_registry_and_no_machine() -> None:
    found = []
    for path in _committed():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{_name(path)}: {word}" for word in FOREIGN if word in text]
    assert found == []


def test_each_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = [line for group in groups for line in group]
    names = {re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower() for line in wanted}
    told = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").lower()
    missing = {n for n in names if not re.search(rf"(?<![\w-]){re.escape(n)}(?![\w-])", told)}
    assert missing == set()


def test_each_file_of_the_strategy_has_its_place_in_the_architecture() -> None:
    told = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = {word.rpartition("/")[2] for word in re.findall(r"`(?:[\w/]*/)?[\w*]+\.py\b", told)}
    named = {word.strip("`") for word in named}
    files = [m for m in MODULES if _floor(m) == "strategy" and m.name != "__init__.py"]
    lost = [_name(m) for m in files if not any(fnmatch.fnmatch(m.name, n) for n in named)]
    assert lost == []


def test_a_changelog_fragment_exists_and_is_named_right() -> None:
    named = re.compile(r"\d+\.(feature|fix|change|removal|docs)\.md")
    fragments = [p.name for p in (ROOT / "changelog.d").iterdir() if p.name != "README.md"]
    assert fragments
    assert [name for name in fragments if not named.fullmatch(name)] == []
