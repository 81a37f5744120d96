"""A project: open it, log to it, ask it, turn it."""

from tidemill.project import sources
from tidemill.project.config import CONFIG, STRATEGY, default_user, read_config
from tidemill.project.mill import Mill
from tidemill.project.opening import create_project, open_project
from tidemill.project.rows import arrow, spread

__all__ = [
    "CONFIG",
    "STRATEGY",
    "Mill",
    "arrow",
    "create_project",
    "default_user",
    "open_project",
    "read_config",
    "sources",
    "spread",
]
