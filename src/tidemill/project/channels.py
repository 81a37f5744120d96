"""The channels of a project, by the addresses in its ``project.toml``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tidemill.adapters.channels.addresses import channel
from tidemill.core.channels import Message


@dataclass(frozen=True)
class Addressed:
    """A channel that is made when it is used, so that a wrong address fails that message alone."""

    address: str = field(repr=False)
    folder: Path

    def send(self, message: Message, /) -> None:
        channel(self.address, folder=self.folder).send(message)
