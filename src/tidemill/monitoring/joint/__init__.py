"""Many columns at once: is a window as the usual ones are, where no column alone shows it?"""

from tidemill.monitoring.joint.classifier import DomainClassifier
from tidemill.monitoring.joint.mmd import MMD
from tidemill.monitoring.joint.protocol import Joint, JointRule
from tidemill.monitoring.joint.sliced import SlicedDistance

__all__ = ["MMD", "DomainClassifier", "Joint", "JointRule", "SlicedDistance"]
