from __future__ import annotations

import pytest
from azure.batch import models
from azure.batch.aio import BatchClient
from azure.core.exceptions import ResourceExistsError

from tests.conformance.clients import PAUSE, RawClient, code_of, job_body, options, pool_body, sh, until


async def test_the_sdk_takes_a_job_through_its_life(client: BatchClient, raw: RawClient) -> None:
    await client.create_job(
        models.BatchJobCreateOptions(id="j", pool_info=models.BatchPoolInfo(pool_id="none"))
    )
    disabling = await client.begin_disable_job(
        "j", models.BatchJobDisableOptions(disable_tasks="requeue"), polling_interval=PAUSE
    )
    await disabling.result()
    job = await client.get_job("j")
    assert (job.state, job.previous_state) == (models.BatchJobState.DISABLED, models.BatchJobState.ACTIVE)
    await client.update_job("j", models.BatchJobUpdateOptions(priority=7))
    enabling = await client.begin_enable_job("j", polling_interval=PAUSE)
    await enabling.result()
    job = await client.get_job("j")
    assert (job.state, job.previous_state) == (models.BatchJobState.ACTIVE, models.BatchJobState.DISABLED)
    assert job.priority == 7
    ending = await client.begin_terminate_job("j", options(terminateReason="enough"), polling_interval=PAUSE)
    await ending.result()
    job = await client.get_job("j")
    assert job.state == models.BatchJobState.COMPLETED
    assert job.execution_info is not None
    assert job.execution_info.termination_reason == "enough"
    assert job.execution_info.end_time == job.state_transition_time
    with pytest.raises(ResourceExistsError) as refusal:
        await client.create_task("j", models.BatchTaskCreateOptions(id="t", command_line="true"))
    assert code_of(refusal.value) == "JobCompleted"
    deleting = await client.begin_delete_job("j", polling_interval=PAUSE)
    await deleting.result()
    assert [one async for one in client.list_jobs()] == []


async def test_the_address_of_a_new_job_is_the_recorded_one(raw: RawClient) -> None:
    answer = await raw.post("/jobs", job_body("mine"))
    assert answer.headers["Location"] == answer.headers["DataServiceId"] == f"{raw.url}/jobs/job-1"


async def test_a_service_driven_move_leaves_the_etag(raw: RawClient) -> None:
    await raw.post("/jobs", job_body())
    told = await raw.post("/jobs/j/disable", {"disableTasks": "requeue"})
    disabled = await raw.job_in("disabled")
    assert disabled["eTag"] == told.headers["ETag"]
    told = await raw.post("/jobs/j/terminate")
    completed = await raw.job_in("completed")
    assert completed["eTag"] == told.headers["ETag"]
    assert completed["executionInfo"]["terminateReason"] == "UserTerminate"
    assert completed["stateTransitionTime"] != completed["lastModified"]


async def test_patch_replaces_a_member_whole_and_put_goes_back_to_defaults(raw: RawClient) -> None:
    await raw.post(
        "/jobs",
        job_body(
            priority=5,
            metadata=[{"name": "a", "value": "b"}],
            constraints={"maxWallClockTime": "PT06M00S", "maxTaskRetryCount": 5},
        ),
    )
    assert (await raw.get("/jobs/j"))["constraints"] == {"maxWallClockTime": "PT6M", "maxTaskRetryCount": 5}
    await raw.send("PATCH", "/jobs/j", {"constraints": {"maxWallClockTime": "PT1H"}})
    patched = await raw.get("/jobs/j")
    assert patched["constraints"] == {"maxWallClockTime": "PT1H", "maxTaskRetryCount": 0}
    assert patched["priority"] == 5
    replaced = await raw.send("PUT", "/jobs/j", {"poolInfo": {"poolId": "p"}})
    assert replaced.headers["DataServiceId"] == f"{raw.url}/jobs/j"
    job = await raw.get("/jobs/j")
    assert (job["priority"], "metadata" in job) == (0, False)
    assert job["constraints"]["maxWallClockTime"] == "P10675199DT2H48M5.4775807S"
    assert list(job)[-3:] == ["executionInfo", "onAllTasksComplete", "onTaskFailure"]


