"""Loading a strategy file: one Python file that defines ``strategy``."""

from __future__ import annotations

import builtins
import contextlib
import difflib
import hashlib
import re
import shutil
import subprocess
import sys
import traceback
import types
from collections.abc import Callable
from pathlib import Path

from tidemill.core.errors import BadInput, TidemillError
from tidemill.core.fingerprint import SOURCE
from tidemill.strategy.strategy import Strategy


def load(path: Path, *, loaded: Callable[[types.ModuleType], None] = lambda _: None) -> Strategy:
    """Run a strategy file and return its strategy.

    Parameters
    ----------
    path
        The file. Its folder is where its imports are looked for first.
    loaded
        Told the module, so that work from it can travel to other processes.

    Raises
    ------
    BadInput
        If the file is missing, does not run, or defines no strategy; with the line at fault.
    """
    return load_text(read(path), path, loaded=loaded)


def read(path: Path) -> str:
    """Return the text of a strategy file.

    Raises
    ------
    BadInput
        If it is missing or no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"the strategy file {path} cannot be read: {error}.",
            fix="create it; 'tidemill init' writes one to start from.",
        ) from None


def load_text(
    source: str, path: Path, *, loaded: Callable[[types.ModuleType], None] = lambda _: None
) -> Strategy:
    """Run the text of a strategy file, such as one that was live before.

    Parameters
    ----------
    source
        The text.
    path
        What errors call it. Its folder is where its imports are looked for first; they are
        those of today, whenever the text was written.
    loaded
        Told the module, so that work from it can travel to other processes.

    Raises
    ------
    BadInput
        If the text does not run, or defines no strategy; with the line at fault.
    """
    name = "tidemill_strategy_" + hashlib.sha256(source.encode()).hexdigest()[:12]
    module = types.ModuleType(name)
    module.__file__ = str(path)
    setattr(module, SOURCE, source)
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    sys.modules[name] = module
    with contextlib.ExitStack() as stack:
        stack.callback(sys.modules.pop, name, None)
        try:
            exec(compile(source, str(path), "exec"), vars(module))  # noqa: S102 - the user's own
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - it may raise anything
            raise _broken(path, error, module) from None
        stack.pop_all()
    loaded(module)
    strategy = vars(module).get("strategy")
    if not isinstance(strategy, Strategy):
        got = "nothing" if strategy is None else type(strategy).__name__
        raise BadInput(
            f"{path} defines no strategy (got {got}).",
            fix="end it with: strategy = Strategy(training=..., ...)",
        )
    return strategy


def author_of(folder: Path) -> str | None:
    """Say who works in a folder, as git knows them; None where it is not in git."""
    git = shutil.which("git")
    if git is None:
        return None
    inside = _git(git, folder, "rev-parse", "--is-inside-work-tree")
    return (_git(git, folder, "config", "user.name") or None) if inside == "true" else None


def _git(git: str, folder: Path, *words: str) -> str:
    done = subprocess.run(
        [git, "-C", str(folder), *words], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def _broken(path: Path, error: BaseException, module: types.ModuleType) -> BadInput:
    line = error.lineno if isinstance(error, SyntaxError) else _line(path, error)
    what = (
        error.what
        if isinstance(error, TidemillError)
        else f"{type(error).__name__}: {_said(error)}"
    )
    near = _nearest(error, vars(module))
    fix = f"did you mean {near!r}?" if near else "mend that line."
    if isinstance(error, TidemillError):
        fix = error.fix
    where = f"{path}, line {line}" if line else str(path)
    return BadInput(f"{where}: {' '.join(str(what).split())[:500]}", fix=fix)


def _said(error: BaseException) -> str:
    """Return what an error says of itself, if it can say it."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the user's own class
        return "it cannot say what is wrong"


def _nearest(error: BaseException, defined: dict[str, object]) -> str | None:
    """Find the name that was meant, when the error is about one that does not exist."""
    words = re.findall(r"'([^']*)'", _said(error))
    name, known = None, set[str]()
    if isinstance(error, NameError):
        name, known = error.name, {*defined, *tidemill_names(), *dir(builtins)}
    elif isinstance(error, ModuleNotFoundError):
        name, known = error.name, {m.partition(".")[0] for m in sys.modules}
    elif isinstance(error, ImportError | AttributeError) and words:
        module = next((sys.modules[w] for w in words if w in sys.modules), None)
        name, known = words[-1], set(dir(module))
        if isinstance(error, ImportError):
            name = words[0]
    elif isinstance(error, TypeError) and "unexpected keyword" in _said(error) and words:
        owner = _said(error).partition(".__init__")[0]
        fields = getattr(defined.get(owner), "__dataclass_fields__", ())
        name, known = words[0], {f for f in fields if f != "_"}
    return next(iter(difflib.get_close_matches(name or "", known, n=1)), None)


def tidemill_names() -> list[str]:
    """Return what a strategy file may import from tidemill."""
    return list(sys.modules["tidemill"].__all__)


def _line(path: Path, error: BaseException) -> int | None:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f.lineno for f in frames if f.filename == str(path)]
    return lines[-1] if lines else None
