"""Reads the records of an earlier run. All of it blocks."""

from __future__ import annotations

import itertools
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from orchestrator.local.batch.persistence.schema import StateFileError, naming
from orchestrator.local.batch.store.records import JobRecord, NodeRecord, PoolRecord, TaskRecord
from orchestrator.local.batch.store.schedules import ScheduleRecord

T = TypeVar("T")

_SHARED: Final = ("constraints", "userIdentity")
"""Members of a task's spec that most tasks have alike: one copy does for all."""

_MOST_RECENT: Final = 10


@dataclass(slots=True)
class Loaded:
    """What there was. Nodes are in their pools, tasks in their jobs.

    Args:
        pools: in any order.
        jobs: in any order.
        schedules: in any order.
    """

    pools: list[PoolRecord] = field(default_factory=list)
    jobs: list[JobRecord] = field(default_factory=list)
    schedules: list[ScheduleRecord] = field(default_factory=list)


def load(connection: sqlite3.Connection, path: Path) -> Loaded:
    """Read everything.

    Args:
        connection: to the state file.
        path: of the file, for errors.

    Returns:
        The records as they were at the last commit.

    Raises:
        StateFileError: if anything in it can't be read: to go on without would be to lose it silently.
    """
    with naming(path):
        return _Loading(connection, path).load()


class _Loading:
    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._shared: dict[str, Any] = {}
        self._nodes: dict[str, NodeRecord] = {}

    def load(self) -> Loaded:
        pools = self._resources("pool", PoolRecord)
        jobs = self._resources("job", JobRecord)
        schedules = self._resources("schedule", ScheduleRecord)
        known = {"pool", "node", "job", "schedule"}
        for (kind,) in self._connection.execute("SELECT DISTINCT kind FROM resources"):
            if kind not in known:
                raise StateFileError(self._path, f"it holds records of a kind not known here: {kind}")
        for name, node in self._resources("node", NodeRecord).items():
            self._owner(pools, node.pool_id.lower(), f"node {name}").nodes.add(node.id, node)
            self._nodes[name] = node
        for job_name, task_name in self._connection.execute("SELECT job, task FROM satisfied"):
            self._owner(jobs, job_name, f"task {task_name}").dependencies.satisfy(task_name)
        self._tasks(jobs)
        for node in self._nodes.values():
            node.recent = _latest(node.recent)
        return Loaded(list(pools.values()), list(jobs.values()), list(schedules.values()))

    def _resources(self, kind: str, record: type[T]) -> dict[str, T]:
        decoder = msgspec.msgpack.Decoder(record)
        rows = self._connection.execute("SELECT name, record FROM resources WHERE kind=?", (kind,))
        return {name: self._read(decoder, blob, f"{kind} {name}") for name, blob in rows}

    def _tasks(self, jobs: dict[str, JobRecord]) -> None:
        decoder = msgspec.msgpack.Decoder(TaskRecord)
        job_name, job, last = "", None, -1
        rows = self._connection.execute("SELECT job, sequence, record FROM tasks ORDER BY job, sequence")
        for name, sequence, blob in rows:
            if job is None or name != job_name:
                self._number_on(job, last)
                job_name, job = name, self._owner(jobs, name, f"task number {sequence}")
            task = self._read(decoder, blob, f"task number {sequence} of job {name}")
            self._share(task)
            job.add_task(task)
            last = sequence
            if task.pool_id is not None and task.ended:
                self._remember(task)
        self._number_on(job, last)

    @staticmethod
    def _number_on(job: JobRecord | None, last: int) -> None:
        if job is not None:
            job.sequences = itertools.count(last + 1)

    def _share(self, task: TaskRecord) -> None:
        spec = task.spec
        if isinstance(spec, dict):
            for member in _SHARED:
                if member not in spec:
                    continue
                if spec[member] == self._shared.get(member):
                    spec[member] = self._shared[member]
                else:
                    self._shared[member] = spec[member]

    def _remember(self, task: TaskRecord) -> None:
        node = self._nodes.get(f"{task.pool_id}/{task.node_id}".lower())
        if node is not None:
            node.recent.append(task)
            if len(node.recent) > 2 * _MOST_RECENT:
                node.recent = _latest(node.recent)

    def _read(self, decoder: msgspec.msgpack.Decoder[T], blob: bytes, what: str) -> T:
        try:
            return decoder.decode(blob)
        except (msgspec.DecodeError, TypeError) as error:
            raise StateFileError(self._path, f"{what} can't be read: {error}") from error

    def _owner(self, owners: dict[str, T], name: str, what: str) -> T:
        owner = owners.get(name)
        if owner is None:
            raise StateFileError(self._path, f"{what} belongs to {name}, which is not there")
        return owner


def _latest(tasks: list[TaskRecord]) -> list[TaskRecord]:
    return sorted(tasks, key=lambda task: -task.ended)[:_MOST_RECENT]
