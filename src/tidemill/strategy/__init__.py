"""Which rules, and what they lead to: strategy, plan, turn, replay."""

from tidemill.strategy.strategy import Strategy

__all__ = ["Strategy"]
