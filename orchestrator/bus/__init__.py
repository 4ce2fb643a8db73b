"""The event bus of one run: one publisher side, one ordered backlog for each subscriber."""

from orchestrator.bus.event_bus import EventBus, Start
from orchestrator.bus.policy import Policy
from orchestrator.bus.reader import EventReader
from orchestrator.bus.stream import EventStream
from orchestrator.bus.subscription import Subscription

__all__ = ["EventBus", "EventReader", "EventStream", "Policy", "Start", "Subscription"]
