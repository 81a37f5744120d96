"""The page of a comparison: one file, small, no network, nothing in it that could run."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tidemill.faces.comparing import drift
from tidemill.faces.report.drift_page import page
from tidemill.faces.report.drift_terminal import text

pytest.importorskip("altair", reason="altair is not installed")

EVIL = "</script><script>alert(1)</script>"


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    sides = [
        {
            **{f"x{k}": rng.normal(size=300) + (k == 3) * s for k in range(6)},
            "few": rng.poisson(1.0, 300),
            EVIL: rng.choice([EVIL, "<img src=x>", "ä"], 300),
            "nothing": [None] * 300,
        }
        for s in (0, 2)
    ]
    return drift(*sides).to_dict()


def test_it_is_small_with_500_columns(made):
    columns = [
        {**made["columns"][k % 8], "column": f"column {k}"}
        | ({"distribution": None} if k >= 40 else {})
        for k in range(500)
    ]
    content = page({**made, "columns": columns})
    scripts = sum(map(len, re.findall(r"<script>.*?</script>", content, flags=re.DOTALL)))
    assert len(content) - scripts < 1_000_000
    assert len(re.findall(r'id="chart-c\d+"', content)) == 40
    assert content.count("<tr>") == 501  # every column is in the table


def test_the_document_tells_the_distributions_of_the_first_40_columns():
    rows = {f"x{k}": [float(k), k + 1.0] for k in range(60)}
    columns = drift(rows, rows).to_dict()["columns"]
    assert [c["distribution"] is not None for c in columns] == [True] * 40 + [False] * 20


def test_its_specifications_are_valid(made):
    import altair as alt

    specs = json.loads(
        re.search(r'id="charts">(.*?)</script>', page(made))[1].encode().decode("unicode_escape")
    )
    assert len(specs) == 8
    for spec in specs.values():
        alt.Chart.from_dict(spec)


def test_names_cannot_leave_their_place(made):
    content = page(made)
    assert EVIL not in content
    assert "<img" not in content
    assert "default-src &#x27;none&#x27;" in content
    assert EVIL in text(made, width=200)  # the terminal shows what there is


def test_the_terminal_fits_80_columns(made):
    assert max(map(len, text(made, width=80).splitlines())) <= 80
    assert text(made).splitlines()[-1].startswith("Evidence") or "evidence" in text(made)


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_it_is_drawn_quietly_for_everyone(made, browser, tmp_path, width, scheme):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe is not installed"
    )
    file = tmp_path / "drift.html"
    file.write_text(page(made), encoding="utf-8")
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    seen, said, asked = context.new_page(), [], []
    seen.on("console", lambda message: said.append(message.text))
    seen.on("pageerror", lambda error: said.append(str(error)))
    seen.on("request", lambda request: asked.append(request.url))
    seen.goto(file.as_uri())
    seen.wait_for_selector("html[data-drawn=yes]", state="attached", timeout=20_000)
    assert said == []
    assert asked == [file.as_uri()]
    assert seen.evaluate("document.documentElement.scrollWidth") == width
    assert seen.locator(".column svg").count() == 8
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"]}
    found = axe.Axe().run(seen, options=rules).response
    assert [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]] == []
    context.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None or not Path(path).exists():
        pytest.skip("chromium is not installed")
    with sync_api.sync_playwright() as play:
        found = play.chromium.launch(
            executable_path=path,
            args=["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield found
        found.close()
