"""Events of clean-up."""

from __future__ import annotations

from orchestrator.events.event import Event


class CleanupEvent(Event, frozen=True, kw_only=True):
    """Something about clean-up."""


class ResourceDeleted(CleanupEvent, frozen=True, kw_only=True):
    """A thing the run had created is gone (`kind`: container, job, pool)."""

    kind: str
    id: str


class ResourceKept(CleanupEvent, frozen=True, kw_only=True):
    """A thing stays, and why: a policy, an answer, or somebody else who needs it."""

    kind: str
    id: str
    reason: str


class CleanupFailed(CleanupEvent, frozen=True, kw_only=True):
    """Things could not be deleted and may still cost money: (kind, id, reason)."""

    leftovers: tuple[tuple[str, str, str], ...]


class CleanupCompleted(CleanupEvent, frozen=True, kw_only=True):
    """Clean-up is over."""

    deleted: tuple[str, ...]
    kept: tuple[str, ...]
    leftovers: tuple[str, ...]
