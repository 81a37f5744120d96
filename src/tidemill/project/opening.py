"""Opens and makes projects: here, and in strategy/backtest/worlds.py, adapters meet a strategy."""

from __future__ import annotations

import secrets
from pathlib import Path

from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.adapters.stores.delta import DeltaEvents
from tidemill.adapters.stores.files import FileBlobs, write_whole
from tidemill.adapters.stores.spool import Spool
from tidemill.adapters.stores.sql import SqlState
from tidemill.adapters.trainers.pool import ProcessPool
from tidemill.core.clock import Clock, SystemClock
from tidemill.core.errors import NotAllowed
from tidemill.core.ports import World
from tidemill.project.config import CONFIG, STRATEGY, read_config
from tidemill.project.mill import Mill


def open_project(path: str | Path, *, clock: Clock | None = None) -> Mill:
    """Open a project.

    Raises
    ------
    NotFound
        If there is no project at the path.
    """
    folder = Path(path)
    config = read_config(folder)
    world = World(
        clock=clock or SystemClock(),
        events=DeltaEvents(folder / "events"),
        engine=DuckDBEngine(),
        state=SqlState(folder / "state.db"),
        blobs=FileBlobs(folder / "store"),
        jobs=ProcessPool(folder / "jobs", path=(str(folder.resolve()),)),
        inbox=Spool(folder / "spool"),
        salt=config["salt"],
    )
    return Mill(folder, world, None)


def create_project(path: str | Path, *, strategy: str, salt: str | None = None) -> Path:
    """Make a project: its configuration and its strategy file.

    Raises
    ------
    NotAllowed
        If there is one already.
    """
    folder = Path(path)
    if (folder / CONFIG).exists():
        raise NotAllowed(f"there is a project at {folder} already.", fix="choose another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    text = (
        f'name = "{folder.resolve().name}"\n'
        "# Salts the random draws of sampling. Never change it: draws must not repeat.\n"
        f'salt = "{salt or secrets.token_hex(16)}"\n'
    )
    if not (folder / STRATEGY).exists():
        write_whole(folder / STRATEGY, strategy.encode())
    write_whole(folder / CONFIG, text.encode())
    return folder
