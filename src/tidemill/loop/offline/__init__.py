"""Offline test: is the candidate fit to meet users?"""

from tidemill.loop.offline.at_least import AtLeast
from tidemill.loop.offline.no_worse_than import NoWorseThan
from tidemill.loop.offline.unchecked import Unchecked

__all__ = ["AtLeast", "NoWorseThan", "Unchecked"]
