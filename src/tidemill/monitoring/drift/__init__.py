"""Drift: which columns changed between two windows, by how much, and whether that is bad."""

from tidemill.monitoring.drift.compare import compare
from tidemill.monitoring.drift.report import Floors, Report, Shift

__all__ = ["Floors", "Report", "Shift", "compare"]
