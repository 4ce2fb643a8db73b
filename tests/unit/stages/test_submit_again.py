"""Tasks that a dead program may have added: none is lost, none is counted twice, and a stranger's is seen."""

from __future__ import annotations

from collections.abc import AsyncIterator

from orchestrator.accounts.batch import AddStatus
from orchestrator.events import Event, SubmissionCompleted, TasksRejected, TasksSubmitted
from orchestrator.stages.submit import TaskBody, TaskSubmission
from tests.unit.stages.test_submit import FAST, Service, body


async def submit_again(service: Service, ids: list[str], doubtful: set[str]) -> tuple[list[Event], list[str]]:
    told: list[Event] = []
    order: list[str] = []

    async def publish(*events: Event) -> None:
        told.extend(events)

    async def intend(task_ids: tuple[str, ...]) -> None:
        order.append(f"intended {' '.join(task_ids)} after {len(service.requests)} requests")

    async def source() -> AsyncIterator[TaskBody | None]:
        for task_id in ids:
            yield body(task_id)

    submission = TaskSubmission(
        run_id="r",
        job_id="j",
        tasks=source(),
        batch=service,  # type: ignore[arg-type]  # the methods that the stage uses
        publish=publish,
        limits=FAST,
        intend=intend,
        doubtful=doubtful,
        accepted=5,
        rejected=1,
    )
    await submission.run()
    return told, order


async def test_what_is_sent_is_written_down_before() -> None:
    _, order = await submit_again(Service({}), ["a", "b"], set())
    assert order == ["intended a b after 0 requests"]


async def test_a_task_that_the_dead_program_had_added_counts_as_taken() -> None:
    service = Service({"a": [AddStatus.EXISTS]})
    told, _ = await submit_again(service, ["a", "b"], {"a"})
    (taken,) = [event.task_ids for event in told if isinstance(event, TasksSubmitted)]
    assert taken == ("a", "b")


async def test_a_task_that_it_had_not_sent_and_that_exists_is_refused() -> None:
    service = Service({"a": [AddStatus.EXISTS]})
    told, _ = await submit_again(service, ["a", "b"], {"b"})
    (refused,) = [event.rejections for event in told if isinstance(event, TasksRejected)]
    assert [task_id for task_id, _, _ in refused] == ["a"]


async def test_the_count_at_the_end_has_what_was_taken_and_refused_before() -> None:
    told, _ = await submit_again(Service({}), ["a", "b"], set())
    (end,) = [event for event in told if isinstance(event, SubmissionCompleted)]
    assert (end.accepted, end.rejected) == (7, 1)
