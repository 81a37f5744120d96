"""Monitoring in a turn: what is going on, is it bad, since when, for whom."""
