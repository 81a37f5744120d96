"""Messages say what a person needs, and data cannot write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tidemill.core.channels import Message
from tidemill.monitoring.messages import Commands, message
from tidemill.monitoring.summaries import digest, weekly

AT = datetime(2013, 2, 10, 8, tzinfo=UTC)
SIGNAL = {
    "kind": "drift",
    "metric": "drift",
    "column": "humid",
    "cohort": "JFK",
    "model": "v3",
    "value": 0.31,
    "low": None,
    "high": 0.12,
    "p": 2e-7,
    "n": 12_345,
    "why": "humid is up by 0.31 sd: 61 to 78",
}
INCIDENT = {
    "id": "i7",
    "opened": "2013-02-09T02:00:00+00:00",
    "onset": "2013-02-08T00:00:00+00:00",
    "closed": None,
    "signals": [SIGNAL, {**SIGNAL, "kind": "performance", "metric": "auc", "column": ""}],
    "rows": [{"record_id": f"r{k}"} for k in range(9)],
    "events": [{"at": "2013-02-07T12:00:00+00:00", "what": "r3 live: gates passed"}],
    "next": "look at the weather feed",
}


def test_it_says_what_since_when_for_whom_how_sure_which_rows_what_else_and_what_to_do() -> None:
    found = message(INCIDENT, at=AT, commands=Commands(page=lambda name: f"http://h/i/{name}"))
    for part in (
        "auc for `JFK` with model `v3`: humid is up",  # the most valuable kind first
        "drift of `humid`",
        "**Since** Fri 2013-02-08 (2d8h); noticed Sat 2013-02-09 02:00 UTC",
        "p = 2e-07, 12,345 rows; 0.31, expected at most 0.12",
        "`r0`, `r1`, `r2`, `r3`, `r4` and 4 more: `tidemill rows --incident i7`",
        "Thu 2013-02-07 12:00 UTC: r3 live: gates passed",
        "look at the weather feed. `tidemill alerts show i7`",
    ):
        assert part in found.body
    assert found.title.startswith("ALERT: auc for JFK with model v3")
    assert (found.severity, found.incident, found.url) == ("alert", "i7", "http://h/i/i7")


def test_it_fits_a_phone_whatever_the_incident_holds() -> None:
    many = {**SIGNAL, "why": "w " * 5000, "column": "c" * 5000, "cohort": "d" * 5000}
    big = {
        **INCIDENT,
        "signals": [many] * 500,
        "rows": ["r" * 900] * 500,
        "events": [{"at": "x", "what": "e " * 900}] * 500,
        "next": "n " * 900,
    }
    found = message(big, at=AT)
    assert len(found.title) <= 110
    assert len(found.body) < 2_600
    assert "- and 496 more signals" in found.body


def test_each_event_reads_as_what_it_is() -> None:
    over = message({**INCIDENT, "closed": AT.isoformat()}, at=AT, event="over")
    assert over.title == "Over: auc for JFK with model v3"
    assert over.severity == "over"
    assert "over since Sun 2013-02-10 08:00 UTC" in over.body
    assert "weather feed" not in over.body
    assert message(INCIDENT, at=AT, event="again").title.startswith("Still ALERT: auc")
    warned = message({**INCIDENT, "verdict": "WARN"}, at=AT)
    assert (warned.title[:5], warned.severity) == ("WARN:", "warning")


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "[click](http://evil)",
    "`rm -rf`",
    "a\r\nBcc: all\x1b[31m\u202e",
    "<!channel>",
    "\ud800half",
]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_data_cannot_write_the_message(text: str) -> None:
    signal = dict.fromkeys(("kind", "metric", "column", "cohort", "model", "why"), text)
    found = message(
        {
            "id": text,
            "signals": [signal],
            "rows": [text],
            "events": [{"at": text, "what": text}],
            "next": text,
            "verdict": text,
            "opened": text,
        },
        at=AT,
    )
    lines = found.body.splitlines()
    assert all(one.startswith(("**", "- ")) for one in lines)
    for one in lines:
        outside = "".join(one.split("`")[::2])
        assert one.count("`") % 2 == 0
        assert "](" not in outside
        assert "://" not in outside
        assert "<!" not in outside
        assert "<img" not in outside
    # What a person may paste into a shell is ours alone.
    assert re.search(r"`tidemill alerts show [\w.:-]+`$", lines[-1])


ODD: list[Any] = [
    {},
    {"signals": "x", "rows": 3, "events": [1, None], "opened": 7, "id": 0},
    {"signals": [], "id": "x" * 500},
    {"signals": [None], "rows": [None, {}, {"record_id": None}]},
    {"signals": [{"p": float("nan"), "n": "many", "value": float("inf"), "low": True}]},
    {"opened": "9999-12-31T23:59:59+00:00", "onset": "0001-01-01T00:00:00-14:00", "closed": "?"},
]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("event", ["opened", "again", "worse", "over"])
def test_a_document_that_holds_nonsense_is_told_all_the_same(odd: Any, event: str) -> None:
    found = message(odd, at=AT, event=event)
    assert isinstance(found, Message)
    assert "nan" not in found.body + found.title
    assert found.incident in found.key


def test_many_incidents_make_one_message() -> None:
    many = [({**INCIDENT, "id": f"i{k}", "verdict": "WARN"}, "opened") for k in range(12)]
    found = digest([*many, (INCIDENT, "over")], key="k", commands=Commands())
    assert found.title == "13 more incidents changed"
    assert found.severity == "warning"
    assert "- `i0` new: auc for `JFK`" in found.body
    assert "- and 3 more" in found.body


def test_the_line_of_the_week_says_unknown_rather_than_nothing() -> None:
    found = weekly({"why": "too few labels\nyet", "incidents": [INCIDENT]}, at=AT)
    assert found.title == ("Retrain or not: unknown; expected worth unknown; next look unknown")
    assert found.body.splitlines() == [
        "too few labels yet",
        "- `i7` auc for `JFK` with model `v3`, since Fri 2013-02-08 (2d8h)",
        "**Do** `tidemill alerts list`",
    ]
    assert weekly({"answer": "RETRAIN!"}, at=AT).title.startswith("Retrain or not: unknown")
    keys = {weekly({}, at=AT + timedelta(days=d)).key for d in range(-6, 2)}
    assert keys == {"weekly:2013-W06", "weekly:2013-W07"}
