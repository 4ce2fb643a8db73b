from __future__ import annotations

import pytest
from azure.batch import models
from azure.batch.aio import BatchClient
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from orchestrator.local.wire import times
from tests.conformance.clients import MACHINE, PAUSE, RawClient, pool_body, sh


async def test_the_sdk_creates_reads_changes_and_deletes_a_pool(client: BatchClient, raw: RawClient) -> None:
    await client.create_pool(
        models.BatchPoolCreateOptions(
            id="p",
            vm_size="STANDARD_D1_v2",
            target_dedicated_nodes=1,
            task_slots_per_node=2,
            virtual_machine_configuration=models.VirtualMachineConfiguration(MACHINE),
            metadata=[models.BatchMetadataItem(name="a", value="b")],
        )
    )
    assert await client.pool_exists("p")
    await raw.nodes_in("idle", 1)
    pool = await client.get_pool("p")
    assert pool.vm_size == "standard_d1_v2"
    assert pool.allocation_state == models.AllocationState.STEADY
    assert (pool.current_dedicated_nodes, pool.task_slots_per_node) == (1, 2)
    await client.update_pool(
        "p", models.BatchPoolUpdateOptions(metadata=[models.BatchMetadataItem(name="c", value="d")])
    )
    metadata = (await client.get_pool("p")).metadata
    assert metadata is not None
    assert [item.name for item in metadata] == ["c"]
    assert [one.id async for one in client.list_pools()] == ["p"]
    poller = await client.begin_delete_pool("p", polling_interval=PAUSE)
    await poller.result()
    assert poller.status() == "Succeeded"
    with pytest.raises(ResourceNotFoundError):
        await client.get_pool("p")


async def test_a_new_pool_has_an_etag_made_of_its_time(raw: RawClient) -> None:
    answer = await raw.post("/pools", pool_body())
    assert (answer.status, answer.body) == (201, b"")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.headers["Location"] == answer.headers["DataServiceId"] == f"{raw.url}/pools/p"
    pool = await raw.get("/pools/p")
    assert pool["eTag"] == answer.headers["ETag"]
    assert pool["eTag"] == f"0x{times.parse_timestamp(pool['lastModified']):X}"
    assert pool["odata.metadata"] == f"{raw.url}/$metadata#pools/@Element"


async def test_an_id_is_taken_whatever_its_case(raw: RawClient) -> None:
    await raw.post("/pools", pool_body("Pool"))
    answer = await raw.send("POST", "/pools", pool_body("pOOL"))
    assert (answer.status, answer.json()["code"]) == (409, "PoolExists")
    assert (await raw.get("/pools/POOL"))["id"] == "Pool"


async def test_a_resize_keeps_idle_nodes_and_moves_the_etag(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    first = await raw.nodes_in("idle", 1)
    before = (await raw.get("/pools/p"))["eTag"]
    answer = await raw.post("/pools/p/resize", {"targetDedicatedNodes": 2, "targetLowPriorityNodes": 1})
    assert answer.headers["DataServiceId"] == f"{raw.url}/pools/p/resize"
    nodes = await raw.nodes_in("idle", 3)
    assert first[0]["id"] in {node["id"] for node in nodes}
    assert sum(node["id"].endswith("_p") for node in nodes) == 1
    pool = await raw.get("/pools/p")
    assert pool["eTag"] == answer.headers["ETag"] != before
    await raw.post("/pools/p/resize", {"targetDedicatedNodes": 0, "targetLowPriorityNodes": 0})
    assert await raw.gone(f"/pools/p/nodes/{first[0]['id']}")


async def test_what_a_pool_refuses(raw: RawClient, client: BatchClient) -> None:
    missing = await raw.send("POST", "/pools/none/resize", {"targetDedicatedNodes": 1})
    assert (missing.status, missing.json()["code"]) == (404, "PoolNotFound")
    empty = await raw.send("POST", "/pools/none/resize", {})
    assert (empty.status, empty.json()["code"]) == (400, "MissingRequiredProperty")
    with pytest.raises(ResourceNotFoundError):
        await client.pool_exists("none")
    windows = {"imageReference": MACHINE["imageReference"], "nodeAgentSKUId": "batch.node.windows amd64"}
    with pytest.raises(HttpResponseError, match="Windows"):
        await client.create_pool(
            models.BatchPoolCreateOptions(
                id="w",
                vm_size="x",
                virtual_machine_configuration=models.VirtualMachineConfiguration(windows),
            )
        )


async def test_removed_nodes_go_and_lower_the_target(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=2))
    nodes = await raw.nodes_in("idle", 2)
    unknown = await raw.send("POST", "/pools/p/removenodes", {"nodeList": ["nope"]})
    assert (unknown.status, unknown.json()["code"]) == (404, "NodeNotFound")
    await raw.post("/pools/p/removenodes", {"nodeList": [nodes[0]["id"]]})
    await raw.gone(f"/pools/p/nodes/{nodes[0]['id']}")
    pool = await raw.get("/pools/p")
    assert (pool["targetDedicatedNodes"], pool["currentDedicatedNodes"]) == (1, 1)


