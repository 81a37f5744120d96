"""Datasets: which labelled records to learn from, exactly."""

from tidemill.loop.datasets.balanced import Balanced
from tidemill.loop.datasets.difference import difference
from tidemill.loop.datasets.everything import All
from tidemill.loop.datasets.fading import Fading
from tidemill.loop.datasets.latest import Latest
from tidemill.loop.datasets.manifest import Manifest, form, rebuild
from tidemill.loop.datasets.new import New
from tidemill.loop.datasets.newest import Newest
from tidemill.loop.datasets.nothing import Nothing
from tidemill.loop.datasets.recent import Recent
from tidemill.loop.datasets.replayed import Replayed
from tidemill.loop.datasets.since_change import SinceChange

__all__ = [
    "All",
    "Balanced",
    "Fading",
    "Latest",
    "Manifest",
    "New",
    "Newest",
    "Nothing",
    "Recent",
    "Replayed",
    "SinceChange",
    "difference",
    "form",
    "rebuild",
]
