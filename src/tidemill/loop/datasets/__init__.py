"""Datasets: which labelled records to learn from, exactly."""

from tidemill.loop.datasets.everything import All
from tidemill.loop.datasets.manifest import Manifest, form, rebuild
from tidemill.loop.datasets.newest import Newest
from tidemill.loop.datasets.recent import Recent

__all__ = ["All", "Manifest", "Newest", "Recent", "form", "rebuild"]
