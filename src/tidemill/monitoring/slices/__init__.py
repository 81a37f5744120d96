"""For whom is it bad: slices that explain a loss or its change, and their confirmation."""

from tidemill.monitoring.slices.change import Change, Part, explained
from tidemill.monitoring.slices.confirm import Tested, confirmed
from tidemill.monitoring.slices.find import Slice, slices

__all__ = ["Change", "Part", "Slice", "Tested", "confirmed", "explained", "slices"]
