"""Which records changed, collected as values: whoever writes them down asks for all of them at once.

A record notes itself when one of its members is set, so that nobody who changes one can forget to. What
changes inside a member is not seen: `touch` says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

from msgspec import Struct


class ResourceKey(NamedTuple):
    """Where a pool, node or job is kept."""

    kind: str
    name: str
    """Lower-cased; a node's is behind its pool's and a slash."""


class TaskKey(NamedTuple):
    """Where a task is kept."""

    job: str
    """Lower-cased id."""
    sequence: int


Key = ResourceKey | TaskKey


class Notes(Protocol):
    """Whoever collects changes."""

    def note(self, record: Tracked) -> None:
        """Remember that a record changed, or is new."""

    def remove(self, record: Tracked) -> None:
        """Remember that a record went, and listen to it no more."""


class Tracked(Struct, eq=False, kw_only=True, omit_defaults=True):
    """A record that notes itself when a member is set; one that nobody collects changes of costs nothing."""

    live: ClassVar[frozenset[str]] = frozenset()
    """Members that mean nothing after a restart, or follow from the others."""

    notes: Any = None
    """Its `Notes`, if there are any."""

    @property
    def key(self) -> Key:
        """Where it is kept."""
        raise NotImplementedError

    def __setattr__(self, name: str, value: object) -> None:
        Struct.__setattr__(self, name, value)
        if self.notes is not None:
            self.notes.note(self)

    def touch(self) -> None:
        """Note that something inside a member changed."""
        if self.notes is not None:
            self.notes.note(self)

    def attach(self, notes: Notes | None) -> None:
        """Have changes from now on noted; the record as it is counts as kept.

        Args:
            notes: that collect them.
        """
        Struct.__setattr__(self, "notes", notes)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeSet:
    """What changed between two looks. Removals come first: an id may be taken again.

    Args:
        removed: keys of records that went; with a job all of its tasks.
        changed: records that are new or changed.
        satisfied: job and task of what dependents need not wait for any more, both lower-cased.
    """

    removed: tuple[Key, ...]
    changed: tuple[Tracked, ...]
    satisfied: tuple[tuple[str, str], ...]


class Changes:
    """Of a whole account.

    Args:
        wake: called when there is something to take and was nothing before.
    """

    __slots__ = ("_changed", "_removed", "_satisfied", "_wake")

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._changed: dict[Tracked, None] = {}
        self._removed: list[Key] = []
        self._satisfied: list[tuple[str, str]] = []

    @property
    def pending(self) -> bool:
        """Whether there is something to take."""
        return bool(self._changed or self._removed or self._satisfied)

    def note(self, record: Tracked) -> None:
        """Remember that a record changed, or is new.

        Args:
            record: that tells it.
        """
        if not self.pending:
            self._wake()
        self._changed[record] = None

    def add(self, record: Tracked) -> None:
        """Listen to a new record.

        Args:
            record: that nobody listens to.
        """
        record.attach(self)
        self.note(record)

    def remove(self, record: Tracked) -> None:
        """Remember that a record went, and listen to it no more.

        Args:
            record: that was added before.
        """
        if not self.pending:
            self._wake()
        record.attach(None)
        self._changed.pop(record, None)
        self._removed.append(record.key)

    def satisfy(self, job: str, task: str) -> None:
        """Remember that a job's tasks need not wait for one of them any more.

        Args:
            job: lower-cased id.
            task: lower-cased id.
        """
        if not self.pending:
            self._wake()
        self._satisfied.append((job, task))

    def forget(self, branch: JobChanges, job: str) -> None:
        """Drop what a job's tasks told: the job itself goes.

        Args:
            branch: of the job.
            job: lower-cased id.
        """
        for record in [one for one in self._changed if one.notes is branch]:
            del self._changed[record]
        self._satisfied = [one for one in self._satisfied if one[0] != job]

    def take(self) -> ChangeSet:
        """Give everything that changed since the last time."""
        taken = ChangeSet(
            removed=tuple(self._removed), changed=tuple(self._changed), satisfied=tuple(self._satisfied)
        )
        self._changed, self._removed, self._satisfied = {}, [], []
        return taken


class JobChanges:
    """Of one job's tasks: cut off as a whole when the job goes, however many they are.

    Args:
        account: that the job is in; None once the job went.
    """

    __slots__ = ("account",)

    def __init__(self, account: Changes | None) -> None:
        self.account = account

    def note(self, record: Tracked) -> None:
        """Remember that a task changed, or is new.

        Args:
            record: that tells it.
        """
        if self.account is not None:
            self.account.note(record)

    def remove(self, record: Tracked) -> None:
        """Remember that a task went.

        Args:
            record: that was added before.
        """
        if self.account is not None:
            self.account.remove(record)

    def satisfy(self, job: str, task: str) -> None:
        """Remember that the job's tasks need not wait for one of them any more.

        Args:
            job: lower-cased id.
            task: lower-cased id.
        """
        if self.account is not None:
            self.account.satisfy(job, task)

    def cut(self, job: str) -> None:
        """Listen to the job's tasks no more.

        Args:
            job: lower-cased id.
        """
        if self.account is not None:
            self.account.forget(self, job)
            self.account = None
