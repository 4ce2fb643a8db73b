from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from azure.batch import models
from azure.batch.aio import BatchClient

from tests.conformance.clients import RawClient, job_body, pool_body, sh, until


async def test_the_sdk_runs_a_task_and_reads_what_it_wrote(
    client: BatchClient, raw: RawClient, job: str
) -> None:
    await client.create_task(
        "j",
        models.BatchTaskCreateOptions(
            id="t",
            command_line=sh("echo out; echo err >&2; pwd > where.txt"),
            environment_settings=[models.EnvironmentSetting(name="A", value="1")],
        ),
    )
    await raw.task_in("completed")
    task = await client.get_task("j", "t")
    assert task.execution_info is not None
    assert task.execution_info.result == models.BatchTaskExecutionResult.SUCCESS
    assert task.execution_info.exit_code == 0
    assert task.state_transition_time == task.execution_info.end_time
    assert task.previous_state == models.BatchTaskState.RUNNING
    names = [one.name async for one in client.list_task_files("j", "t", recursive=True)]
    assert names == ["stderr.txt", "stdout.txt", "wd", "wd/where.txt"]
    assert await raw.stdout() == "out\n"
    where = b"".join([piece async for piece in await client.download_task_file("j", "t", "wd/where.txt")])
    assert where.decode().strip().endswith("workitems/j/job-1/t/wd")
    part = b"".join(
        [
            piece
            async for piece in await client.download_task_file("j", "t", "stdout.txt", ocp_range="bytes=1-2")
        ]
    )
    assert part == b"ut"


async def test_a_task_has_the_documented_environment(raw: RawClient, job: str) -> None:
    await raw.post(
        "/jobs",
        job_body(
            "k", commonEnvironmentSettings=[{"name": "A", "value": "job"}, {"name": "B", "value": "$A"}]
        ),
    )
    body = {
        "id": "t",
        "commandLine": "env",
        "environmentSettings": [{"name": "A", "value": "task"}, {"name": "C"}],
    }
    await raw.post("/jobs/k/tasks", body)
    task = await raw.task_in("completed", job="k")
    lines = (await raw.stdout(job="k")).splitlines()
    environment = dict(line.split("=", 1) for line in lines)
    node = task["nodeInfo"]["nodeId"]
    root = environment["AZ_BATCH_NODE_ROOT_DIR"]
    expected = {
        "A": "task",
        "B": "$A",
        "C": "",
        "AZ_BATCH_ACCOUNT_NAME": "local",
        "AZ_BATCH_ACCOUNT_URL": f"{raw.url}/",
        "AZ_BATCH_POOL_ID": "p",
        "AZ_BATCH_NODE_ID": node,
        "AZ_BATCH_NODE_IS_DEDICATED": "true",
        "AZ_BATCH_JOB_ID": "k",
        "AZ_BATCH_TASK_ID": "t",
        "AZ_BATCH_NODE_SHARED_DIR": f"{root}/shared",
        "AZ_BATCH_NODE_STARTUP_DIR": f"{root}/startup",
        "AZ_BATCH_NODE_STARTUP_WORKING_DIR": f"{root}/startup/wd",
        "AZ_BATCH_NODE_MOUNTS_DIR": f"{root}/fsmounts",
        "AZ_BATCH_TASK_DIR": f"{root}/workitems/k/job-1/t",
        "AZ_BATCH_TASK_WORKING_DIR": f"{root}/workitems/k/job-1/t/wd",
    }
    assert {name: environment.get(name) for name in expected} == expected
    assert int(environment["AZ_BATCH_TASK_RESERVED_EPHEMERAL_DISK_SPACE_BYTES"]) > 0
    assert "AZ_BATCH_JOB_PREP_DIR" not in environment


