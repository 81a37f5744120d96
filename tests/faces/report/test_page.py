"""The page: whole, shut off from the network, and nothing of the user's gets out of its place."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("altair", reason="altair is not installed")

from tidemill.faces.report import page as module
from tidemill.faces.report.page import page

ASSETS = Path(module.__file__).parent / "assets"
VOID = {"meta", "input"}


class Read(HTMLParser):
    """What a browser would find: elements, their attributes, scripts and words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif self.open and self.open[-1] != "style":
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def html(made: ModuleType) -> str:
    return page(made.example())


def test_it_is_whole_and_the_conclusion_is_on_top(html: str) -> None:
    read = Read(html)
    assert read.open == []
    words = " ".join(read.words)
    order = [
        "Should you have retrained?",
        "monthly beats yours by 0.009 AUC",
        "This is not your model",
        "Performance over time",
        "What it came to",
        "bound, in sample",
        "In periods like these",
        "Effort against performance",
        "When each strategy retrained",
        "AUC 0.694 is below 0.700",
        "Can it be trusted?",
    ]
    places = [words.index(text, words.index("Skip to the conclusion")) for text in order]
    assert places == sorted(places)
    assert len(read.all("h1")) == 1
    ids = [a["id"] for _, a in read.found if "id" in a]
    assert len(ids) == len(set(ids))


def test_nothing_is_fetched_and_every_script_is_named_by_its_hash(html: str) -> None:
    read = Read(html)
    assert read.all("link") == []
    assert read.all("img") == []
    for _, attributes in read.found:
        assert not {"src", "srcset", "onclick", "onerror", "onload"} & set(attributes)
        assert not str(attributes.get("href", "#")).startswith(("http", "//"))
    style = html.split("<style>")[1].split("</style>", maxsplit=1)[0]
    assert "http" not in style
    assert "@import" not in style
    content = next(a["content"] for a in read.all("meta") if "http-equiv" in a)
    assert content is not None
    rules = dict(rule.strip().split(" ", 1) for rule in content.split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in rules["script-src"]
    allowed = rules["script-src"].split()
    kinds = [attributes.get("type") for attributes in read.all("script")]
    assert kinds.count("application/json") == 1
    run = [text for kind, text in zip(kinds, read.scripts, strict=True) if kind is None]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in run]
    assert [f"'sha256-{digest}'" for digest in digests] == allowed


def test_what_users_wrote_stays_words(made: ModuleType) -> None:
    backtest = made.hostile()
    html = page(backtest)
    read = Read(html)
    assert read.open == []
    assert read.all("img") == []
    assert html.count(made.HOSTILE) == 0
    assert read.words.count(made.HOSTILE) > 20
    specs = json.loads(read.scripts[0])
    assert made.HOSTILE in specs["performance"]["params"][0]["value"]


@pytest.mark.parametrize(
    "words", ['" onmouseover="alert(1)', "'><svg onload=alert(1)>", "{{7*7}}", "<!--<script>"]
)
def test_no_other_way_out_either(made: ModuleType, words: str) -> None:
    backtest = made.renamed(made.example(steps=6), "weekly", words)
    backtest["title"] = words
    read = Read(page(backtest))
    assert read.open == []
    assert all("onmouseover" not in a and "onload" not in a for _, a in read.found)
    assert words in read.words


@pytest.mark.parametrize("name", ["empty", "one-step", "no-strategies"])
def test_little_is_a_page_too(made: ModuleType, name: str) -> None:
    backtest = made.example(
        steps=1 if name == "one-step" else 4, costs=False, empty=name == "empty"
    )
    if name == "no-strategies":
        backtest.update(strategies=[], comparisons=[], hindsight=None, conclusion=[])
    read = Read(page(backtest))
    assert read.open == []
    words = " ".join(read.words)
    assert "nan" not in re.findall(r"[a-z]+", words.lower())
    assert "EUR" not in words.replace("EUR a year.", "")


def test_tables_say_what_their_cells_are(html: str) -> None:
    read = Read(html)
    assert all(cell.get("scope") in {"col", "row", "colgroup"} for cell in read.all("th"))
    assert all(table.get("aria-label") for table in read.all("table"))
    drawn = [a for a in read.all("div") if a.get("role") == "img"]
    assert len(drawn) == 5
    assert all(len(a["aria-label"] or "") > 40 for a in drawn)


def test_the_scripts_are_the_published_ones() -> None:
    licences = (ASSETS / "LICENSES.txt").read_text(encoding="utf-8")
    told = re.findall(r"^([0-9a-f]{64})  (\S+)", licences, re.MULTILINE)
    assert {name for _, name in told} | {"LICENSES.txt", "page.css", "page.js"} == {
        path.name for path in ASSETS.iterdir()
    }
    for digest, name in told:
        assert hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() == digest, name


def test_importing_the_page_does_not_import_altair() -> None:
    code = "import sys, tidemill.faces.report.page as p; assert 'altair' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
