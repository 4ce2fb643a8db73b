"""The durable record of what runs do, in SQLite: one file a state directory."""

from orchestrator.journal.journal import Journal, Owed
from orchestrator.journal.schema import SCHEMA_VERSION

__all__ = ["SCHEMA_VERSION", "Journal", "Owed"]