@pytest.mark.parametrize(
    ("command", "exit_code", "code"),
    [
        (sh("exit 3"), 3, "FailureExitCode"),
        (sh("kill -9 $$"), -9, "FailureExitCode"),
        ("no-such-program-here", None, "CommandProgramNotFound"),
    ],
)
async def test_a_failure_is_told_as_recorded(
    raw: RawClient, job: str, command: str, exit_code: int | None, code: str
) -> None:
    await raw.post(f"{job}/tasks", {"id": "t", "commandLine": command})
    info = (await raw.task_in("completed"))["executionInfo"]
    assert (info.get("exitCode"), info["result"]) == (exit_code, "failure")
    assert (info["failureInfo"]["category"], info["failureInfo"]["code"]) == ("UserError", code)


async def test_a_task_past_its_wall_clock_is_ended_without_a_retry(raw: RawClient, job: str) -> None:
    body = {
        "id": "t",
        "commandLine": "sleep 600",
        "constraints": {"maxWallClockTime": "PT0.2S", "maxTaskRetryCount": 3},
    }
    await raw.post(f"{job}/tasks", body)
    info = (await raw.task_in("completed"))["executionInfo"]
    assert info["failureInfo"]["code"] == "TaskEnded"
    assert info["retryCount"] == 0


async def test_a_failing_task_is_run_again_while_retries_are_left(raw: RawClient, job: str) -> None:
    script = (
        "echo x >> $AZ_BATCH_NODE_SHARED_DIR/tries; test $(wc -l < $AZ_BATCH_NODE_SHARED_DIR/tries) -ge 3"
    )
    body = {"id": "t", "commandLine": sh(script), "constraints": {"maxTaskRetryCount": 5}}
    await raw.post(f"{job}/tasks", body)
    info = (await raw.task_in("completed"))["executionInfo"]
    assert (info["result"], info["retryCount"], info["requeueCount"]) == ("success", 2, 0)
    assert "lastRetryTime" in info


async def test_a_user_that_the_pool_does_not_have_is_a_failure(raw: RawClient, job: str) -> None:
    body = {"id": "t", "commandLine": "true", "userIdentity": {"username": "nobody-here"}}
    await raw.post(f"{job}/tasks", body)
    info = (await raw.task_in("completed"))["executionInfo"]
    assert info["failureInfo"]["category"] == "UserError"
    assert "exitCode" not in info


async def test_a_running_task_is_terminated_with_its_process(raw: RawClient, job: str) -> None:
    await raw.post(f"{job}/tasks", {"id": "t", "commandLine": sh("sleep 600 & wait")})
    await raw.task_in("running")
    answer = await raw.send("POST", f"{job}/tasks/t/terminate")
    assert (answer.status, answer.headers["DataServiceId"]) == (204, f"{raw.url}/jobs/j/tasks/t/terminate")
    task = await raw.get(f"{job}/tasks/t")
    assert task["state"] == "completed"
    assert task["executionInfo"]["failureInfo"]["code"] == "TaskEnded"
    assert task["eTag"] == answer.headers["ETag"]
    again = await raw.send("POST", f"{job}/tasks/t/terminate")
    assert (again.status, again.json()["code"]) == (409, "TaskCompleted")


async def test_a_waiting_task_is_terminated_and_reactivated_as_recorded(
    raw: RawClient, idle_job: str
) -> None:
    await raw.post(f"{idle_job}/tasks", {"id": "t", "commandLine": "true"})
    early = await raw.send("POST", f"{idle_job}/tasks/t/reactivate")
    assert (early.status, early.json()["code"]) == (409, "TaskNotCompleted")
    await raw.send("POST", f"{idle_job}/tasks/t/terminate")
    ended = await raw.get(f"{idle_job}/tasks/t")
    assert (ended["state"], ended["previousState"], ended["nodeInfo"]) == ("completed", "active", {})
    assert ended["executionInfo"]["failureInfo"] == {
        "category": "UserError",
        "code": "TaskEnded",
        "message": "Task Was Ended by User Request",
    }
    answer = await raw.send("POST", f"{idle_job}/tasks/t/reactivate")
    assert answer.status == 204
    assert "DataServiceId" not in answer.headers
    task = await raw.get(f"{idle_job}/tasks/t")
    assert (task["state"], task["previousState"]) == ("active", "completed")
    assert task["executionInfo"] == {"retryCount": 0, "requeueCount": 0}
    assert task["eTag"] == answer.headers["ETag"]
    assert "nodeInfo" not in task


