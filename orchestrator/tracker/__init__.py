"""What changed since the last look: a snapshot goes in, events come out. Pure, no I/O."""

from orchestrator.tracker.pool import PoolTracker
from orchestrator.tracker.tasks import Surprise, TaskTracker

__all__ = ["PoolTracker", "Surprise", "TaskTracker"]
