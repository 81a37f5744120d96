"""Where are they: regions in which rows of now are told from rows of before."""

from tidemill.monitoring.regions.classifier import Separation, domain_classifier
from tidemill.monitoring.regions.region import Region
from tidemill.monitoring.regions.unusual import Unusual, unusual

__all__ = ["Region", "Separation", "Unusual", "domain_classifier", "unusual"]