async def test_a_task_that_succeeded_is_not_reactivated(raw: RawClient, job: str) -> None:
    await raw.post(f"{job}/tasks", {"id": "t", "commandLine": "true"})
    await raw.task_in("completed")
    answer = await raw.send("POST", f"{job}/tasks/t/reactivate")
    assert (answer.status, answer.json()["code"]) == (409, "TaskSucceeded")


async def test_running_does_not_move_the_etag(raw: RawClient, job: str) -> None:
    answer = await raw.post(f"{job}/tasks", {"id": "t", "commandLine": "true"})
    task = await raw.task_in("completed")
    assert task["eTag"] == answer.headers["ETag"]
    assert task["lastModified"] == task["creationTime"]
    node = task["nodeInfo"]
    assert node["taskRootDirectory"] == "workitems/j/job-1/t"
    assert node["taskRootDirectoryUrl"] == f"{node['nodeUrl']}/files/workitems/j/job-1/t"
    assert node["affinityId"] == f"TVM:{node['nodeId']}"


async def test_a_deleted_task_is_killed_and_gone_at_once(raw: RawClient, job: str) -> None:
    await raw.post(f"{job}/tasks", {"id": "t", "commandLine": "sleep 600"})
    task = await raw.task_in("running")
    assert (await raw.send("DELETE", f"{job}/tasks/t")).status == 200
    gone = await raw.send("GET", f"{job}/tasks/t")
    assert (gone.status, gone.json()["code"]) == (404, "TaskNotFound")
    node = await raw.get(f"/pools/p/nodes/{task['nodeInfo']['nodeId']}")
    assert (node["state"], node["runningTasksCount"]) == ("idle", 0)
    counts = await raw.get(f"{job}/taskcounts")
    assert set(counts["taskCounts"].values()) == {0}
    await raw.post(f"{job}/tasks", {"id": "t", "commandLine": "true"})
    await raw.task_in("completed")


async def test_a_put_changes_the_constraints_and_restores_defaults(raw: RawClient, idle_job: str) -> None:
    await raw.post(f"{idle_job}/tasks", {"id": "t", "commandLine": "true"})
    body = {"constraints": {"maxTaskRetryCount": 1, "maxWallClockTime": "PT1H", "retentionTime": "PT2H"}}
    answer = await raw.send("PUT", f"{idle_job}/tasks/t", body)
    task = await raw.get(f"{idle_job}/tasks/t")
    assert task["constraints"] == {
        "maxWallClockTime": "PT1H",
        "retentionTime": "PT2H",
        "maxTaskRetryCount": 1,
    }
    assert task["eTag"] == answer.headers["ETag"]
    await raw.send("PUT", f"{idle_job}/tasks/t", {})
    assert (await raw.get(f"{idle_job}/tasks/t"))["constraints"]["retentionTime"] == "P7D"
    refused = await raw.send("PUT", f"{idle_job}/tasks/t", {"commandLine": "x"})
    assert refused.json()["code"] == "UnsupportedProperty"


async def test_slots_limit_what_runs_at_once_and_a_too_wide_task_waits_for_ever(
    raw: RawClient, job: str
) -> None:
    await raw.post(f"{job}/tasks", {"id": "wide", "commandLine": "true", "requiredSlots": 5})
    script = "exec sleep 600"
    for number in range(3):
        await raw.post(f"{job}/tasks", {"id": f"t{number}", "commandLine": sh(script), "requiredSlots": 2})
    counts = await until(
        lambda: raw.get(f"{job}/taskcounts"), lambda seen: seen["taskCounts"]["running"] == 2
    )
    assert counts["taskSlotCounts"] == {
        "active": 7,
        "running": 4,
        "completed": 0,
        "succeeded": 0,
        "failed": 0,
    }
    node = (await raw.nodes())[0]
    assert (node["state"], node["runningTasksCount"], node["runningTaskSlotsCount"]) == ("running", 2, 4)


