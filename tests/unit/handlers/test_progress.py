"""Events add up to where a run stands."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from orchestrator.events import (
    Event,
    InputStaged,
    NodeStateChanged,
    OutputDownloaded,
    OutputsDownloaded,
    PoolChanged,
    RunStarted,
    RunStateChanged,
    StagingStarted,
    SubmissionCompleted,
    TaskAbandoned,
    TaskFailed,
    TasksSubmitted,
    TaskStarted,
    utc_now,
)
from orchestrator.handlers import Progress, ProgressHandler
from orchestrator.states import (
    AllocationState,
    FailureInfo,
    NodeState,
    PoolState,
    RunState,
    TaskKey,
    TaskState,
)

FAILURE = FailureInfo(category="usererror", code="FailureExitCode")


def started(task: str) -> TaskStarted:
    return TaskStarted(run_id="r", key=TaskKey("j", task), previous=None, state=TaskState.RUNNING)


def failed(task: str) -> TaskFailed:
    return TaskFailed(
        run_id="r",
        key=TaskKey("j", task),
        previous=TaskState.RUNNING,
        state=TaskState.COMPLETED,
        exit_code=3,
        failure=FAILURE,
    )


def node(name: str, previous: NodeState | None, state: NodeState) -> NodeStateChanged:
    return NodeStateChanged(run_id="r", pool_id="p", node_id=name, previous=previous, state=state)


async def after(*events: Event) -> Progress:
    handler = ProgressHandler(timeout=timedelta(minutes=20))
    for event in events:
        await handler.handle(event)
    return handler.snapshot


async def test_nothing_has_happened_before_the_first_event() -> None:
    assert await after() == Progress()


async def test_tasks_are_counted_by_their_state() -> None:
    progress = await after(
        TasksSubmitted(run_id="r", job_id="j", task_ids=("a", "b", "c")),
        started("a"),
        started("b"),
        failed("a"),
    )
    assert dict(progress.tasks_by_state) == {
        TaskState.ACTIVE: 1,
        TaskState.RUNNING: 1,
        TaskState.COMPLETED: 1,
    }
    assert progress.tasks_failed == 1
    assert progress.failures == (("a", "exit code 3: FailureExitCode"),)


async def test_a_task_seen_before_its_submission_was_answered_is_counted_once() -> None:
    progress = await after(started("a"), TasksSubmitted(run_id="r", job_id="j", task_ids=("a",)))
    assert dict(progress.tasks_by_state) == {TaskState.RUNNING: 1}


async def test_the_delay_from_a_tasks_end_to_its_event_is_kept_as_average_and_longest() -> None:
    now = utc_now()
    events = [
        msgspec.structs.replace(failed(f"t{seconds}"), time=now, ended_at=now - timedelta(seconds=seconds))
        for seconds in (1, 5, -3)  # the last one by a clock that is ahead of ours
    ]
    progress = await after(*events, failed("never ran"))
    assert (progress.detection_delay, progress.detection_delay_longest) == (2.0, 5.0)


async def test_nodes_are_counted_by_their_state_without_those_that_left() -> None:
    progress = await after(
        PoolChanged(
            run_id="r",
            pool_id="p",
            state=PoolState.ACTIVE,
            allocation_state=AllocationState.RESIZING,
            current_nodes=2,
            target_nodes=3,
        ),
        node("a", None, NodeState.STARTING),
        node("b", None, NodeState.STARTING),
        node("a", NodeState.STARTING, NodeState.IDLE),
        node("b", NodeState.STARTING, NodeState.LEAVING_POOL),
    )
    assert dict(progress.nodes_by_state) == {NodeState.IDLE: 1}
    assert (progress.nodes, progress.target_nodes) == (2, 3)


async def test_files_and_bytes_are_counted_both_ways() -> None:
    staged = InputStaged(run_id="r", name="n", container="c", blob="b", size=5, md5="", started_at=utc_now())
    key = TaskKey("j", "a")
    progress = await after(
        StagingStarted(run_id="r", files=2, containers=()),
        staged,
        staged,
        OutputDownloaded(run_id="r", key=key, path=Path("x"), size=7),
        OutputsDownloaded(run_id="r", key=key, outputs=(Path("x"),), size=7),
        TaskAbandoned(run_id="r", key=key, reason="x"),
    )
    assert (progress.files, progress.files_staged, progress.bytes_staged) == (2, 2, 10)
    assert (progress.tasks_downloaded, progress.outputs, progress.bytes_downloaded) == (1, 1, 7)
    assert progress.tasks_abandoned == 1


async def test_the_deadline_counts_from_the_end_of_submission() -> None:
    over = SubmissionCompleted(run_id="r", job_id="j", accepted=1, rejected=0)
    progress = await after(
        RunStarted(
            run_id="r", job_id="j", pool_id="p", inputs=3, tasks=3, account="local", download_dir=Path("d")
        ),
        RunStateChanged(run_id="r", previous=None, state=RunState.STAGING),
        over,
    )
    assert progress.deadline == over.time + timedelta(minutes=20)
    assert (progress.run_state, progress.tasks, progress.files) == (RunState.STAGING, 3, 3)


async def test_whoever_shows_it_is_told_of_each_change() -> None:
    changes: list[int] = []
    handler = ProgressHandler(changed=lambda: changes.append(1))
    await handler.handle(started("a"))
    await handler.handle(failed("a"))
    assert len(changes) == 2


@pytest.fixture
def threads_that_alternate_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("threads_that_alternate_often")
async def test_another_thread_may_look_while_events_are_counted() -> None:
    handlers = [ProgressHandler()]
    over = threading.Event()
    failures: list[Exception] = []

    def look() -> None:
        while not over.is_set() and not failures:
            try:
                _ = handlers[-1].snapshot
            except RuntimeError as error:
                failures.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(300):
            # A fresh one each time, since only a state that was not there yet changes a count's size.
            handlers.append(ProgressHandler())
            for state in NodeState:
                await handlers[-1].handle(node("n", None, state))
    finally:
        over.set()
        thread.join()
    assert failures == []
