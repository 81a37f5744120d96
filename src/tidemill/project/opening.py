"""Opens and makes projects: here, and in strategy/backtest/worlds.py, adapters meet a strategy."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from tidemill.adapters.stores.files import write_whole
from tidemill.adapters.trainers.placed import PlacedJobs
from tidemill.adapters.trainers.pool import ProcessPool
from tidemill.core.clock import Clock, SystemClock
from tidemill.core.errors import NotAllowed
from tidemill.core.ports import Jobs, World
from tidemill.project.config import CONFIG, STRATEGY, read_config
from tidemill.project.engines import engine_of
from tidemill.project.in_place import in_place, written_sources
from tidemill.project.mill import Mill
from tidemill.project.places import here, shares_spool, spool_of, state_of, stores_of, written
from tidemill.project.sources import Outcomes, Table


def open_project(
    path: str | Path,
    *,
    clock: Clock | None = None,
    show_sql: Callable[[str], object] | None = None,
) -> Mill:
    """Open a project.

    Parameters
    ----------
    path
        Its folder.
    clock
        What time it is, if not that of this machine.
    show_sql
        Is told each query on a table that stays where it is, before it is sent.

    Raises
    ------
    NotFound
        If there is no project at the path.
    """
    folder = Path(path)
    config = read_config(folder)
    events, blobs = stores_of(folder, config)
    events = in_place(events, config["sources"], folder, salt=config["salt"], show=show_sql)
    place, state = here(folder, config), state_of(folder, config)
    jobs: Jobs = ProcessPool(folder / "jobs", path=(str(folder.resolve()),))
    world = World(
        clock=clock or SystemClock(),
        events=events,
        engine=engine_of(config),
        state=state,
        blobs=blobs,
        jobs=PlacedJobs(jobs, state, place) if place else jobs,
        inbox=spool_of(folder, config),
        shared_inbox=shares_spool(config),
        salt=config["salt"],
        place=place,
    )
    return Mill(folder, world, None)


def create_project(
    path: str | Path,
    *,
    strategy: str,
    salt: str | None = None,
    state: str | None = None,
    events: str | None = None,
    records: Table | None = None,
    labels: Outcomes | None = None,
) -> Path:
    """Make a project: its configuration and its strategy file.

    Parameters
    ----------
    path
        The folder.
    strategy
        The text of the strategy file, unless there is one.
    salt
        Of the random draws; made if not given.
    state
        The URL of a PostgreSQL database that holds the state, instead of the folder.
    events
        Where tables and blobs lie, instead of the folder: ``s3://bucket/prefix``, or a folder.
    records, labels
        Tables of yours that stay where they are and are only read.

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
        (
            f'name = "{folder.resolve().name}"\n'
            "# Salts the random draws of sampling. Never change it: draws must not repeat.\n"
            f'salt = "{salt or secrets.token_hex(16)}"\n'
        )
        + written(state, events)
        + written_sources(records, labels)
    )
    if not (folder / STRATEGY).exists():
        write_whole(folder / STRATEGY, strategy.encode())
    write_whole(folder / CONFIG, text.encode())
    return folder
