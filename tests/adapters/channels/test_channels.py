"""Every channel through the suite of its port, and what each of them promises beside it."""

from __future__ import annotations

import io
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tidemill.adapters.channels import Apprise, Console, File, Webhook, messages
from tidemill.core.channels import Message, Undelivered
from tidemill.core.errors import BadValue, MissingExtra
from tidemill.testing.channels import CHANNELS, Bench, check_channel

SECRET = "hunter2token"
NEWS = Message(key="i7:0:opened", title="auc fell", body="since Monday", severity="alert")


class Server(ThreadingHTTPServer):
    """A service on this machine that keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.answer: Callable[[Handler], None] = lambda handler: handler.say(204)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def say(self, code: int, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        if SECRET not in self.path:
            self.say(403)
        else:
            self.server.answer(self)

    def do_GET(self) -> None:
        self.server.got.append(("GET " + self.path, {}, b""))
        self.say(200)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as service:
        thread = threading.Thread(target=service.serve_forever, args=(0.01,))
        thread.start()
        yield service
        service.shutdown()
        thread.join()


def texts(server: Server) -> list[str]:
    return ["\n".join(map(str, json.loads(body).values())) for _, _, body in server.got]


def file_bench(server: Server, folder: Path) -> Bench:
    path = folder / "sub" / "alerts.jsonl"

    def arrived() -> list[str]:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return ["\n".join(line.values()) for line in lines]

    (folder / "taken").mkdir()
    return Bench(make=lambda: File(path), arrived=arrived, broken=lambda: File(folder / "taken"))


def console_bench(server: Server, folder: Path) -> Bench:
    out, closed = io.StringIO(), io.StringIO()
    closed.close()
    return Bench(
        make=lambda: Console(out),
        arrived=lambda: [f"[{t}" for t in out.getvalue().split("\n[")],
        broken=lambda: Console(closed),
    )


def webhook_bench(server: Server, folder: Path) -> Bench:
    return Bench(
        make=lambda: Webhook(f"http://me:{SECRET}@{server.place}/{SECRET}?t={SECRET}"),
        arrived=lambda: texts(server),
        broken=lambda: Webhook(f"http://{server.place}/gone?t=abc{SECRET[:-1]}"),
        secrets=(SECRET[:-1],),
    )


def apprise_bench(server: Server, folder: Path) -> Bench:
    return Bench(
        make=lambda: Apprise(f"json://me:{SECRET}@{server.place}/{SECRET}"),
        arrived=lambda: texts(server),
        broken=lambda: Apprise(f"json://me:{SECRET}@{server.place}/gone"),
        secrets=(SECRET,),
        keyed=False,
    )


@pytest.mark.parametrize("promise", CHANNELS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("bench", [file_bench, console_bench, webhook_bench, apprise_bench])
def test_every_channel_keeps_the_promises(
    promise: Any, bench: Any, server: Server, tmp_path: Path
) -> None:
    promise(bench(server, tmp_path))


def test_the_suite_finds_a_channel_that_swallows_failures(server: Server, tmp_path: Path) -> None:
    class Calm(Webhook):
        def send(self, message: Message, /) -> None:
            try:
                super().send(message)
            except Undelivered:
                return

    good = webhook_bench(server, tmp_path)
    calm = Bench(
        make=good.make, arrived=good.arrived, broken=lambda: Calm(f"http://{server.place}/gone")
    )
    with pytest.raises(AssertionError, match="counts as delivered"):
        [p(calm) for p in CHANNELS if p.__name__ == "what_is_not_taken_is_undelivered"]


def test_the_suite_runs_as_a_whole(tmp_path: Path) -> None:
    folders = (tmp_path / str(k) for k in range(100))

    def bench() -> Bench:
        folder = next(folders)
        folder.mkdir()
        return file_bench(None, folder)  # type: ignore[arg-type]

    check_channel(bench)


# -------------------------------------------------------------------------------- the file


def test_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    File(path).send(NEWS)
    with path.open("ab") as file:
        file.write(b'{"key": "torn')
    other = Message(key="i8:0:opened", title="other")
    for _ in range(2):  # a second copy is the same news
        File(path).send(other)
    assert messages(path) == [NEWS, other]
    assert messages(tmp_path / "none") == []


def test_only_the_owner_reads_the_file(tmp_path: Path) -> None:
    File(tmp_path / "a.jsonl").send(NEWS)
    assert (tmp_path / "a.jsonl").stat().st_mode & 0o077 == 0


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "alerts.jsonl"
    File(path).send(NEWS)
    before, write, calls = path.read_bytes(), os.write, []

    def full(file: int, data: bytes) -> int:
        calls.append(data)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return write(file, data[:10])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(Undelivered, match="No space left"):
        File(path).send(Message(key="other", title="other"))
    monkeypatch.undo()
    assert path.read_bytes() == before


# ----------------------------------------------------------------------------- the webhook


def test_a_webhook_posts_the_document_and_its_key(server: Server) -> None:
    url = f"http://me:p%40ss@{server.place}/{SECRET}"
    Webhook(url, headers={"X-Team": "a"}).send(NEWS)
    path, headers, body = server.got[0]
    assert path == f"/{SECRET}"
    assert json.loads(body) == NEWS.document()
    assert headers["Idempotency-Key"] == NEWS.key
    assert headers["X-Team"] == "a"
    assert headers["Authorization"] == "Basic bWU6cEBzcw=="


def test_a_redirect_is_no_delivery(server: Server) -> None:
    server.answer = lambda handler: handler.say(302, Location=f"http://{server.place}/other")
    with pytest.raises(Undelivered, match="answered 302"):
        Webhook(f"http://{server.place}/{SECRET}").send(NEWS)
    assert [path for path, _, _ in server.got] == [f"/{SECRET}"]


def test_a_server_that_drips_does_not_hold_the_mill(server: Server) -> None:
    done = threading.Event()

    def drip(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not done.wait(0.05):
            handler.wfile.write(b"x")

    server.answer = drip
    began = time.monotonic()
    with pytest.raises(Undelivered, match=r"within 0\.3 s"):
        Webhook(f"http://{server.place}/{SECRET}", timeout=0.3).send(NEWS)
    assert time.monotonic() - began < 2
    done.set()


def test_nobody_listening_is_undelivered(server: Server) -> None:
    with pytest.raises(Undelivered, match="cannot be reached"):
        Webhook(f"http://127.0.0.1:1/{SECRET}").send(NEWS)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "http://", "hooks.example.com", "http://a b/", "http://h:x/", ""]
)
def test_an_address_that_is_none_is_refused_untold(url: str) -> None:
    with pytest.raises(BadValue, match="address") as caught:
        Webhook(url)
    assert not url or url not in str(caught.value)


def test_a_header_cannot_smuggle_another() -> None:
    with pytest.raises(BadValue, match="line break"):
        Webhook("http://localhost/", headers={"A": "b\r\nC: d"})


# ----------------------------------------------------------------------------- apprise


def test_apprise_tells_how_bad_it_is(server: Server) -> None:
    channel = Apprise(f"json://{server.place}/{SECRET}")
    channel.send(NEWS)
    channel.send(Message(key="k", title="over", severity="over", url="http://127.0.0.1/i/7"))
    said = [json.loads(body) for _, _, body in server.got]
    assert [s["type"] for s in said] == ["failure", "success"]
    assert said[0]["title"] == "auc fell"
    assert said[1]["message"].endswith("http://127.0.0.1/i/7")


@pytest.mark.parametrize("url", [f"slack://{SECRET}", f"{SECRET}-{SECRET}://x", SECRET, ""])
def test_apprise_refuses_an_address_untold(url: str, caplog: Any) -> None:
    with caplog.at_level(0), pytest.raises(BadValue, match="cannot read") as caught:
        Apprise(url)
    assert SECRET not in str(caught.value) + caplog.text


def test_what_apprise_logs_for_others_is_left_alone(server: Server, caplog: Any) -> None:
    import apprise

    Apprise(f"json://{server.place}/{SECRET}").send(NEWS)
    assert "apprise" not in {r.name for r in caplog.records}
    apprise.Apprise.instantiate("nope://x")
    assert "apprise" in {r.name for r in caplog.records}


def test_without_apprise_the_extra_is_named(monkeypatch: Any) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    with pytest.raises(MissingExtra, match=r"tidemill\[alerts\]"):
        Apprise("json://localhost")


# ----------------------------------------------------------------------------- the console


def test_a_console_of_ascii_shows_all() -> None:
    raw = io.BytesIO()
    terminal = io.TextIOWrapper(raw, encoding="ascii")
    Console(terminal).send(Message(key="k", title="猫"))
    assert raw.getvalue() == b"[info] \\u732b (k)\n"


# ----------------------------------------------------------------------------- the message


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "a\r\nBcc: x"},
        {"title": " "},
        {"key": ""},
        {"severity": "bad"},
        {"body": "\x1b[31mred"},
        {"body": "\ud800"},
        {"url": None},
    ],
)
def test_a_message_that_would_break_a_channel_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadValue, match="Fix:"):
        Message(**{"key": "k", "title": "t", **fields})
