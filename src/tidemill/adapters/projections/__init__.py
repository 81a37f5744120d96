"""Projections that a vendor fits; what they learn is plain numbers, and numpy gives the values."""

from tidemill.adapters.projections.autoencoder import Autoencoder
from tidemill.adapters.projections.density import Density

__all__ = ["Autoencoder", "Density"]
