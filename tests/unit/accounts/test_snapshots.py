"""The service's answers become snapshots whatever their case and whatever they leave out."""

from __future__ import annotations

import gc
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.accounts import snapshots
from orchestrator.states import (
    AllocationState,
    FailureInfo,
    JobState,
    NodeState,
    PoolState,
    TaskState,
)

# As the service sent it in 2022 (recorded), shortened.
_COMPLETED_TASK: dict[str, Any] = {
    "odata.metadata": "https://acc/$metadata#tasks/@Element",
    "id": "myTask",
    "state": "completed",
    "stateTransitionTime": "2022-09-06T23:45:31.1681527Z",
    "previousState": "running",
    "previousStateTransitionTime": "2022-09-06T23:45:30.59011Z",
    "commandLine": '/bin/bash -c "echo test"',
    "executionInfo": {
        "startTime": "2022-09-06T23:45:30.635053Z",
        "endTime": "2022-09-06T23:45:31.168152Z",
        "exitCode": 0,
        "result": "success",
        "retryCount": 1,
        "requeueCount": 2,
    },
    "nodeInfo": {"nodeId": "tvmps_1_d", "poolId": "P"},
}


def wire(value: object) -> bytes:
    return json.dumps(value).encode()


def test_a_completed_task_is_read_whole() -> None:
    task = snapshots.task_snapshot(wire(_COMPLETED_TASK))
    assert task.state is TaskState.COMPLETED
    assert task.state_changed == datetime(2022, 9, 6, 23, 45, 31, 168152, tzinfo=UTC)
    assert task.cursor == "2022-09-06T23:45:31.1681527Z"
    assert task.previous_state is TaskState.RUNNING
    assert (task.exit_code, task.succeeded, task.failure) == (0, True, None)
    assert task.started_at == datetime(2022, 9, 6, 23, 45, 30, 635053, tzinfo=UTC)
    assert (task.retry_count, task.requeue_count, task.node_id) == (1, 2, "tvmps_1_d")


def test_a_young_task_has_next_to_nothing() -> None:
    task = snapshots.task_snapshot(b'{"id":"t","state":"active","executionInfo":{"retryCount":0}}')
    assert task.state is TaskState.ACTIVE
    assert (task.succeeded, task.exit_code, task.node_id, task.previous_state) == (None, None, None, None)
    assert task.state_changed.tzinfo is not None


@given(st.sampled_from(["completed", "COMPLETED", "Completed"]), st.sampled_from(["Failure", "failure"]))
def test_states_and_results_are_compared_without_case(state: str, result: str) -> None:
    told = {**_COMPLETED_TASK, "state": state, "executionInfo": {"exitCode": 3, "result": result}}
    task = snapshots.task_snapshot(wire(told))
    assert task.state is TaskState.COMPLETED
    assert task.succeeded is False


@pytest.mark.parametrize(("exit_code", "succeeded"), [(0, True), (3, False), (None, False)])
def test_without_a_result_the_exit_code_decides(exit_code: int | None, succeeded: bool) -> None:
    ran = {} if exit_code is None else {"exitCode": exit_code}
    task = snapshots.task_snapshot(wire({"id": "t", "state": "completed", "executionInfo": ran}))
    assert task.succeeded is succeeded


def test_a_state_of_the_future_is_unknown() -> None:
    assert snapshots.task_snapshot(b'{"id":"t","state":"teleporting"}').state is TaskState.UNKNOWN


def test_a_failure_is_told_without_the_signature_of_its_address() -> None:
    failure = {
        "category": "UserError",
        "code": "BlobNotFound",
        "message": "Not at https://h/c/b?sig=c2VjcmV0",
        "details": [{"name": "FilePath", "value": "https://h/c/b?sig=c2VjcmV0"}, {"name": "Nothing"}],
    }
    told = {**_COMPLETED_TASK, "executionInfo": {"result": "failure", "failureInfo": failure}}
    assert snapshots.task_snapshot(wire(told)).failure == FailureInfo(
        category="usererror",
        code="BlobNotFound",
        message="Not at https://h/c/b",
        details=(("FilePath", "https://h/c/b"), ("Nothing", "")),
    )


def test_a_page_of_tasks_has_its_link() -> None:
    body = wire({"value": [_COMPLETED_TASK] * 3, "odata.nextLink": "https://acc/jobs/j/tasks?$skiptoken=x"})
    tasks, link = snapshots.task_page(body)
    assert [task.id for task in tasks] == ["myTask"] * 3
    assert link == "https://acc/jobs/j/tasks?$skiptoken=x"
    assert snapshots.task_page(b'{"value":[]}') == ([], None)


def test_a_page_of_tasks_leaves_the_collector_nothing_to_look_at() -> None:
    body = b'{"value":[{"id":"a","state":"running","executionInfo":{"startTime":"2026-01-02T03:04:05Z"}}]}'
    before = gc.get_count()[0]
    tasks = [snapshots.task_page(body)[0][0] for _ in range(200)]
    # Each of the very many would bring a pause of the event loop nearer.
    assert gc.get_count()[0] - before < len(tasks)
    assert not any(map(gc.is_tracked, tasks))


