"""The page in a real browser, on a phone and on a desk, in light and in dark."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tidemill.faces.report.page import page

pytest.importorskip("altair", reason="altair is not installed")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")

ARGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DRAWN = "html[data-drawn=yes]"
AREAS = "#chart-performance .mark-area path"
CHARTS = ("performance", "lanes", "labels", "compute", "front")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed")
    with sync_api.sync_playwright() as play:
        found = play.chromium.launch(executable_path=path, args=list(ARGS))
        yield found
        found.close()


@pytest.fixture(scope="module")
def files(made: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    documents = {
        "rich": made.example(),
        "short": made.example(steps=7),
        "hostile": made.hostile(),
        "one-step": made.example(steps=1, costs=False, nulls=False),
        "empty": made.example(empty=True),
    }
    for name, document in documents.items():
        (folder / f"{name}.html").write_text(page(document), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in documents}


class Seen:
    """An opened page, and all it said and asked for."""

    def __init__(self, browser: Any, file: Path, width: int, *, scheme: str = "light") -> None:
        size = {"width": width, "height": 900}
        self.context = browser.new_context(viewport=size, color_scheme=scheme)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(f"dialog {dialog.message}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri())
        self.page.wait_for_selector(DRAWN, state="attached", timeout=15_000)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


@pytest.mark.parametrize(
    ("name", "width"),
    [("rich", 390), ("rich", 1280), ("hostile", 390), ("one-step", 390), ("empty", 1280)],
)
def test_it_is_drawn_quietly_and_fits(
    browser: Any, files: dict[str, Path], name: str, width: int
) -> None:
    with Seen(browser, files[name], width) as seen:
        assert seen.said == []  # no error, no warning, nothing its policy had to stop
        assert seen.asked == [files[name].as_uri()]
        assert seen.page.evaluate("document.documentElement.scrollWidth") == width
        for chart in CHARTS:
            box = seen.page.locator(f"#chart-{chart} svg").bounding_box()
            assert box["width"] <= width
            assert box["width"] >= 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_use_it(browser: Any, files: dict[str, Path], scheme: str) -> None:
    kinds = ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"]
    with Seen(browser, files["short"], 390, scheme=scheme) as seen:
        for fold in seen.page.locator("summary").all()[:2]:  # one of each kind
            fold.click()
        # What dark mode changes is the colours; the rest is asked once.
        rules = kinds if scheme == "light" else ["color-contrast"]
        found = axe.Axe().run(seen.page, options={"runOnly": rules}).response
        assert [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]] == []
        assert "color-contrast" in [rule["id"] for rule in found["passes"]]
        assert len(found["passes"]) > 20 or scheme == "dark"
        words = seen.page.locator("#chart-performance .role-axis-label text").first
        colour = words.evaluate("text => getComputedStyle(text).fill")
        assert colour == {"light": "rgb(91, 100, 114)", "dark": "rgb(160, 169, 184)"}[scheme]


def test_the_controls_change_the_chart(browser: Any, files: dict[str, Path]) -> None:
    lines = "document.querySelectorAll('#chart-performance .mark-line path[d]').length"
    area = f"[...document.querySelectorAll('{AREAS}')].map(p => p.getAttribute('d')).join()"
    with Seen(browser, files["short"], 1280) as seen:
        at_first, shaded = seen.page.evaluate(lines), seen.page.evaluate(area)
        assert at_first >= 6
        assert "Z" in shaded
        assert "yours cost" in seen.page.inner_text("#opportunity")

        seen.page.get_by_role("checkbox", name="every step").focus()
        seen.page.keyboard.press("Space")  # by keyboard, as the box itself is not seen
        seen.page.wait_for_function(f"{lines} > {at_first}")

        more = seen.page.evaluate(lines)
        seen.page.get_by_role("checkbox", name="as known then").check()
        seen.page.wait_for_function(f"{lines} > {more}")

        seen.page.get_by_role("combobox", name="Shade").select_option("calendar")
        seen.page.wait_for_function(f"{area} !== {shaded!r}")
        assert "calendar cost" in seen.page.inner_text("#opportunity")
        assert seen.page.get_by_role("checkbox", name="calendar").is_checked()
        assert seen.said == []


def test_a_point_tells_what_it_is_in_words_only(browser: Any, files: dict[str, Path]) -> None:
    with Seen(browser, files["hostile"], 1280) as seen:
        points = seen.page.locator("#chart-performance .mark-symbol path")
        points.nth(points.count() - 1).hover(force=True)
        seen.page.wait_for_selector("#tip:not([hidden])")
        assert "as known then" in seen.page.inner_text("#tip")
        assert seen.page.locator("img").count() == 0
        assert seen.said == []


def test_its_policy_stops_what_is_not_its_own(
    browser: Any, files: dict[str, Path], tmp_path: Path
) -> None:
    html = files["empty"].read_text(encoding="utf-8")
    foreign = "<script>window.bad = 1</script><img src=x onerror='window.bad = 1'></body>"
    changed = tmp_path / "changed.html"
    changed.write_text(html.replace("</body>", foreign), encoding="utf-8")
    with Seen(browser, changed, 1280) as seen:
        assert seen.page.evaluate("window.bad") is None
        assert sum("Content Security Policy" in text for text in seen.said) >= 2
