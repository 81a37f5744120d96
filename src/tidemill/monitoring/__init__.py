"""Meanwhile: what is going on, and is it bad."""

from tidemill.monitoring.windows import Window, by_window, mean_difference

__all__ = ["Window", "by_window", "mean_difference"]
