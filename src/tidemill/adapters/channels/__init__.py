"""Channels: where alerts go."""

from tidemill.adapters.channels.addresses import channel
from tidemill.adapters.channels.apprise import Apprise
from tidemill.adapters.channels.console import Console
from tidemill.adapters.channels.file import File, messages
from tidemill.adapters.channels.webhook import Webhook

__all__ = ["Apprise", "Console", "File", "Webhook", "channel", "messages"]