async def test_what_a_job_refuses(raw: RawClient) -> None:
    await raw.post("/jobs", job_body(onAllTasksComplete="terminatejob"))
    expected = {
        ("POST", "/jobs", "JobExists"): job_body("J"),
        ("PATCH", "/jobs/j", "InvalidPropertyValue"): {"onAllTasksComplete": "noaction"},
        ("PATCH", "/jobs/j", "OperationInvalidForCurrentState"): {"poolInfo": {"poolId": "other"}},
        ("POST", "/jobs/j/enable", "OperationInvalidForCurrentState"): None,
        ("POST", "/jobs/j/disable", "MissingRequiredProperty"): {},
        ("POST", "/jobs/none/terminate", "JobNotFound"): None,
        ("POST", "/jobs", "InvalidPropertyValue"): job_body("k", priority=1001),
    }
    for (method, path, code), body in expected.items():
        answer = await raw.send(method, path, body)
        assert answer.json()["code"] == code
    await raw.post("/jobs/j/terminate")
    await raw.job_in("completed")
    for path in ("/jobs/j/terminate", "/jobs/j/enable"):
        answer = await raw.send("POST", path)
        assert (answer.status, answer.json()["code"]) == (409, "JobCompleted")


async def test_a_job_ends_when_its_tasks_are_complete_even_failed_ones(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    await raw.post("/jobs", job_body())
    await raw.post("/jobs/j/tasks", {"id": "a", "commandLine": "true"})
    await raw.post("/jobs/j/tasks", {"id": "b", "commandLine": sh("exit 1")})
    await raw.task_in("completed", "a")
    await raw.task_in("completed", "b")
    assert (await raw.get("/jobs/j"))["state"] == "active"
    await raw.send("PATCH", "/jobs/j", {"onAllTasksComplete": "terminatejob"})
    job = await raw.job_in("completed")
    assert job["executionInfo"]["terminateReason"] == "AllTasksComplete"


async def test_a_job_out_of_time_is_ended_with_its_running_tasks(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    await raw.post("/jobs", job_body(constraints={"maxWallClockTime": "PT2S"}))
    await raw.post("/jobs/j/tasks", {"id": "t", "commandLine": "sleep 600"})
    await raw.post("/jobs/j/tasks", {"id": "u", "commandLine": "sleep 600"})
    job = await raw.job_in("completed")
    assert job["executionInfo"]["terminateReason"] == "MaxWallClockTimeExpiry"
    ended = await raw.get("/jobs/j/tasks/t")
    assert ended["executionInfo"]["failureInfo"]["code"] == "TaskEnded"
    assert (await raw.get("/jobs/j/tasks/u"))["state"] == "active"


@pytest.mark.parametrize(("option", "state"), [("requeue", "active"), ("terminate", "completed")])
async def test_disabling_deals_with_running_tasks(raw: RawClient, option: str, state: str) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    await raw.post("/jobs", job_body())
    await raw.post("/jobs/j/tasks", {"id": "t", "commandLine": "sleep 600"})
    await raw.task_in("running")
    await raw.post("/jobs/j/disable", {"disableTasks": option})
    await raw.job_in("disabled")
    task = await raw.get("/jobs/j/tasks/t")
    assert task["state"] == state
    assert task["executionInfo"]["requeueCount"] == (1 if option == "requeue" else 0)
    assert ("nodeInfo" in task) == (option == "terminate")


async def test_waiting_for_running_tasks_keeps_a_job_disabling(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    await raw.post("/jobs", job_body())
    script = "until test -e $AZ_BATCH_NODE_SHARED_DIR/go; do sleep 0.01; done"
    await raw.post("/jobs/j/tasks", {"id": "t", "commandLine": sh(script)})
    running = await raw.task_in("running")
    await raw.post("/jobs", job_body("k", priority=1))
    await raw.post("/jobs/j/disable", {"disableTasks": "wait"})
    assert (await raw.get("/jobs/j"))["state"] == "disabling"
    await raw.post("/jobs/j/tasks/t/terminate")
    await raw.job_in("disabled")
    assert running["nodeInfo"]["poolId"] == "p"


async def test_preparation_and_release_tasks_run_once_a_node(client: BatchClient, raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1, taskSlotsPerNode=2))
    note = "echo $AZ_BATCH_TASK_ID >> $AZ_BATCH_NODE_SHARED_DIR/log"
    await raw.post(
        "/jobs",
        job_body(
            jobPreparationTask={"commandLine": sh(f"sleep 0.1; {note}; echo here > file")},
            jobReleaseTask={"commandLine": sh(note)},
        ),
    )
    status = "/jobs/j/jobpreparationandreleasetaskstatus"
    assert (await raw.get(status))["value"] == []
    for name in ("a", "b"):
        command = sh(f"cat $AZ_BATCH_JOB_PREP_WORKING_DIR/file; {note}")
        await raw.post("/jobs/j/tasks", {"id": name, "commandLine": command})
    await raw.task_in("preparing", "a")
    task = await raw.task_in("completed", "a")
    await raw.task_in("completed", "b")
    assert await raw.stdout("a") == "here\n"
    ending = await client.begin_terminate_job("j", options(terminateReason="x"), polling_interval=PAUSE)
    await ending.result()
    node = task["nodeInfo"]["nodeId"]
    log = await raw.send("GET", f"/pools/p/nodes/{node}/files/shared%2Flog")
    lines = log.body.decode().split()
    assert (lines[0], sorted(lines[1:3]), lines[3:]) == ("jobpreparation", ["a", "b"], ["jobrelease"])
    told = [one async for one in client.list_job_preparation_and_release_task_status("j")]
    assert len(told) == 1
    assert told[0].job_preparation_task_execution_info is not None
    assert told[0].job_preparation_task_execution_info.exit_code == 0
    assert told[0].job_release_task_execution_info is not None
    assert told[0].job_release_task_execution_info.state == "completed"


async def test_a_failed_preparation_bars_its_node_and_leaves_the_task_waiting(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    preparation = {"commandLine": sh("exit 2"), "constraints": {"maxTaskRetryCount": 1}}
    await raw.post("/jobs", job_body(jobPreparationTask=preparation))
    await raw.post("/jobs/j/tasks", {"id": "t", "commandLine": "true"})
    status = "/jobs/j/jobpreparationandreleasetaskstatus"
    page = await until(
        lambda: raw.get(status),
        lambda seen: any(
            one["jobPreparationTaskExecutionInfo"]["state"] == "completed" for one in seen["value"]
        ),
    )
    info = page["value"][0]["jobPreparationTaskExecutionInfo"]
    assert (info["exitCode"], info["result"], info["retryCount"]) == (2, "failure", 1)
    assert info["lastRetryTime"] <= info["startTime"] <= info["endTime"]
    assert (info["failureInfo"]["category"], info["failureInfo"]["code"]) == ("UserError", "FailureExitCode")
    assert info["taskRootDirectory"] == "workitems/j/job-1/jobpreparation"
    task = await raw.task_in("active")
    assert task["executionInfo"] == {"retryCount": 0, "requeueCount": 0}


async def test_a_job_without_either_task_has_no_such_status(raw: RawClient) -> None:
    await raw.post("/jobs", job_body())
    answer = await raw.send("GET", "/jobs/j/jobpreparationandreleasetaskstatus")
    assert (answer.status, answer.json()["code"]) == (409, "JobPreparationTaskOrReleaseTaskNotSpecified")


async def test_deleting_an_active_job_kills_its_tasks_and_removes_its_files(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    await raw.post("/jobs", job_body())
    await raw.post("/jobs/j/tasks", {"id": "t", "commandLine": "sleep 600"})
    task = await raw.task_in("running")
    answer = await raw.send("DELETE", "/jobs/j")
    assert (answer.status, answer.headers.get("ETag")) == (202, None)
    await raw.gone("/jobs/j")
    path = f"/pools/p/nodes/{task['nodeInfo']['nodeId']}"
    await until(lambda: raw.get(path), lambda node: node["state"] == "idle")
    files = await raw.get(f"{path}/files", "recursive=true")
    assert not [one for one in files["value"] if one["name"].startswith("workitems/")]


async def test_a_failed_task_ends_a_job_that_asks_for_it(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    await raw.post("/jobs", job_body(onTaskFailure="performexitoptionsjobaction"))
    options = {"exitCodes": [{"code": 3, "exitOptions": {"jobAction": "none"}}]}
    await raw.post("/jobs/j/tasks", {"id": "a", "commandLine": sh("exit 3"), "exitConditions": options})
    await raw.task_in("completed", "a")
    assert (await raw.get("/jobs/j"))["state"] == "active"
    await raw.post("/jobs/j/tasks", {"id": "b", "commandLine": sh("exit 4")})
    job = await raw.job_in("completed")
    assert job["executionInfo"]["terminateReason"] == "TaskFailed"
