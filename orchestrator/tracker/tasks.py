"""Tasks: from the states that polling sees to the events of each task's life."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from orchestrator.events import (
    TaskCompleted,
    TaskFailed,
    TaskRequeued,
    TaskStarted,
    TaskStateChanged,
    TaskSucceeded,
)
from orchestrator.spec.task_set import TaskNumbers
from orchestrator.states import FailureClass, FailureInfo, TaskKey, TaskSnapshot, TaskState
from orchestrator.tracker.looks import Looks

_STATES = tuple(TaskState)
_WAITING = (TaskState.ACTIVE, TaskState.PREPARING)
_SURPRISES_KEPT = 1000

# The moves of a task whose retry and requeue counts stay as they are. Polling may miss any state on the way,
# so only going back is impossible: a task that has begun waits again after a retry or a requeue, which count.
_FORWARD = {
    TaskState.ACTIVE: {TaskState.PREPARING, TaskState.RUNNING, TaskState.COMPLETED},
    TaskState.PREPARING: {TaskState.ACTIVE, TaskState.RUNNING, TaskState.COMPLETED},
    TaskState.RUNNING: {TaskState.COMPLETED},
    TaskState.COMPLETED: set(),
    TaskState.UNKNOWN: set(_STATES),
}

_STANDING = {
    None: "not seen on the service yet",
    TaskState.ACTIVE: "active: waiting for a node, a slot, a dependency or a retry",
    TaskState.PREPARING: "preparing: waiting for the job's preparation task on the node",
    TaskState.RUNNING: "running: bringing files, executing, or uploading outputs",
    TaskState.UNKNOWN: "in a state that this version does not know",
}

# A task's last look in one int:
# microseconds since the epoch | retry count, 16 bits | requeue count, 16 bits | state, 4 bits.
_COUNT_BITS = 16
_COUNT_LIMIT = (1 << _COUNT_BITS) - 1
_STATE_BITS = 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DONE = -1
_RUNNING = _STATES.index(TaskState.RUNNING)


class Surprise(msgspec.Struct, frozen=True, kw_only=True):
    """A look at a task that can't follow from the one before; the service was believed all the same.

    Args:
        key: of the task.
        previous: the state at the look before.
        state: the state now.
        why: what is impossible about it.
    """

    key: TaskKey
    previous: TaskState
    state: TaskState
    why: str


class TaskTracker:
    """Turns looks at the tasks of one job into events.

    Every task yields at most one `TaskCompleted`, and nothing after it: for this run a task that has
    completed is over. If somebody reactivates it on the service, its second life is only noted
    (`take_surprises`), because its result was already delivered and its files may already be in use.

    Looks may repeat (delta polls overlap) and may come late: a look that is older than the last one yields
    nothing, unless it says that the task has completed, which is final whatever the clocks of the service's
    machines say.

    It keeps one small int for each task.

    Args:
        run_id: for the events.
        job_id: whose tasks they are.
        numbers: of the run's tasks; by default their names are kept as they are met.
    """

    def __init__(self, run_id: str, job_id: str, numbers: TaskNumbers | None = None) -> None:
        self._run_id = run_id
        self._job_id = job_id
        self._looks = Looks(numbers or TaskNumbers())
        self._completed = 0
        self._running = 0
        self._reactivated: dict[str, int] = {}
        self._surprises: deque[Surprise] = deque(maxlen=_SURPRISES_KEPT)

    @property
    def completed_count(self) -> int:
        """How many tasks have completed."""
        return self._completed

    def resume(self, completed: Iterable[str], seen: Iterable[tuple[str, TaskState, int]]) -> None:
        """Go on where another tracker of this run has stopped, so that what it told is not told again.

        Args:
            completed: the tasks whose completion was told.
            seen: the others that were seen: (id, last state told, count of retries).
        """
        for task_id, state, retries in seen:
            # The time of that look was not kept: 0 stands for it, and any look is newer.
            look = min(retries, _COUNT_LIMIT) << (_COUNT_BITS + _STATE_BITS) | _STATES.index(state)
            self._keep(task_id, look)
        for task_id in completed:
            self._completed += self._looks.get(task_id) != _DONE
            self._keep(task_id, _DONE)

    def running(self, ids: Iterable[str]) -> list[str]:
        """Those of the ids whose tasks were running at the last look, in the order given."""
        return [task_id for task_id in ids if _runs(self._looks.get(task_id))]

    @property
    def running_count(self) -> int:
        """How many tasks ran when they were last looked at."""
        return self._running

    def unfinished(self, ids: Iterable[str]) -> list[str]:
        """Those of the ids whose tasks have not completed, never seen ones included, in the order given."""
        return [task_id for task_id in ids if self._looks.get(task_id) != _DONE]

    def has_completed(self, task_id: str) -> bool:
        """Whether the task has completed."""
        return self._looks.get(task_id) == _DONE

    def reasons(self, ids: Iterable[str]) -> tuple[str, ...]:
        """Where those of the ids stand that have not completed, as sentences, one for each state.

        Args:
            ids: of the tasks that were accepted.
        """
        counts: Counter[TaskState | None] = Counter()
        for task_id in self.unfinished(ids):
            packed = self._looks.get(task_id)
            counts[None if packed is None else _unpack(packed).state] += 1
        return tuple(
            f"{count} {'task' if count == 1 else 'tasks'} {_STANDING[state]}"
            for state, count in sorted(counts.items(), key=lambda item: -item[1])
        )

    def take_surprises(self) -> tuple[Surprise, ...]:
        """The impossible moves since this was last called, for the caller to log; the last 1,000 at most."""
        taken = tuple(self._surprises)
        self._surprises.clear()
        return taken

    def observe(self, snapshot: TaskSnapshot) -> tuple[TaskStateChanged, ...]:
        """What this look at a task tells.

        Args:
            snapshot: the task as the service describes it now.

        Returns:
            The events in their order; mostly none or one.
        """
        packed = self._looks.get(snapshot.id)
        look = _pack(snapshot)
        if packed == look:
            return ()
        if packed == _DONE:
            self._after_completion(snapshot, look)
            return ()
        previous = None if packed is None else _unpack(packed)
        if snapshot.state is TaskState.COMPLETED:
            self._keep(snapshot.id, _DONE)
            self._completed += 1
            return (self._completion(snapshot, previous),)
        if previous is None:
            self._keep(snapshot.id, look)
            return (self._first_look(snapshot),)
        now = _unpack(look)
        if now.changed < previous.changed:
            self._note(snapshot, previous.state, "older than the look before; left out")
            return ()
        self._keep(snapshot.id, look)
        return self._move(snapshot, previous, now)

    def reactivated(self, snapshot: TaskSnapshot, reason: FailureClass) -> TaskRequeued:
        """Note that a task whose end nobody was told of runs again; its counts begin anew on the service.

        Args:
            snapshot: of that end.
            reason: the class of its failure.
        """
        packed = self._looks.get(snapshot.id)
        previous = None if packed is None else _unpack(packed).state
        waits = msgspec.structs.replace(snapshot, state=TaskState.ACTIVE, retry_count=0, requeue_count=0)
        self._keep(snapshot.id, _pack(waits))
        return TaskRequeued(
            run_id=self._run_id,
            key=TaskKey(self._job_id, snapshot.id),
            previous=previous,
            state=TaskState.ACTIVE,
            node_id=snapshot.node_id,
            retry_count=snapshot.retry_count,
            reason=reason,
            failure=snapshot.failure,
        )

    def _keep(self, task_id: str, look: int) -> None:
        self._running += _runs(look) - _runs(self._looks.get(task_id))
        self._looks.keep(task_id, look)

    def _first_look(self, snapshot: TaskSnapshot) -> TaskStateChanged:
        if snapshot.state is TaskState.RUNNING:
            return self._event(TaskStarted, snapshot, None, snapshot.state)
        if snapshot.state in _WAITING and (snapshot.retry_count or snapshot.requeue_count):
            return self._event(TaskRequeued, snapshot, None, snapshot.state)
        return self._event(TaskStateChanged, snapshot, None, snapshot.state)

    def _move(self, snapshot: TaskSnapshot, previous: _Look, now: _Look) -> tuple[TaskStateChanged, ...]:
        state = snapshot.state
        # After a resumption nobody knows when the last look was, or how often the task had been requeued.
        known = previous.changed > 0
        again = now.retries > previous.retries or (known and now.requeues > previous.requeues)
        if known and not again:
            self._check(snapshot, previous, now)
        back = state in _WAITING and previous.state is TaskState.RUNNING
        if state in _WAITING and (again or back):
            return (self._event(TaskRequeued, snapshot, previous.state, state),)
        if state is TaskState.RUNNING and again:
            # It waited between the two looks: the count says so, though nobody saw it.
            return (
                self._event(TaskRequeued, snapshot, previous.state, TaskState.ACTIVE),
                self._event(TaskStarted, snapshot, TaskState.ACTIVE, state),
            )
        if state is previous.state:
            return ()
        kind = TaskStarted if state is TaskState.RUNNING else TaskStateChanged
        return (self._event(kind, snapshot, previous.state, state),)

    def _check(self, snapshot: TaskSnapshot, previous: _Look, now: _Look) -> None:
        state = snapshot.state
        if now.retries < previous.retries or now.requeues < previous.requeues:
            self._note(snapshot, previous.state, "fewer retries or requeues than before")
        elif state is previous.state and state is TaskState.RUNNING:
            self._note(snapshot, previous.state, "began anew without a retry or requeue")
        elif state not in _FORWARD[previous.state] and state not in {previous.state, TaskState.UNKNOWN}:
            self._note(snapshot, previous.state, "went back without a retry or requeue")

    def _after_completion(self, snapshot: TaskSnapshot, look: int) -> None:
        if snapshot.state is TaskState.COMPLETED:
            # The overlap of delta polls shows it again and again; only a reactivated task's end is news.
            if self._reactivated.pop(snapshot.id, None) is not None:
                self._note(snapshot, TaskState.COMPLETED, "completed again; the run keeps its first result")
            return
        if self._reactivated.get(snapshot.id) != look:
            self._reactivated[snapshot.id] = look
            self._note(snapshot, TaskState.COMPLETED, "seen again after it had completed; left out")

    def _completion(self, snapshot: TaskSnapshot, previous: _Look | None) -> TaskCompleted:
        key = TaskKey(self._job_id, snapshot.id)
        before = None if previous is None else previous.state
        if _succeeded(snapshot):
            return TaskSucceeded(
                run_id=self._run_id,
                key=key,
                previous=before,
                state=snapshot.state,
                node_id=snapshot.node_id,
                retry_count=snapshot.retry_count,
                exit_code=snapshot.exit_code,
                started_at=snapshot.started_at,
                ended_at=snapshot.ended_at,
            )
        return TaskFailed(
            run_id=self._run_id,
            key=key,
            previous=before,
            state=snapshot.state,
            node_id=snapshot.node_id,
            retry_count=snapshot.retry_count,
            exit_code=snapshot.exit_code,
            started_at=snapshot.started_at,
            ended_at=snapshot.ended_at,
            failure=snapshot.failure or _unexplained(snapshot),
        )

    def _event(
        self,
        kind: type[TaskStateChanged],
        snapshot: TaskSnapshot,
        previous: TaskState | None,
        state: TaskState,
    ) -> TaskStateChanged:
        return kind(
            run_id=self._run_id,
            key=TaskKey(self._job_id, snapshot.id),
            previous=previous,
            state=state,
            node_id=snapshot.node_id,
            retry_count=snapshot.retry_count,
        )

    def _note(self, snapshot: TaskSnapshot, previous: TaskState, why: str) -> None:
        key = TaskKey(self._job_id, snapshot.id)
        self._surprises.append(Surprise(key=key, previous=previous, state=snapshot.state, why=why))


class _Look(NamedTuple):
    changed: int
    retries: int
    requeues: int
    state: TaskState


def _pack(snapshot: TaskSnapshot) -> int:
    packed = (snapshot.state_changed - _EPOCH) // _MICROSECOND
    packed = packed << _COUNT_BITS | min(snapshot.retry_count, _COUNT_LIMIT)
    packed = packed << _COUNT_BITS | min(snapshot.requeue_count, _COUNT_LIMIT)
    return packed << _STATE_BITS | _STATES.index(snapshot.state)


def _runs(packed: int | None) -> bool:
    return packed is not None and packed != _DONE and packed & ((1 << _STATE_BITS) - 1) == _RUNNING


def _unpack(packed: int) -> _Look:
    state = _STATES[packed & ((1 << _STATE_BITS) - 1)]
    packed >>= _STATE_BITS
    requeues = packed & _COUNT_LIMIT
    packed >>= _COUNT_BITS
    return _Look(packed >> _COUNT_BITS, packed & _COUNT_LIMIT, requeues, state)


def _succeeded(snapshot: TaskSnapshot) -> bool:
    if snapshot.succeeded is not None:
        return snapshot.succeeded
    return snapshot.failure is None and snapshot.exit_code == 0


def _unexplained(snapshot: TaskSnapshot) -> FailureInfo:
    # A TaskResult tells success from failure by its `failure`, so a failure always has one.
    how = "did not start" if snapshot.exit_code is None else f"ended with exit code {snapshot.exit_code}"
    return FailureInfo(
        category="servererror",
        code="Unexplained",
        message=f"the task {how}; the service calls that a failure and gives no reason",
    )
