"""What must hold at the end of a run that was crashed: pure; each tells what is wrong, or None."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum

from orchestrator.events import (
    Event,
    InputStaged,
    JobSettled,
    OutputDownloaded,
    OutputsDownloaded,
    RunFinished,
    TaskAbandoned,
    TaskCompleted,
    TasksSubmitted,
    TaskStateChanged,
)


class Reruns(Enum):
    """Whether a command may have begun more than once: the service runs anew what ran when it died."""

    NEVER = "never"
    ALLOWED = "allowed"


def commands_problem(ran: Mapping[str, int], tasks: Collection[str], reruns: Reruns) -> str | None:
    """Whether each task's command ran, and no other's.

    Args:
        ran: how often each did, by task.
        tasks: those of the job.
        reruns: whether one may have run more than once.
    """
    if reruns is Reruns.ALLOWED:
        ran = dict.fromkeys(ran, 1)
    return _difference("ran", Counter(dict(ran)).elements(), tasks)


def events_problem(events: Sequence[Event], tasks: Collection[str]) -> str | None:
    """Whether a run's events, in order, tell that everything happened once.

    Args:
        events: of the journal.
        tasks: those of the job, each with one input.
    """
    added = (one for event in events if isinstance(event, TasksSubmitted) for one in event.task_ids)
    ended = (event.key.task_id for event in events if isinstance(event, TaskCompleted))
    brought = (event.key.task_id for event in events if isinstance(event, OutputsDownloaded))
    staged = (event.index for event in events if isinstance(event, InputStaged))
    settled = (type(event).__name__ for event in events if isinstance(event, JobSettled))
    finished = (event.sequence for event in events if isinstance(event, RunFinished))
    numbers = (event.sequence for event in events)
    return (
        _difference("number", numbers, range(1, len(events) + 1))
        or _difference("accepted", added, tasks)
        or _difference("completed", ended, tasks)
        or _difference("downloaded", brought, tasks)
        or _difference("staged", staged, range(len(tasks)))
        or _difference("job", settled, ["JobSettled"])
        or _difference("run finished", finished, [len(events)])
        or _after_the_end(events)
    )


def _after_the_end(events: Iterable[Event]) -> str | None:
    over: set[str] = set()
    for event in events:
        if isinstance(event, TaskStateChanged | TaskAbandoned) and event.key.task_id in over:
            return f"{type(event).__name__} of {event.key.task_id} comes after its end"
        if isinstance(event, TaskCompleted):
            over.add(event.key.task_id)
    return None


def files_problem(events: Iterable[Event], here: Collection[str]) -> str | None:
    """Whether each file that is here was told of once, and none that is not.

    Args:
        events: of the journal.
        here: paths of the files.
    """
    return _difference(
        "file", (str(event.path) for event in events if isinstance(event, OutputDownloaded)), here
    )


def handler_problem(handled: Iterable[int], events: Sequence[Event]) -> str | None:
    """Whether a handler got every event at least once.

    Args:
        handled: the numbers of those that it got, in any order.
        events: of the journal.
    """
    return _difference("handled", set(handled), [event.sequence for event in events])


Traffic = Mapping[tuple[str, str], int]
"""How often storage was asked, by method and by the path of container and blob."""


def traffic_problem(
    before: Traffic, after: Traffic, *, staged: Iterable[str], brought: Iterable[str]
) -> str | None:
    """Whether a program that took a run up left alone what the journal knew to be done.

    Args:
        before: what was asked until the program began.
        after: until it ended.
        staged: blobs that were known to be uploaded when it began.
        brought: blobs that were known to be on this disk.
    """
    wrong = [one for one in _requests(staged, brought) if after.get(one, 0) != before.get(one, 0)]
    return f"asked again: {_some(wrong)}" if wrong else None


def requests_problem(
    traffic: Traffic, *, staged: Iterable[str], brought: Iterable[str], kills: int
) -> str | None:
    """Whether everything was uploaded and fetched, and no more often than the kills can explain.

    Args:
        traffic: of the whole run.
        staged: blobs of its inputs.
        brought: blobs of its outputs.
        kills: programs that were killed; each may have been killed between a request and its record.
    """
    wrong = [one for one in _requests(staged, brought) if not 1 <= traffic.get(one, 0) <= 1 + kills]
    return f"asked never or too often: {_some(wrong)}" if wrong else None


def _requests(staged: Iterable[str], brought: Iterable[str]) -> list[tuple[str, str]]:
    return [*(("PUT", blob) for blob in staged), *(("GET", blob) for blob in brought)]


def _some(wrong: Collection[object]) -> str:
    names = sorted(" ".join(map(str, one)) if isinstance(one, tuple) else str(one) for one in wrong)
    return f"{len(names)} such as {', '.join(names[:5])}"


def _difference(what: str, came: Iterable[object], once: Iterable[object]) -> str | None:
    found, wanted = Counter(came), frozenset(once)
    wrong = [name for name in found.keys() | wanted if found[name] != (name in wanted)]
    return f"{what} not once: {_some(wrong)}" if wrong else None
