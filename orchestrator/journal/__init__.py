"""The durable record of what runs do, in SQLite: one file a state directory."""

from orchestrator.journal.hold import RunHold
from orchestrator.journal.journal import Journal
from orchestrator.journal.records import Owed, RunRecord, StoredEvent
from orchestrator.journal.run_events import RunEvents
from orchestrator.journal.schema import SCHEMA_VERSION

__all__ = ["SCHEMA_VERSION", "Journal", "Owed", "RunEvents", "RunHold", "RunRecord", "StoredEvent"]
