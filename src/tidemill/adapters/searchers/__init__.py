"""Searchers: what proposes which values to try next."""

from tidemill.adapters.searchers.optuna import OptunaSearch
from tidemill.adapters.searchers.random import RandomSearch

__all__ = ["OptunaSearch", "RandomSearch"]