async def test_update_properties_drops_what_is_left_out(raw: RawClient) -> None:
    await raw.post(
        "/pools", pool_body(startTask={"commandLine": "true"}, metadata=[{"name": "a", "value": "b"}])
    )
    answer = await raw.send(
        "POST",
        "/pools/p/updateproperties",
        {"certificateReferences": [], "applicationPackageReferences": [], "metadata": []},
        version="2024-07-01.20.0",
    )
    assert (answer.status, answer.headers.get("DataServiceId")) == (
        204,
        f"{raw.url}/pools/p/updateproperties",
    )
    pool = await raw.get("/pools/p")
    assert not {"startTask", "metadata", "applicationPackageReferences"} & pool.keys()


async def test_a_patched_start_task_is_replaced_whole(raw: RawClient) -> None:
    admin = {"autoUser": {"scope": "pool", "elevationLevel": "admin"}}
    await raw.post("/pools", pool_body(startTask={"commandLine": "true", "userIdentity": admin}))
    answer = await raw.send("PATCH", "/pools/p", {"startTask": {"commandLine": "echo"}})
    assert answer.status == 200
    start_task = (await raw.get("/pools/p"))["startTask"]
    assert start_task["userIdentity"]["autoUser"]["elevationLevel"] == "nonadmin"


async def test_conditions_are_obeyed_with_and_without_quotes(raw: RawClient) -> None:
    await raw.post("/pools", pool_body())
    etag = (await raw.get("/pools/p"))["eTag"]
    same = await raw.send("GET", "/pools/p", headers={"If-None-Match": etag})
    assert (same.status, same.body) == (304, b"")
    stale = await raw.send("DELETE", "/pools/p", headers={"If-Match": '"0x1"'})
    assert (stale.status, stale.json()["code"]) == (412, "ConditionNotMet")
    right = await raw.send("DELETE", "/pools/p", headers={"If-Match": f'"{etag}"'})
    assert right.status == 202
    assert "ETag" not in right.headers


async def test_lists_are_paged_filtered_and_selected(client: BatchClient, raw: RawClient) -> None:
    for name in ("b", "A", "a_1", "C"):
        await raw.post("/pools", pool_body(name))
    assert [pool.id async for pool in client.list_pools(max_results=1)] == ["A", "a_1", "b", "C"]
    found = [
        pool async for pool in client.list_pools(filter="startswith(id,'a') or id eq 'C'", select=["id"])
    ]
    assert [pool.id for pool in found] == ["a_1", "C"]
    assert "state" not in found[0]
    page = await raw.get("/pools", "maxresults=2")
    assert list(page) == ["odata.metadata", "value", "odata.nextLink"]
    assert page["odata.nextLink"].startswith(f"{raw.url}/pools?api-version=")
    full = await raw.get("/pools", "maxresults=4")
    assert "odata.nextLink" not in full


async def test_node_counts_and_supported_images_are_told(client: BatchClient, raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    await raw.nodes_in("idle", 1)
    counts = [one async for one in client.list_pool_node_counts(filter="poolId eq 'p'")]
    assert [(one.pool_id, one.dedicated and one.dedicated.idle) for one in counts] == [("p", 1)]
    images = [one async for one in client.list_supported_images(filter="verificationType eq 'verified'")]
    assert {"linux", "windows"} == {one.os_type for one in images}
    offers = {(one.image_reference.offer, one.image_reference.sku) for one in images}
    assert ("ubuntu-24_04-lts", "server") in offers
    assert ("0001-com-ubuntu-server-jammy", "22_04-lts") in offers


async def test_a_start_task_runs_before_a_node_is_idle(raw: RawClient) -> None:
    script = "echo $AZ_BATCH_NODE_STARTUP_DIR > $AZ_BATCH_NODE_SHARED_DIR/mark"
    await raw.post("/pools", pool_body(targetDedicatedNodes=1, startTask={"commandLine": sh(script)}))
    node = (await raw.nodes_in("idle", 1))[0]
    assert node["startTaskInfo"]["result"] == "success"
    mark = await raw.send("GET", f"/pools/p/nodes/{node['id']}/files/shared%2Fmark")
    assert mark.body.decode().strip().endswith("/startup")


async def test_a_failing_start_task_keeps_its_node_out(raw: RawClient) -> None:
    start_task = {"commandLine": sh("exit 4"), "maxTaskRetryCount": 2}
    await raw.post("/pools", pool_body(targetDedicatedNodes=1, startTask=start_task))
    node = (await raw.nodes_in("starttaskfailed", 1))[0]
    info = node["startTaskInfo"]
    assert (info["exitCode"], info["retryCount"], info["result"]) == (4, 2, "failure")
    assert info["failureInfo"]["code"] == "FailureExitCode"


async def test_a_start_task_that_need_not_succeed_lets_tasks_run(raw: RawClient) -> None:
    start_task = {"commandLine": sh("exit 4"), "waitForSuccess": False}
    await raw.post("/pools", pool_body(targetDedicatedNodes=1, startTask=start_task))
    assert await raw.nodes_in("idle", 1)


async def test_stopping_a_resize_leaves_the_target_and_an_error(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    await raw.nodes_in("idle", 1)
    steady = await raw.send("POST", "/pools/p/stopresize")
    assert (steady.status, steady.json()["code"]) == (409, "OperationInvalidForCurrentState")
