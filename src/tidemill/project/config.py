"""``project.toml``: what a project is made of, and who acts in it."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from tidemill.core.errors import BadInput, NotFound
from tidemill.project.engines import read_engine
from tidemill.project.in_place import read_sources
from tidemill.project.places import read_places

CONFIG, STRATEGY = "project.toml", "strategy.py"


def read_config(folder: Path) -> dict[str, Any]:
    """Read ``project.toml``."""
    try:
        config = tomllib.loads((folder / CONFIG).read_text(encoding="utf-8"))
        channels = {str(k): str(v) for k, v in config.get("channels", {}).items()}
        places = read_places(config, folder / CONFIG) | read_engine(config, folder / CONFIG)
        places |= read_sources(config, folder / CONFIG)
        said = {"salt": str(config["salt"]), "name": str(config["name"]), "channels": channels}
    except FileNotFoundError:
        raise NotFound(
            f"there is no project at {folder.resolve()}.",
            fix=f"run 'tidemill init {folder}', or give another --project.",
        ) from None
    except (
        tomllib.TOMLDecodeError,
        KeyError,
        AttributeError,
        UnicodeDecodeError,
        OSError,
    ) as error:
        raise BadInput(
            f"{folder / CONFIG} cannot be read: {type(error).__name__} {error}.",
            fix="restore it; it needs a name and a salt.",
        ) from None
    return said | places


def default_user() -> str:
    """Return who acts, for signatures: the user of this machine."""
    return os.environ.get("TIDEMILL_USER") or os.environ.get("USER") or "somebody"
