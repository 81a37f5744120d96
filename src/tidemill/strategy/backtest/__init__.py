"""Backtesting: the same turns on a history, under another clock, for many strategies."""
