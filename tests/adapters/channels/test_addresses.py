"""Channels by an address."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidemill.adapters.channels import channel, messages
from tidemill.core.channels import Message
from tidemill.core.errors import BadValue, NotFound


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("console", "Console()"),
        ("webhook:http://localhost:1/s3cret", "Webhook('http://localhost:1/...')"),
        ("json://localhost/s3cret", "Apprise('json://...')"),
        ("env:MINE", "Apprise('slack://...')"),
    ],
)
def test_each_address_leads_to_its_channel(address: str, shown: str, tmp_path: Path) -> None:
    variables = {"MINE": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general"}
    assert repr(channel(address, folder=tmp_path, environment=variables)) == shown


def test_a_file_lies_in_the_folder(tmp_path: Path) -> None:
    channel("file:sub/alerts.jsonl", folder=tmp_path).send(Message(key="k", title="t"))
    assert [m.key for m in messages(tmp_path / "sub" / "alerts.jsonl")] == ["k"]


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("hunter2", BadValue),
        ("", BadValue),
        ("file:", BadValue),
        ("file://hunter2", BadValue),
        ("webhook:ftp://hunter2", BadValue),
        ("env:NONE", NotFound),
        ("env:", NotFound),
        ("env:LOOP", NotFound),
    ],
)
def test_what_is_no_address_is_refused_untold(
    address: str, error: type[Exception], tmp_path: Path
) -> None:
    with pytest.raises(error, match="Fix:") as caught:
        channel(address, folder=tmp_path, environment={"LOOP": "env:LOOP"})
    assert "hunter2" not in str(caught.value)
