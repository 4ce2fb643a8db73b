"""Pools that are scaled by a formula."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.batch import models
from azure.batch.aio import BatchClient

from orchestrator.local.batch.autoscaling import AutoscalePace
from orchestrator.local.batch.endpoint import BatchEndpoint
from orchestrator.local.batch.node import NodeProcess
from tests.conformance.clients import ACCOUNT, KEY, RawClient, job_body, pool_body, sh, until

BY_WORK = (
    "$TargetDedicatedNodes = min(2, $PendingTasks.GetSample(1)); $NodeDeallocationOption = taskcompletion;"
)


@pytest.fixture
async def quick(tmp_path: Path) -> AsyncIterator[RawClient]:
    """Of a service that samples and scales many times a second."""
    endpoint = BatchEndpoint(
        account_name=ACCOUNT,
        account_key=KEY,
        data_dir=tmp_path,
        start_node=NodeProcess.start,
        autoscale_pace=AutoscalePace(sampling=0.02, shortest_interval=0.0, enable_pause=0.0),
    )
    await endpoint.start()
    async with aiohttp.ClientSession() as session:
        yield RawClient(session, endpoint.url)
    await endpoint.close()


async def steady(raw: RawClient) -> Any:
    return await until(lambda: raw.get("/pools/p"), lambda seen: seen["allocationState"] == "steady")


async def test_a_new_pool_gets_its_size_from_its_formula(raw: RawClient) -> None:
    formula = "$TargetDedicatedNodes = 1; x = 2 * 3;"
    await raw.post("/pools", pool_body(enableAutoScale=True, autoScaleFormula=formula))
    await raw.nodes_in("idle", 1)
    pool = await steady(raw)
    assert (pool["targetDedicatedNodes"], pool["autoScaleEvaluationInterval"]) == (1, "PT15M")
    results = "$TargetDedicatedNodes=1;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue;x=6"
    assert pool["autoScaleRun"]["results"] == results
    names = list(pool)
    assert names.index("autoScaleRun") == names.index("autoScaleFormula") + 2
    resize = await raw.send("POST", "/pools/p/resize", {"targetDedicatedNodes": 2})
    assert (resize.status, resize.json()["code"]) == (409, "OperationInvalidForCurrentState")


async def test_a_pool_follows_its_work_up_and_down(quick: RawClient) -> None:
    await quick.post(
        "/pools",
        pool_body(enableAutoScale=True, autoScaleFormula=BY_WORK, autoScaleEvaluationInterval="PT0.05S"),
    )
    await quick.post("/jobs", job_body())
    for number in range(4):
        await quick.post("/jobs/j/tasks", {"id": f"t{number}", "commandLine": sh("true")})
    for number in range(4):
        assert (await quick.task_in("completed", f"t{number}"))["executionInfo"]["result"] == "success"
    await until(quick.nodes, lambda nodes: nodes == [])
    pool = await steady(quick)
    assert (pool["targetDedicatedNodes"], pool["currentDedicatedNodes"]) == (0, 0)


async def test_the_sdk_enables_tries_and_disables_scaling(client: BatchClient, raw: RawClient) -> None:
    await raw.post("/pools", pool_body())
    before = (await steady(raw))["eTag"]
    await client.enable_pool_auto_scale(
        "p", models.BatchPoolEnableAutoScaleOptions(auto_scale_formula="$TargetDedicatedNodes=1")
    )
    await raw.nodes_in("idle", 1)
    pool = await steady(raw)
    assert pool["eTag"] != before
    run = await client.evaluate_pool_auto_scale(
        "p", models.BatchPoolEvaluateAutoScaleOptions(auto_scale_formula="$TargetDedicatedNodes=3")
    )
    assert run.results == "$TargetDedicatedNodes=3;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue"
    failed = await client.evaluate_pool_auto_scale(
        "p", models.BatchPoolEvaluateAutoScaleOptions(auto_scale_formula="$something_useless")
    )
    assert failed.error is not None
    assert failed.error.code == "AutoScalingFormulaEvaluationError"
    assert (failed.results or "").startswith("$TargetDedicatedNodes=1;")
    await client.disable_pool_auto_scale("p")
    pool = await steady(raw)
    assert not {"autoScaleFormula", "autoScaleEvaluationInterval", "autoScaleRun"} & pool.keys()
    assert (pool["enableAutoScale"], pool["targetDedicatedNodes"]) == (False, 1)


async def test_scaling_is_enabled_once_in_a_while_only(raw: RawClient) -> None:
    await raw.post("/pools", pool_body())
    await steady(raw)
    body = {"autoScaleFormula": "$TargetDedicatedNodes=0"}
    await raw.post("/pools/p/enableautoscale", body)
    again = await raw.send("POST", "/pools/p/enableautoscale", body)
    assert (again.status, again.json()["code"]) == (503, "TooManyEnableAutoScaleRequests")


async def test_enabling_again_keeps_what_is_left_out(quick: RawClient) -> None:
    await quick.post("/pools", pool_body())
    await steady(quick)
    nothing = await quick.send(
        "POST", "/pools/p/enableautoscale", {"autoScaleEvaluationInterval": "PT06M00S"}
    )
    assert (nothing.status, nothing.json()["code"]) == (400, "MissingRequiredProperty")
    await quick.post("/pools/p/enableautoscale", {"autoScaleFormula": "$TargetDedicatedNodes=0"})
    await quick.post("/pools/p/enableautoscale", {"autoScaleEvaluationInterval": "PT06M00S"})
    pool = await quick.get("/pools/p")
    assert pool["autoScaleFormula"] == "$TargetDedicatedNodes=0"
    assert pool["autoScaleEvaluationInterval"] == "PT6M"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"enableAutoScale": True}, "MissingRequiredProperty"),
        ({"autoScaleFormula": "$TargetDedicatedNodes=0"}, "InvalidPropertyValue"),
        (
            {"enableAutoScale": True, "autoScaleFormula": "x=1", "targetDedicatedNodes": 1},
            "InvalidPropertyValue",
        ),
        ({"enableAutoScale": True, "autoScaleFormula": "x=("}, "AutoScalingFormulaSyntaxError"),
        ({"enableAutoScale": True, "autoScaleFormula": "x" * 9000}, "AutoScalingFormulaTooLong"),
        (
            {"enableAutoScale": True, "autoScaleFormula": "x=1", "autoScaleEvaluationInterval": "PT4M"},
            "InvalidPropertyValue",
        ),
    ],
)
async def test_what_does_not_go_together_is_refused(
    raw: RawClient, change: dict[str, Any], code: str
) -> None:
    answer = await raw.send("POST", "/pools", pool_body(**change))
    assert (answer.status, answer.json()["code"]) == (400, code)


async def test_a_formula_is_tried_on_pools_that_scale_themselves_only(raw: RawClient) -> None:
    await raw.post("/pools", pool_body())
    answer = await raw.send("POST", "/pools/p/evaluateautoscale", {"autoScaleFormula": "x=1"})
    assert (answer.status, answer.json()["code"]) == (409, "AutoScaleNotEnabled")
