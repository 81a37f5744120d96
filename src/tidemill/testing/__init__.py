"""The promises, shipped: conformance suites for your own rules and adapters.

Hand a rule to :func:`check_rule`, or give each function of :func:`yield_checks` to pytest.
For an adapter there is one suite a port: :func:`check_event_store`, :func:`check_state_store`,
:func:`check_blob_store`, :func:`check_jobs`, :func:`check_inbox`, :func:`check_channel`; and :func:`check_door` for a
faster way to what a turn asks of them.
"""

from tidemill.testing.blobs import check_blob_store
from tidemill.testing.channels import check_channel
from tidemill.testing.doors import check_door
from tidemill.testing.events import check_event_store
from tidemill.testing.inbox import check_inbox
from tidemill.testing.jobs import check_jobs
from tidemill.testing.rules import check_rule, yield_checks
from tidemill.testing.stages import stage_of
from tidemill.testing.state import check_state_store

__all__ = [
    "check_blob_store",
    "check_channel",
    "check_door",
    "check_event_store",
    "check_inbox",
    "check_jobs",
    "check_rule",
    "check_state_store",
    "stage_of",
    "yield_checks",
]