def test_a_job_tells_where_it_runs_and_why_it_ended() -> None:
    job = snapshots.job_snapshot(
        wire(
            {
                "id": "j",
                "state": "Completed",
                "poolInfo": {"poolId": "p"},
                "executionInfo": {
                    "terminateReason": "AllTasksComplete",
                    "schedulingError": {"category": "UserError", "code": "InvalidAutoPoolSettings"},
                },
                "metadata": [{"name": "run", "value": "r"}],
            }
        )
    )
    assert (job.state, job.pool_id, job.terminate_reason) == (JobState.COMPLETED, "p", "AllTasksComplete")
    assert job.failure is not None
    assert job.failure.code == "InvalidAutoPoolSettings"
    assert job.metadata == (("run", "r"),)


def test_a_pool_keeps_its_body_but_does_not_print_it() -> None:
    url = "https://h/c/b?sig=c2VjcmV0"
    pool = snapshots.pool_snapshot(
        wire(
            {
                "id": "p",
                "state": "active",
                "allocationState": "Steady",
                "currentDedicatedNodes": 1,
                "targetDedicatedNodes": "2",
                "vmSize": "standard_d2s_v3",
                "startTask": {"commandLine": "go", "resourceFiles": [{"httpUrl": url}]},
                "resizeErrors": [
                    {"code": "AllocationTimedout", "message": "m", "values": [{"name": "n", "value": "v"}]}
                ],
            }
        )
    )
    assert (pool.state, pool.allocation_state) == (PoolState.ACTIVE, AllocationState.STEADY)
    assert (pool.current_dedicated_nodes, pool.target_dedicated_nodes) == (1, 2)
    assert pool.resize_errors == (
        FailureInfo(category="", code="AllocationTimedout", message="m", details=(("n", "v"),)),
    )
    assert pool.start_task_command == "go"
    assert pool.body["startTask"] == {"commandLine": "go", "resourceFiles": [{"httpUrl": url}]}
    assert "c2VjcmV0" not in repr(pool)


def test_a_node_tells_what_is_wrong_with_it() -> None:
    node = snapshots.node_snapshot(
        wire(
            {
                "id": "n",
                "state": "starttaskfailed",
                "isDedicated": False,
                "errors": [
                    {"code": "DiskFull", "message": "m", "errorDetails": [{"name": "a", "value": "b"}]}
                ],
                "startTaskInfo": {
                    "exitCode": 7,
                    "failureInfo": {"category": "UserError", "code": "FailureExitCode"},
                },
            }
        )
    )
    assert node.state is NodeState.START_TASK_FAILED
    assert node.dedicated is False
    assert node.errors[0].details == (("a", "b"),)
    assert node.start_task_exit_code == 7
    assert node.start_task_failure is not None


def test_images_of_the_marketplace_only() -> None:
    named = {"publisher": "canonical", "offer": "o", "sku": "s"}
    told = {
        "nodeAgentSKUId": "batch.node.ubuntu 24.04",
        "imageReference": named,
        "osType": "Linux",
        "verificationType": "Verified",
        "batchSupportEndOfLife": "2027-01-01T00:00:00Z",
    }
    image = snapshots.supported_image(wire(told))
    assert image is not None
    assert (image.os_type, image.verified, image.version) == ("linux", True, "latest")
    assert image.end_of_life == datetime(2027, 1, 1, tzinfo=UTC)
    custom = {**told, "imageReference": {"virtualMachineImageId": "/x"}}
    assert snapshots.supported_image(wire(custom)) is None


def test_a_files_length_is_text_on_the_wire() -> None:
    told = {"name": "wd/a", "isDirectory": False, "properties": {"contentLength": "12345678901"}}
    assert snapshots.task_file(wire(told)) == snapshots.TaskFile(
        name="wd/a", size=12345678901, is_directory=False
    )
    assert snapshots.task_file(b'{"name":"wd","isDirectory":true}').size is None


def test_counts_are_those_of_tasks() -> None:
    counts = snapshots.task_counts(
        b'{"taskCounts":{"active":1,"running":2,"completed":3,"succeeded":2,"failed":1},"taskSlotCounts":{}}'
    )
    assert counts == snapshots.TaskCounts(active=1, running=2, completed=3, succeeded=2, failed=1)


@given(microseconds=st.integers(946684800 * 10**6, 4102444800 * 10**6), digits=st.integers(0, 7))
def test_times_of_any_precision_are_aware(microseconds: int, digits: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    fraction = f"{moment.microsecond:06}7"[:digits]
    text = moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if fraction else "") + "Z"
    read = snapshots.parse_time(text)
    assert read is not None
    assert read.tzinfo is not None
    assert abs(read - moment) < timedelta(seconds=1)


@pytest.mark.parametrize("text", [None, "", "yesterday"])
def test_a_time_that_is_none_is_none(text: str | None) -> None:
    assert snapshots.parse_time(text) is None


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"value":3}'])
def test_what_is_no_page_is_an_error(body: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        snapshots.task_page(body)
