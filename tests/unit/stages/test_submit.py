"""Tasks are packed by number and size, every one's fate is told, and none is lost on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.accounts import TaskCounts
from orchestrator.accounts.batch import AddOutcome, AddStatus
from orchestrator.accounts.retry import Tries
from orchestrator.errors import NotFoundError, UnreachableError
from orchestrator.events import Event, SubmissionCompleted, TasksRejected, TasksSubmitted
from orchestrator.limits import Limits
from orchestrator.stages.submit import ChunkPacker, TaskBody, TaskSubmission

FAST = Limits(backoff=0.0, attempts=3, tasks_per_request=10, request_bytes=2_000)


def body(task_id: str, size: int = 0) -> TaskBody:
    return TaskBody(task_id, msgspec.json.encode({"id": task_id, "pad": "x" * size}))


@given(
    sizes=st.lists(st.integers(0, 900), max_size=60),
    most=st.integers(1, 12),
    room=st.integers(1_000, 3_000),
)
def test_chunks_keep_order_lose_nothing_and_stay_within_both_limits(
    sizes: list[int], most: int, room: int
) -> None:
    tasks = [body(f"t{index}", size) for index, size in enumerate(sizes)]
    packer = ChunkPacker(tasks_per_request=most, request_bytes=room)
    chunks = [chunk for task in tasks if (chunk := packer.add(task))]
    if rest := packer.flush():
        chunks.append(rest)
    assert [task for chunk in chunks for task in chunk] == tasks
    for chunk in chunks:
        assert len(chunk) <= most
        assert len(b'{"value":[' + b",".join(task.body for task in chunk) + b"]}") <= room


class Service:
    """Takes tasks as a script says: what happens to each id at each of its tries."""

    def __init__(self, script: dict[str, list[AddStatus]]) -> None:
        self.script = script
        self.requests: list[list[str]] = []
        self.there: set[str] = set()
        self.silent: set[str] = set()
        self.count: int | None = 0

    async def task_counts(self, job_id: str) -> TaskCounts:
        if self.count is None:
            raise UnreachableError(operation="count tasks")
        return TaskCounts(active=self.count, running=2, completed=1)

    async def get_task(self, job_id: str, task_id: str) -> None:
        if task_id in self.silent:
            raise UnreachableError(operation="get task")
        if task_id not in self.there:
            raise NotFoundError(operation="get task", status=404, code="TaskNotFound")

    async def add_tasks(
        self, job_id: str, bodies: Sequence[bytes], *, tries: Tries
    ) -> tuple[AddOutcome, ...]:
        tries.count += 1
        ids = [msgspec.json.decode(one)["id"] for one in bodies]
        self.requests.append(ids)
        outcomes = []
        for task_id in ids:
            statuses = self.script.get(task_id, [])
            status = statuses.pop(0) if statuses else AddStatus.ACCEPTED
            outcomes.append(AddOutcome(task_id=task_id, status=status, code="Code", message="why"))
        return tuple(outcomes)


async def submit(service: Service, tasks: Sequence[TaskBody | None]) -> tuple[TaskSubmission, list[Event]]:
    told: list[Event] = []

    async def publish(*events: Event) -> None:
        told.extend(events)

    async def source() -> AsyncIterator[TaskBody | None]:
        for task in tasks:
            yield task

    submission = TaskSubmission(
        run_id="r",
        job_id="j",
        tasks=source(),
        batch=service,  # type: ignore[arg-type]  # the methods that the stage uses
        publish=publish,
        limits=FAST,
    )
    await submission.run()
    return submission, told


async def test_every_task_is_accepted_once_and_the_end_is_told_last() -> None:
    service = Service({})
    counts, told = await submit(service, [body(f"t{index}") for index in range(95)])
    accepted = [task for event in told if isinstance(event, TasksSubmitted) for task in event.task_ids]
    assert sorted(accepted) == sorted(f"t{index}" for index in range(95))
    assert (counts.accepted, counts.rejected) == (95, 0)
    assert isinstance(told[-1], SubmissionCompleted)
    assert told[-1].accepted == 95


async def test_the_service_is_asked_at_the_end_how_many_there_are() -> None:
    service = Service({})
    service.count = 4
    _, told = await submit(service, [body(f"t{index}") for index in range(7)])
    assert [event.counted for event in told if isinstance(event, SubmissionCompleted)] == [7]
    assert len(service.requests) == 1


async def test_a_service_that_does_not_say_how_many_there_are_fails_no_run() -> None:
    service = Service({})
    service.count = None
    _, told = await submit(service, [body("t")])
    assert [event.counted for event in told if isinstance(event, SubmissionCompleted)] == [None]


async def test_a_task_that_the_service_failed_on_is_sent_again_alone() -> None:
    service = Service({"t3": [AddStatus.RETRY]})
    counts, _ = await submit(service, [body(f"t{index}") for index in range(5)])
    assert counts.accepted == 5
    assert service.requests == [["t0", "t1", "t2", "t3", "t4"], ["t3"]]


async def test_tasks_that_never_get_a_clear_answer_are_settled_by_asking() -> None:
    service = Service({"t1": [AddStatus.RETRY] * 9, "t2": [AddStatus.RETRY] * 9, "t3": [AddStatus.RETRY] * 9})
    service.there = {"t1"}
    service.silent = {"t3"}
    counts, told = await submit(service, [body(f"t{index}") for index in range(4)])
    rejected = [event.rejections[0][:2] for event in told if isinstance(event, TasksRejected)]
    assert (counts.accepted, counts.rejected) == (2, 2)
    assert rejected == [("t2", "NotAdded"), ("t3", "Unknown")]


async def test_what_is_ready_is_sent_before_what_has_to_be_waited_for() -> None:
    service = Service({})
    await submit(service, [body("t0"), body("t1"), None, body("t2")])
    assert service.requests == [["t0", "t1"], ["t2"]]


async def test_a_refused_task_is_told_with_its_code_and_the_others_go_on() -> None:
    counts, told = await submit(Service({"t1": [AddStatus.REFUSED]}), [body(f"t{i}") for i in range(3)])
    assert (counts.accepted, counts.rejected) == (2, 1)
    assert [event.rejections for event in told if isinstance(event, TasksRejected)] == [
        (("t1", "Code", "why"),)
    ]


async def test_an_oversize_task_is_refused_by_name_and_never_sent() -> None:
    service = Service({})
    counts, told = await submit(service, [body("small"), body("huge", 5_000), body("other")])
    assert (counts.accepted, counts.rejected) == (2, 1)
    assert "huge" not in [task for request in service.requests for task in request]
    assert [event.rejections[0][:2] for event in told if isinstance(event, TasksRejected)] == [
        ("huge", "RequestBodyTooLarge")
    ]


async def test_a_task_that_exists_counts_as_accepted_only_where_we_may_have_added_it() -> None:
    script = {"t0": [AddStatus.PERHAPS_OURS], "t1": [AddStatus.RETRY, AddStatus.EXISTS]}
    counts, _ = await submit(Service({**script, "t2": [AddStatus.EXISTS]}), [body(f"t{i}") for i in range(3)])
    assert (counts.accepted, counts.rejected) == (2, 1)
