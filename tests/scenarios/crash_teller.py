"""Tells the crash story in processes that are killed: at a failpoint, at a random time, or not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from crash_story import steps, told

SERVER = Path(__file__).with_name("crash_server.py")


class Teller:
    """Tells stories through a fork server of its own."""

    def __init__(self) -> None:
        command = [sys.executable, "-W", "error", str(SERVER)]
        hidden = ("TIDEMILL_FAILPOINT", "TIDEMILL_FAILPOINT_LOG")
        self._server = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={k: v for k, v in os.environ.items() if k not in hidden},
        )
        self._say()

    def tell(self, root: Path, plot: str, **how: Any) -> int:
        """Go on with a story in a new process; returns its exit code, negative when killed."""
        if self._server.stdin is None:
            raise RuntimeError
        (root / "result.json").unlink(missing_ok=True)
        self._server.stdin.write(json.dumps({"root": str(root), "plot": plot, **how}) + "\n")
        self._server.stdin.flush()
        code = int(json.loads(self._say())["code"])
        if code > 0:
            raise AssertionError((root / "said.txt").read_text()[-4000:])
        return code

    def kill_at(self, root: Path, plot: str, name: str, **how: Any) -> int:
        """Go on with a story until it comes by a failpoint; 0 when it does not."""
        env = {"TIDEMILL_FAILPOINT": name}
        return self.tell(root, plot, env=env, look=False, **how)

    def end(self, root: Path, plot: str) -> dict[str, Any]:
        """Tell a story to its end and return what it came to."""
        code = self.tell(root, plot)
        if code:
            raise AssertionError(f"ended with {code}")
        return json.loads((root / "result.json").read_text())

    def close(self) -> None:
        """Let the server end."""
        for pipe in (self._server.stdin, self._server.stdout):
            if pipe is not None:
                pipe.close()
        self._server.wait()

    def _say(self) -> str:
        if self._server.stdout is None:
            raise RuntimeError
        return self._server.stdout.readline()


def undisturbed(teller: Teller, root: Path, plot: str) -> dict[str, Any]:
    """Tell a story with a new process for each step; note the failpoints passed in each."""
    root.mkdir(parents=True)
    log = root / "passed.txt"
    env = {"TIDEMILL_FAILPOINT_LOG": str(log)}
    for k in range(len(steps(plot))):
        last = k + 1 == len(steps(plot))
        if teller.tell(root, plot, upto=k + 1, look=last, env=env):
            raise AssertionError
    passed: list[list[str]] = []
    for line in log.read_text().splitlines():
        if line.startswith("# "):
            passed.append([])
        else:
            passed[-1].append(line)
    return json.loads((root / "result.json").read_text()) | {"passed": passed}


def chain(
    teller: Teller, root: Path, plot: str, kills: list[tuple[int, str]]
) -> list[tuple[int, str]]:
    """Tell a story killed at each (step, failpoint) in turn; return those not come by."""
    root.mkdir(parents=True)
    missed = []
    for step, name in kills:
        if told(root) < step and teller.tell(root, plot, upto=step, look=False):
            raise AssertionError
        if told(root) > step or teller.kill_at(root, plot, name, upto=step + 1) != -signal.SIGKILL:
            missed.append((step, name))
    return missed


def random_kills(teller: Teller, root: Path, plot: str, seed: int, *, longest: float = 2.5) -> int:
    """Tell a story killed at random times until it is at its end; return how often."""
    root.mkdir(parents=True)
    rng, n = np.random.default_rng(seed), 0
    while told(root) < len(steps(plot)):
        # Longer and longer, so that it ends on a slow machine too.
        after = float(rng.uniform(0.02, longest)) * 1.03**n
        n += teller.tell(root, plot, look=False, kill_after=after) == -signal.SIGKILL
    return n
