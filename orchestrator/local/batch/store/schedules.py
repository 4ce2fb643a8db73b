"""Job schedules as they are kept and shown, and when they make their next job: decided here, made elsewhere.

Sources of facts: recorded (order of members, nextRunTime, the first job at once); the REST page "Add a job
schedule to an account" (recurrence, start window, one active job at most).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Any, Final

from orchestrator.local.batch.store.changes import ResourceKey, Tracked
from orchestrator.local.batch.store.states import check_move
from orchestrator.local.wire.times import etag, parse_duration, parse_timestamp, timestamp

Spec = Mapping[str, Any]


class ScheduleState(StrEnum):
    """Of a job schedule."""

    ACTIVE = "active"
    DISABLED = "disabled"
    TERMINATING = "terminating"
    COMPLETED = "completed"
    DELETING = "deleting"


_ENDS: Final = frozenset({ScheduleState.TERMINATING, ScheduleState.COMPLETED, ScheduleState.DELETING})
_MOVES: Final[Mapping[ScheduleState, frozenset[ScheduleState]]] = {
    ScheduleState.ACTIVE: _ENDS | {ScheduleState.DISABLED},
    ScheduleState.DISABLED: _ENDS | {ScheduleState.ACTIVE},
    ScheduleState.TERMINATING: frozenset({ScheduleState.COMPLETED, ScheduleState.DELETING}),
    ScheduleState.COMPLETED: frozenset({ScheduleState.DELETING}),
    ScheduleState.DELETING: frozenset(),
}

SCHEDULE_MEMBERS: Final = frozenset(
    {
        *("id", "displayName", "url", "eTag", "lastModified", "creationTime", "state", "stateTransitionTime"),
        *("previousState", "previousStateTransitionTime", "schedule", "jobSpecification", "executionInfo"),
        *("metadata", "stats"),
    }
)


class ScheduleRecord(Tracked, eq=False):
    """A job schedule."""

    id: str
    spec: Spec
    created: int
    modified: int
    state_since: int
    state: ScheduleState = ScheduleState.ACTIVE
    previous_state: ScheduleState | None = None
    previous_since: int = 0
    due: int = 0
    """When the next job is to be made; 0 for never."""
    runs: int = 0
    """Jobs that it made."""
    ended: int = 0
    auto_pool_id: str | None = None
    """The pool of all its jobs, if they have one of their own."""

    @property
    def key(self) -> ResourceKey:
        """Where it is kept."""
        return ResourceKey("schedule", self.id.lower())

    @property
    def recent_job(self) -> str | None:
        """The id of the job made last."""
        return f"{self.id}:job-{self.runs}" if self.runs else None

    @property
    def runs_on(self) -> bool:
        """Whether it still makes jobs, or will when it is enabled again."""
        return self.state in (ScheduleState.ACTIVE, ScheduleState.DISABLED)

    def move(self, to: ScheduleState, at: int) -> None:
        """Change the state, remembering the one before unless it was transient.

        Args:
            to: the new state.
            at: when.

        Raises:
            ImpossibleMoveError: when the table does not list it.
        """
        check_move(_MOVES, self.state, to, f"job schedule {self.id}")
        if self.state is not ScheduleState.TERMINATING:
            self.previous_state, self.previous_since = self.state, self.state_since
        self.state, self.state_since = to, at

    def replan(self, at: int) -> None:
        """Count the recurrences anew, after the times were set or changed.

        Args:
            at: when.
        """
        first = self.spec["schedule"].get("doNotRunUntil")
        begin = max(at, parse_timestamp(first)) if first else at
        self.due = begin if not self.runs else _next(self.spec["schedule"], begin, begin)

    def note_run(self, at: int) -> None:
        """Take note that a job is made.

        Args:
            at: when.
        """
        self.runs += 1
        self.due = _next(self.spec["schedule"], self.due, at)

    def pass_by(self, at: int) -> None:
        """Take note that the time for a job has passed without one.

        Args:
            at: when.
        """
        self.due = _next(self.spec["schedule"], self.due, at)


def _next(times: Spec, due: int, at: int) -> int:
    if "recurrenceInterval" not in times:
        return 0
    interval = max(1, parse_duration(times["recurrenceInterval"]))
    return due + interval * ((max(at, due) - due) // interval + 1)


class What(Enum):
    """What a schedule does now."""

    MAKE_A_JOB = auto()
    PASS_BY = auto()
    WAIT = auto()
    COMPLETE = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """A decision.

    Args:
        what: to do.
        until: when to look again at the latest; None while only the end of a job matters.
    """

    what: What
    until: int | None = None


def decide(schedule: ScheduleRecord, *, job_open: bool, at: int) -> Step:
    """Decide what a schedule does now.

    Args:
        schedule: active or disabled.
        job_open: whether its last job goes on.
        at: now.
    """
    times = schedule.spec["schedule"]
    last = parse_timestamp(times["doNotRunAfter"]) if "doNotRunAfter" in times else None
    if not schedule.due or (last is not None and max(at, schedule.due) > last):
        return Step(What.WAIT) if job_open else Step(What.COMPLETE)
    if at < schedule.due:
        return Step(What.WAIT, schedule.due)
    window = parse_duration(times["startWindow"]) if "startWindow" in times else None
    closes = None if window is None else schedule.due + window
    if closes is not None and at > closes:
        return Step(What.PASS_BY)
    if job_open or schedule.state is ScheduleState.DISABLED:
        return Step(What.WAIT, closes if closes is None else closes + 1)
    return Step(What.MAKE_A_JOB)


def schedule_wire(schedule: ScheduleRecord, account_url: str) -> dict[str, Any]:
    """Show a job schedule.

    Args:
        schedule: the record.
        account_url: without a slash at the end.
    """
    spec = schedule.spec
    wire: dict[str, Any] = {"id": schedule.id}
    if "displayName" in spec:
        wire["displayName"] = spec["displayName"]
    wire["url"] = f"{account_url}/jobschedules/{schedule.id}"
    wire["eTag"] = etag(schedule.modified)
    wire["lastModified"] = timestamp(schedule.modified)
    wire["creationTime"] = timestamp(schedule.created)
    wire["state"] = schedule.state.value
    wire["stateTransitionTime"] = timestamp(schedule.state_since)
    if schedule.previous_state is not None:
        wire["previousState"] = schedule.previous_state.value
        wire["previousStateTransitionTime"] = timestamp(schedule.previous_since)
    wire["schedule"] = spec["schedule"]
    wire["jobSpecification"] = spec["jobSpecification"]
    info: dict[str, Any] = {}
    if schedule.due and not schedule.ended:
        info["nextRunTime"] = timestamp(schedule.due)
    if schedule.recent_job is not None:
        url = f"{account_url}/jobs/{schedule.recent_job}"
        info["recentJob"] = {"url": url, "id": schedule.recent_job}
    if schedule.ended:
        info["endTime"] = timestamp(schedule.ended)
    wire["executionInfo"] = info
    if "metadata" in spec:
        wire["metadata"] = spec["metadata"]
    return wire
