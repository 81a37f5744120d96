"""Log: what the model saw and answered, and what came back."""

from tidemill.loop.log.everything import Everything
from tidemill.loop.log.rate import Rate

__all__ = ["Everything", "Rate"]