async def test_dependents_run_after_what_they_depend_on(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1, taskSlotsPerNode=8))
    await raw.post("/jobs", job_body(usesTaskDependencies=True))
    note = "echo $AZ_BATCH_TASK_ID >> $AZ_BATCH_NODE_SHARED_DIR/order"
    await raw.post(
        "/jobs/j/tasks", {"id": "last", "commandLine": sh(note), "dependsOn": {"taskIds": ["mid"]}}
    )
    await raw.post(
        "/jobs/j/tasks",
        {"id": "mid", "commandLine": sh(note), "dependsOn": {"taskIdRanges": [{"start": 1, "end": 2}]}},
    )
    blocked = {"id": "blocked", "commandLine": "true", "dependsOn": {"taskIds": ["bad"]}}
    await raw.post("/jobs/j/tasks", blocked)
    for name, script in (("1", f"sleep 0.1; {note}"), ("2", note), ("bad", "exit 1")):
        await raw.post("/jobs/j/tasks", {"id": name, "commandLine": sh(script)})
    last = await raw.task_in("completed", "last")
    await raw.task_in("completed", "bad")
    node = last["nodeInfo"]["nodeId"]
    order = await raw.send("GET", f"/pools/p/nodes/{node}/files/shared%2Forder")
    assert order.body.decode().split() == ["2", "1", "mid", "last"]
    assert (await raw.get("/jobs/j/tasks/blocked"))["state"] == "active"


async def test_a_higher_priority_goes_first(raw: RawClient) -> None:
    await raw.post("/jobs", job_body("low"))
    await raw.post("/jobs", job_body("high", priority=10))
    note = sh("echo $AZ_BATCH_JOB_ID >> $AZ_BATCH_NODE_SHARED_DIR/order")
    for name in ("low", "high"):
        for number in range(2):
            await raw.post(f"/jobs/{name}/tasks", {"id": f"t{number}", "commandLine": note})
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    last = await raw.task_in("completed", "t1", "low")
    order = await raw.send("GET", f"/pools/p/nodes/{last['nodeInfo']['nodeId']}/files/shared%2Forder")
    assert order.body.decode().split() == ["high", "high", "low", "low"]


async def test_deleting_a_pool_sends_its_tasks_back_to_the_queue(raw: RawClient, job: str) -> None:
    await raw.post(f"{job}/tasks", {"id": "t", "commandLine": "sleep 600"})
    await raw.task_in("running")
    await raw.send("DELETE", "/pools/p")
    again = await raw.send("DELETE", "/pools/p")
    assert again.status in (409, 404)
    await raw.gone("/pools/p")
    task = await raw.task_in("active")
    assert "nodeInfo" not in task
    assert task["executionInfo"]["requeueCount"] == 1
    assert (await raw.get(job))["state"] == "active"


async def test_a_lost_node_boots_again_and_its_task_runs_anew_without_a_trace(
    raw: RawClient, job: str
) -> None:
    script = (
        "test -e $AZ_BATCH_NODE_SHARED_DIR/m && exit 0;"
        " touch $AZ_BATCH_NODE_SHARED_DIR/m; kill -9 $PPID; sleep 600"
    )
    await raw.post(f"{job}/tasks", {"id": "t", "commandLine": sh(script)})
    info = (await raw.task_in("completed"))["executionInfo"]
    assert (info["result"], info["retryCount"], info["requeueCount"]) == ("success", 0, 0)


async def test_a_hundred_tasks_at_once_all_end_once(raw: RawClient, job: str) -> None:
    await raw.post("/pools/p/resize", {"targetDedicatedNodes": 2})
    note = "echo $AZ_BATCH_TASK_ID"
    bodies = [{"id": f"t{number}", "commandLine": sh(note)} for number in range(100)]
    await asyncio.gather(*(raw.post(f"{job}/tasks", body) for body in bodies))
    await until(lambda: raw.get(f"{job}/taskcounts"), lambda seen: seen["taskCounts"]["succeeded"] == 100)
    nodes = await raw.nodes()
    assert sum(node["totalTasksRun"] for node in nodes) == 100
    outputs = Counter([await raw.stdout(f"t{number}") for number in range(100)])
    assert outputs == Counter(f"t{number}\n" for number in range(100))
