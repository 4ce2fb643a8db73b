"""What changed since the last look: a snapshot goes in, events come out. Pure, no I/O."""

from orchestrator.tracker.failure_class import classify
from orchestrator.tracker.pool import PoolTracker
from orchestrator.tracker.remedies import Remedies, Remedy, RemedyKind
from orchestrator.tracker.retries import AfterEnd, Retries
from orchestrator.tracker.stall import Picture, stall_reasons
from orchestrator.tracker.tasks import Surprise, TaskTracker

__all__ = [
    "AfterEnd",
    "Picture",
    "PoolTracker",
    "Remedies",
    "Remedy",
    "RemedyKind",
    "Retries",
    "Surprise",
    "TaskTracker",
    "classify",
    "stall_reasons",
]
