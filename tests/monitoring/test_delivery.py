"""What is sent when: decisions over simulated days, with channels that fail."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tidemill.core.channels import Message, Undelivered
from tidemill.core.errors import BadValue, NotFound
from tidemill.monitoring.delivery import due
from tidemill.monitoring.routes import Route
from tidemill.monitoring.sending import deliver, ledger_key, standing
from tidemill.monitoring.silences import LONGEST, lifted, silence

AT = datetime(2013, 2, 8, 6, tzinfo=UTC)
HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)


def incident(name: str = "i7", **more: Any) -> dict[str, Any]:
    signal = {"kind": "performance", "metric": "auc", "column": "", "why": "it fell"}
    return {"id": name, "opened": AT.isoformat(), "closed": None, "signals": [signal], **more}


class Told:
    """A channel that keeps what it takes, as long as it is up."""

    def __init__(self) -> None:
        self.up, self.got, self.tried = True, [], 0
        self.error: Exception = Undelivered("down.", fix="wait.")

    def send(self, message: Message, /) -> None:
        self.tried += 1
        if not self.up:
            raise self.error
        self.got.append(message.key)


class Mill:
    """Turns that send what is due and write down what they sent."""

    def __init__(self, *routes: Route) -> None:
        self.routes = routes
        self.channels = {route.channel: Told() for route in routes}
        self.ledger: dict[str, dict[str, Any]] = {}
        self.silences: list[dict[str, Any]] = []

    @property
    def rows(self) -> list[dict[str, Any]]:
        return list(self.ledger.values())

    def turn(self, incidents: list[Any], at: datetime, **more: Any) -> list[str]:
        """Do a turn; return the keys that arrived in it, with their channels."""
        before = {name: len(c.got) for name, c in self.channels.items()}
        dues = due(incidents, self.rows, self.silences, self.routes, at=at, **more)
        for row in deliver(dues, self.channels, at=at):
            assert ledger_key(row) not in self.ledger
            self.ledger[ledger_key(row)] = row
        return [f"{n} {k}" for n, c in self.channels.items() for k in c.got[before[n] :]]


def test_an_incident_is_told_once_again_each_week_and_when_over() -> None:
    mill = Mill(Route("chat"))
    told = {}
    for hours in range(24 * 16):
        found = mill.turn([incident()], AT + hours * HOUR)
        told |= dict.fromkeys(found, hours / 24)
    ended = incident(closed=(AT + 16 * DAY).isoformat())
    told |= dict.fromkeys(mill.turn([ended], AT + 16 * DAY), 16)
    assert told == {
        "chat i7:0:opened": 0,
        "chat i7:0:again1": 7,
        "chat i7:0:again2": 14,
        "chat i7:0:over": 16,
    }
    assert mill.turn([ended], AT + 17 * DAY) == []
    # It comes back: that is news.
    assert mill.turn([incident()], AT + 18 * DAY) == ["chat i7:1:opened"]


def test_the_pager_rings_only_when_nobody_took_it() -> None:
    mill = Mill(Route("chat"), Route("pager", after="2h", weekly=False))
    one, other = incident("a"), incident("b")
    assert mill.turn([one, other], AT) == ["chat a:0:opened", "chat b:0:opened"]
    one["acknowledged"] = (AT + HOUR).isoformat()
    assert mill.turn([one, other], AT + 119 * MINUTE) == []
    assert mill.turn([one, other], AT + 2 * HOUR) == ["pager b:0:opened"]
    # Who acknowledged is not reminded, but hears when it is over.
    assert mill.turn([one], AT + 8 * DAY) == []
    assert mill.turn([one | {"closed": (AT + 9 * DAY).isoformat()}], AT + 9 * DAY) == [
        "chat a:0:over"
    ]


def test_worse_is_told_once_however_often_it_swings() -> None:
    mill = Mill(Route("chat", least="WARN"), Route("pager"))
    told = []
    for k, verdict in enumerate(["WARN", "ALERT", "WARN", "ALERT", "WARN"]):
        told += mill.turn([incident(verdict=verdict)], AT + k * HOUR)
    assert told == ["chat i7:0:opened", "chat i7:0:worse", "pager i7:0:opened"]


def test_a_route_takes_only_its_kinds() -> None:
    mill = Mill(Route("chat", kinds=("drift", "quality")))
    assert mill.turn([incident()], AT) == []
    drift = incident(signals=[{"kind": "performance"}, {"kind": "drift"}])
    assert mill.turn([drift], AT) == ["chat i7:0:opened"]
    with pytest.raises(NotFound, match="did you mean 'drift'"):
        Route("chat", kinds=("drft",))


def test_a_channel_that_fails_is_tried_again_more_and_more_rarely() -> None:
    mill = Mill(Route("dead"), Route("chat"))
    mill.channels["dead"].up = False
    arrived = [mill.turn([incident()], AT + k * MINUTE) for k in range(24 * 60)]
    assert [a for a in arrived if a] == [["chat i7:0:opened"]]  # the other never waits
    tries = [datetime.fromisoformat(r["at"]) for r in mill.rows if r["channel"] == "dead"]
    waits = [(b - a) // MINUTE for a, b in itertools.pairwise(tries)]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]
    (chat, dead) = standing(mill.rows)
    assert (chat["channel"], chat["delivered"], chat["failures"]) == ("chat", 1, 0)
    assert (dead["failures"], dead["undelivered"], dead["delivered"]) == (12, 1, 0)
    assert dead["failing_since"] == AT.isoformat()
    assert dead["why"] == "down. Fix: wait."
    # It comes back: the same news arrives under the same key, and then no more.
    mill.channels["dead"].up = True
    later = AT + 2 * DAY
    assert mill.turn([incident()], later) == ["dead i7:0:opened"]
    assert mill.turn([incident()], later + HOUR) == []
    assert standing(mill.rows)[1] | {"channel": ""} == {
        "channel": "",
        "delivered": 1,
        "last_delivered": later.isoformat(),
        "failures": 0,
        "undelivered": 0,
        "failing_since": "",
        "why": "",
    }


def test_news_is_not_held_back_by_old_news_that_fails() -> None:
    mill = Mill(Route("chat"))
    mill.channels["chat"].up = False
    for k in range(300):
        mill.turn([incident("a")], AT + k * MINUTE)
    mill.channels["chat"].up = True
    now = AT + 301 * MINUTE
    assert mill.turn([incident("a"), incident("b")], now) == ["chat b:0:opened"]


def test_what_failed_and_is_over_is_told_as_over_and_at_last_forgotten() -> None:
    mill = Mill(Route("chat"))
    mill.channels["chat"].up = False
    mill.turn([incident()], AT)
    ended = incident(closed=(AT + HOUR).isoformat())
    mill.turn([ended], AT + 2 * HOUR)
    assert {r["message"] for r in mill.rows} == {"i7:0:opened", "i7:0:over"}
    assert due([ended], mill.rows, [], mill.routes, at=AT + 5 * DAY) == []
    # What was over before anybody could be told is for the line of the week only.
    assert due([ended], [], [], mill.routes, at=AT + 2 * HOUR) == []


@pytest.mark.parametrize("error", [ValueError("token=hunter2"), RuntimeError("x"), KeyError("y")])
def test_whatever_a_channel_raises_the_turn_goes_on(error: Exception) -> None:
    mill = Mill(Route("bad"), Route("gone"), Route("chat"))
    mill.channels["bad"].up, mill.channels["bad"].error = False, error
    del mill.channels["gone"]
    assert mill.turn([incident()], AT) == ["chat i7:0:opened"]
    bad, gone = (r["why"] for r in mill.rows if not r["delivered"])
    assert bad == f"the channel raised {type(error).__name__}"
    assert gone == "there is no channel 'gone'; known: bad, chat"


def test_a_dead_channel_costs_a_turn_two_tries() -> None:
    mill = Mill(Route("dead"))
    mill.channels["dead"].up = False
    mill.turn([incident(f"i{k}") for k in range(40)], AT)
    assert mill.channels["dead"].tried == 2


def test_a_bad_night_is_five_messages_not_forty() -> None:
    mill = Mill(Route("chat", least="WARN"))
    night = [incident(f"i{k}", verdict="WARN" if k < 39 else "ALERT") for k in range(40)]
    found = mill.turn(night, AT)
    assert len(found) == 5
    assert found[0] == "chat i39:0:opened"  # the worst first
    assert found[4].startswith("chat digest:")
    # All of them were told, so nothing is told again until it is time.
    assert mill.turn(night, AT + HOUR) == []
    over = [i | {"closed": (AT + DAY).isoformat()} for i in night[:2]]
    assert mill.turn(over, AT + DAY) == ["chat i0:0:over", "chat i1:0:over"]


def test_a_crash_between_sending_and_writing_sends_the_same_key_again() -> None:
    mill = Mill(Route("chat"))
    first = due([incident()], [], [], mill.routes, at=AT)
    next(deliver(first, mill.channels, at=AT))  # sent; the row is lost
    assert mill.turn([incident()], AT + MINUTE) == ["chat i7:0:opened"]
    assert mill.channels["chat"].got == ["i7:0:opened"] * 2


def test_a_silence_holds_what_it_names_until_it_ends() -> None:
    mill = Mill(Route("chat"))
    auc = incident("a")
    both = incident("b", signals=[{"metric": "auc"}, {"metric": "log_loss"}])
    mill.silences = [silence(at=AT, until=AT + DAY, by="ana", metric="auc")]
    assert mill.turn([auc, both], AT) == ["chat b:0:opened"]
    assert mill.turn([auc, both], AT + DAY) == ["chat a:0:opened"]
    other = silence(at=AT + DAY, until=AT + 30 * DAY, by="ana", incident="a")
    mill.silences.append(other)
    assert mill.turn([auc, both], AT + 9 * DAY) == ["chat b:0:again1"]
    mill.silences.append(lifted(other["id"], at=AT + 10 * DAY, by="bob"))
    assert mill.turn([auc, both], AT + 10 * DAY) == ["chat a:0:again1"]


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"from": "x", "until": "y", "everything": True},
        {"from": AT.isoformat(), "everything": True},
        {"from": AT.isoformat(), "until": "9999-01-01T00:00:00+00:00", "everything": True},
        {"from": AT.isoformat(), "until": (AT + DAY).isoformat(), "everything": "no"},
        {"from": AT.isoformat(), "until": (AT + DAY).isoformat()},
    ],
)
def test_a_silence_that_cannot_be_read_silences_nothing(broken: dict[str, Any]) -> None:
    assert len(due([incident()], [], [broken], [Route("chat")], at=AT)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"until": AT, "everything": True},
        {"until": AT + LONGEST + DAY, "everything": True},
        {"until": AT + DAY},
        {"until": AT + DAY, "metric": ""},
        {"until": AT + DAY, "colour": "red"},
    ],
)
def test_a_silence_that_would_hide_things_for_ever_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadValue, match="Fix:"):
        silence(at=AT, by="ana", **wrong)


def test_the_line_of_the_week_comes_once_a_week_to_those_who_want_it() -> None:
    mill = Mill(Route("chat"), Route("pager", weekly=False))
    days = [mill.turn([], AT + k * DAY, weekly={"answer": "don't"}) for k in range(8)]
    assert days == [["chat weekly:2013-W06"], [], [], ["chat weekly:2013-W07"], [], [], [], []]


def test_a_ledger_of_nonsense_is_no_delivery() -> None:
    rows: list[Any] = [
        {},
        {"channel": "chat", "at": "x", "delivered": True, "covers": 3},
        {"channel": "chat", "at": AT.isoformat(), "delivered": "yes", "covers": [None, {}]},
        {
            "channel": "chat",
            "at": (AT - DAY).isoformat(),
            "delivered": "yes",
            "covers": [{"key": "i7:0:opened", "incident": "i7", "event": "opened"}],
        },
    ]
    found = due([incident()], rows, [], [Route("chat")], at=AT)
    assert [d.message.key for d in found] == ["i7:0:opened"]
    assert standing(rows)[0]["delivered"] == 0


def test_an_odd_incident_does_not_hold_back_the_others() -> None:
    odd: list[Any] = [{}, {"id": "\x00", "signals": [3]}, incident(opened="?", verdict=7)]
    found = due([*odd, incident("b")], [], [], [Route("chat", after="2h")], at=AT + 3 * HOUR)
    assert found[-1].message.key == "b:0:opened"
    told = due([*odd, incident("b")], [], [], [Route("chat")], at=AT)
    assert len(told) == 4


def test_a_ledger_key_fits_its_column() -> None:
    row = {"channel": "c" * 300, "message": "k", "attempt": 1}
    assert len(ledger_key(row)) <= 200
    assert ledger_key(row) != ledger_key(row | {"attempt": 2})
