"""Triggers: is a retrain due?"""

from tidemill.loop.triggers.every import Every
from tidemill.loop.triggers.manual import Manual

__all__ = ["Every", "Manual"]
