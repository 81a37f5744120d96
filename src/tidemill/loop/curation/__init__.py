"""Curation: which records are worth a label, and where labels come from."""

from tidemill.loop.curation.automatic import Automatic
from tidemill.loop.curation.outcome import Outcome
from tidemill.loop.curation.uniform import Uniform

__all__ = ["Automatic", "Outcome", "Uniform"]
