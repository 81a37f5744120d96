"""docs/commands.md is what the commands say of themselves."""

from __future__ import annotations

from pathlib import Path

from tidemill.faces.cli.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def test_the_page_is_what_the_commands_say():
    command = "python -m tidemill.faces.cli.reference > docs/commands.md"
    assert PAGE.read_text(encoding="utf-8") == reference(), f"write it again: {command}"


def test_every_option_is_explained():
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 100
    assert [row for row in rows if row.endswith("|  |")] == []
