"""From an incident to what arrives: real channels, a real ledger, a process that is lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tidemill.adapters.channels import Apprise, File, Webhook, messages
from tidemill.adapters.channels.deadline import within
from tidemill.adapters.stores.sql import SqlState
from tidemill.core.channels import Channel, Undelivered
from tidemill.monitoring.delivery import due
from tidemill.monitoring.routes import Route
from tidemill.monitoring.sending import LEDGER, deliver, ledger_key, standing

AT = datetime(2013, 2, 8, 6, tzinfo=UTC)
INCIDENT = {
    "id": "i7",
    "opened": AT.isoformat(),
    "closed": None,
    "signals": [{"kind": "performance", "metric": "auc", "why": "0.61 is below 0.68"}],
}


class Service(ThreadingHTTPServer):
    daemon_threads = True
    up, got = True, ()


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.up:
            self.server.got += ((self.headers.get("Idempotency-Key"), body),)
        self.send_response(204 if self.server.up else 503)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_alert_arrives_everywhere_once_and_the_one_that_was_down_later(
    service: Service, tmp_path: Path
) -> None:
    state = SqlState(tmp_path / "state.db")
    place = f"127.0.0.1:{service.server_port}"
    channels: dict[str, Channel] = {
        "file": File(tmp_path / "alerts.jsonl"),
        "hook": Webhook(f"http://{place}/s3cret"),
        "chat": Apprise(f"json://{place}/s3cret"),
    }
    routes = [Route(name) for name in channels]

    def turn(at: datetime) -> None:
        todo = due([INCIDENT], state.rows(LEDGER), [], routes, at=at)
        for row in deliver(todo, channels, at=at):
            assert state.add_row(LEDGER, ledger_key(row), row)

    service.up = False
    turn(AT)
    assert [m.key for m in messages(tmp_path / "alerts.jsonl")] == ["i7:0:opened"]
    told = {row["channel"]: row for row in standing(state.rows(LEDGER))}
    assert {name: row["failures"] for name, row in told.items()} == {
        "file": 0,
        "hook": 1,
        "chat": 1,
    }
    assert "answered 503" in told["hook"]["why"]
    assert "s3cret" not in json.dumps(state.rows(LEDGER))
    service.up = True
    for minutes in (1, 2, 3):
        turn(AT + timedelta(minutes=minutes))
    assert len(messages(tmp_path / "alerts.jsonl")) == 1
    (hook,) = [body for key, body in service.got if key == "i7:0:opened"]
    (chat,) = [body for key, body in service.got if key is None]
    assert hook["incident"] == "i7"
    assert chat["title"] == hook["title"] == "ALERT: auc: 0.61 is below 0.68"
    assert "`tidemill alerts show i7`" in chat["message"]
    state.close()


def test_a_plugin_that_wants_to_end_the_process_does_not() -> None:
    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(Undelivered, match="raised SystemExit"):
        within(1, leave, "a channel")
