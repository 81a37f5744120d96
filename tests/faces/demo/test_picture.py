"""The demo's picture: both files, all the words, and no surprise at missing values."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

pytest.importorskip("altair", reason="altair is not installed")
pytest.importorskip("vl_convert", reason="vl-convert-python is not installed")

from tidemill.core.errors import BadInput
from tidemill.faces.demo.picture import WeekRow, _pieces, draw

START = datetime(2013, 1, 15, tzinfo=UTC)


def week(number: int, loop: float = 0.7, first: float = 0.6) -> WeekRow:
    return WeekRow(
        start=START + timedelta(days=7 * number),
        loop=loop,
        loop_low=loop - 0.03,
        loop_high=loop + 0.03,
        first=first,
        first_low=first - 0.03,
        first_high=first + 0.03,
        retrained=number % 3 == 0,
        champion=f"v{number}",
    )


def save(weeks: list[WeekRow], stem: Path) -> str:
    files = draw(weeks, stem, title="Late flights", conclusion="The loop was worth it.")
    assert [file.name for file in files] == [f"{stem.name}.svg", f"{stem.name}.png"]
    assert files[1].read_bytes().startswith(b"\x89PNG")
    assert files[1].stat().st_size > 10_000
    return files[0].read_text(encoding="utf-8")


def test_both_files_are_made_and_have_the_words(tmp_path: Path) -> None:
    svg = save([week(n, 0.7 - 0.01 * n) for n in range(10)], tmp_path / "new" / "week.1")
    for words in (
        "Late flights",
        "The loop was worth it.",
        "the loop",
        "first model,",
        "never retrained",
        "AUC in the week",
        "week beginning, 2013",
        "4 new champions",
        "v3 went live on 2013-02-05",
    ):
        assert words in svg, words
    assert "NaN" not in svg


def test_missing_values_leave_gaps(tmp_path: Path) -> None:
    nan = math.nan
    weeks = [week(n) for n in range(8)]
    weeks[2] = replace(weeks[2], loop_low=nan, loop_high=nan)
    weeks[4] = replace(weeks[4], first=nan, first_low=nan, first_high=nan)
    weeks[5] = replace(weeks[5], loop=nan)
    assert "NaN" not in save(weeks, tmp_path / "gaps")


@pytest.mark.parametrize("weeks", [[week(0)], [week(1), week(0)], [week(n, 0.6) for n in (1, 2)]])
def test_few_weeks_any_order_and_equal_values(weeks: list[WeekRow], tmp_path: Path) -> None:
    assert "NaN" not in save(weeks, tmp_path / "few")


def test_nothing_to_draw_is_refused(tmp_path: Path) -> None:
    nan = math.nan
    empty = replace(week(0), loop=nan, loop_low=nan, loop_high=nan)
    empty = replace(empty, first=nan, first_low=nan, first_high=nan)
    for weeks in ([], [empty]):
        with pytest.raises(BadInput, match="no week to draw has a value"):
            draw(weeks, tmp_path / "none", title="t", conclusion="c")


def test_the_space_between_is_cut_where_the_lines_cross() -> None:
    pieces = list(_pieces([week(0, 0.7, 0.6), week(1, 0.6, 0.7), week(2, math.nan), week(3)]))
    assert [len(piece) for piece in pieces] == [2, 2, 1]
    at, loop, first = pieces[0][-1]
    assert at == START + timedelta(days=3.5)
    assert loop == first == pytest.approx(0.65)
