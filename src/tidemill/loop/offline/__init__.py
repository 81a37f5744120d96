"""Offline test: is the candidate fit to meet users?"""

from tidemill.loop.offline.at_least import AtLeast
from tidemill.loop.offline.no_worse_than import NoWorseThan

__all__ = ["AtLeast", "NoWorseThan"]
