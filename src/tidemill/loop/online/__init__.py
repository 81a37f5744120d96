"""Online test: how a candidate meets users."""

from tidemill.loop.online.immediate import Immediate

__all__ = ["Immediate"]
