"""What is wanted becomes the service's own JSON, and a job file's `rest` has the last word."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.accounts.bodies import (
    encode,
    environment_settings,
    hook_body,
    job_body,
    merge_rest,
    output_file_body,
    pool_body,
    resource_file_body,
    start_task_body,
    task_body,
)
from orchestrator.spec.duration import Duration
from orchestrator.spec.files import UploadCondition
from orchestrator.spec.frozen import FrozenMapping
from orchestrator.spec.pool import ImageSpec, PoolSpec
from orchestrator.spec.secret import SecretText
from orchestrator.states import SupportedImage

_IMAGE = SupportedImage(
    publisher="canonical",
    offer="ubuntu-24_04-lts",
    sku="server",
    version="latest",
    node_agent_sku_id="batch.node.ubuntu 24.04",
    os_type="linux",
    verified=True,
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)
_objects = st.dictionaries(st.sampled_from("abcd"), _json, max_size=4)


def merged_by_hand(body: Any, rest: Any) -> Any:
    if isinstance(body, dict) and isinstance(rest, dict):
        return {
            name: merged_by_hand(body[name], rest[name])
            if name in body and name in rest
            else rest.get(name, body.get(name))
            for name in {**body, **rest}
        }
    return rest


def test_our_metadata_stays_beside_that_of_the_job_file() -> None:
    """Clean-up deletes only what names its run: a pool without would cost money for ever."""
    theirs = [{"name": "cost-center", "value": "7"}, {"name": "run", "value": "forged"}]
    expected = [{"name": "run", "value": "r-1"}, {"name": "cost-center", "value": "7"}]
    rest = FrozenMapping({"metadata": theirs})
    job = job_body(job_id="j", pool_id="p", metadata={"run": "r-1"}, rest=rest)
    assert job["metadata"] == expected
    spec = PoolSpec(id="p", vm_size="s", image=ImageSpec(publisher="a", offer="b", sku="c"), rest=rest)
    pool = pool_body(spec, pool_id="p", image=_IMAGE, start_task=None, metadata={"run": "r-1"})
    assert pool["metadata"] == expected


@given(body=_objects, rest=_objects)
def test_objects_are_merged_and_all_else_is_replaced(body: dict[str, Any], rest: dict[str, Any]) -> None:
    before = json.dumps([body, rest])
    assert merge_rest(body, rest) == merged_by_hand(body, rest)
    assert json.dumps([body, rest]) == before


@given(body=_objects, rest=_objects)
def test_a_frozen_rest_is_merged_as_a_plain_one(body: dict[str, Any], rest: dict[str, Any]) -> None:
    merged = merge_rest(body, FrozenMapping(rest))
    assert merged == merge_rest(body, rest)
    assert json.loads(encode(merged)) == merged


def test_a_pool_says_what_it_is_and_rest_adds_to_it() -> None:
    spec = PoolSpec(
        id="small-{run}",
        vm_size="standard_d2s_v3",
        image=ImageSpec(publisher="canonical", offer="ubuntu-24_04-lts", sku="server"),
        target_dedicated_nodes=2,
        task_slots_per_node=4,
        resize_timeout=Duration("15m"),
        rest=FrozenMapping(
            {
                "taskSchedulingPolicy": {"nodeFillType": "pack"},
                "virtualMachineConfiguration": {"osDisk": {"caching": "none"}},
            }
        ),
    )
    body = pool_body(spec, pool_id="small-1", image=_IMAGE, metadata={"orchestrator": "1"})
    assert body == {
        "id": "small-1",
        "vmSize": "standard_d2s_v3",
        "virtualMachineConfiguration": {
            "imageReference": {
                "publisher": "canonical",
                "offer": "ubuntu-24_04-lts",
                "sku": "server",
                "version": "latest",
            },
            "nodeAgentSKUId": "batch.node.ubuntu 24.04",
            "osDisk": {"caching": "none"},
        },
        "targetDedicatedNodes": 2,
        "targetLowPriorityNodes": 0,
        "taskSlotsPerNode": 4,
        "resizeTimeout": "PT15M",
        "metadata": [{"name": "orchestrator", "value": "1"}],
        "taskSchedulingPolicy": {"nodeFillType": "pack"},
    }


def test_a_pool_with_a_formula_has_no_targets() -> None:
    spec = PoolSpec(
        id="p",
        vm_size="s",
        target_dedicated_nodes=2,
        resize_timeout=Duration("15m"),
        rest=FrozenMapping({"enableAutoScale": True, "autoScaleFormula": "$TargetDedicatedNodes=1"}),
    )
    body = pool_body(spec, pool_id="p", image=_IMAGE)
    assert not {"targetDedicatedNodes", "targetLowPriorityNodes", "resizeTimeout"} & set(body)


def test_a_start_task_is_waited_for_and_runs_elevated() -> None:
    body = start_task_body(
        "/bin/sh -c true",
        [resource_file_body(http_url="https://h/c/b")],
        {"A": "1"},
        elevated=True,
        retries=3,
    )
    assert body == {
        "commandLine": "/bin/sh -c true",
        "resourceFiles": [{"httpUrl": "https://h/c/b"}],
        "environmentSettings": [{"name": "A", "value": "1"}],
        "userIdentity": {"autoUser": {"scope": "pool", "elevationLevel": "admin"}},
        "maxTaskRetryCount": 3,
        "waitForSuccess": True,
    }


def test_a_job_does_not_end_by_itself_and_carries_its_hooks() -> None:
    body = job_body(
        job_id="j",
        pool_id="p",
        priority=5,
        max_wall_clock_time=Duration("2h"),
        max_task_retry_count=2,
        environment={"A": SecretText("hidden")},
        preparation=hook_body("prepare"),
        release=hook_body("release", elevated=True),
        metadata={"run": "r"},
        rest={"onTaskFailure": "performexitoptionsjobaction"},
    )
    assert body["constraints"] == {"maxWallClockTime": "PT2H", "maxTaskRetryCount": 2}
    assert body["poolInfo"] == {"poolId": "p"}
    assert body["onAllTasksComplete"] == "noaction"
    assert body["commonEnvironmentSettings"] == [{"name": "A", "value": "hidden"}]
    assert body["jobReleaseTask"]["userIdentity"]["autoUser"]["elevationLevel"] == "admin"
    assert body["onTaskFailure"] == "performexitoptionsjobaction"


def test_a_task_says_only_what_was_asked_for() -> None:
    assert task_body(task_id="t", command_line="echo") == {
        "id": "t",
        "commandLine": "echo",
        "requiredSlots": 1,
    }


def test_a_task_in_full() -> None:
    output = output_file_body("*.txt", SecretText("https://h/out?sig=s"), "t/", UploadCondition.TASK_SUCCESS)
    body = task_body(
        task_id="t",
        command_line="echo",
        resource_files=[resource_file_body(http_url=SecretText("https://h/in?sig=s"), file_path="näme")],
        output_files=[output],
        environment={"A": "1"},
        max_wall_clock_time=Duration("0s"),
        max_task_retry_count=-1,
        retention_time=Duration("1d"),
        required_slots=2,
        rest={"constraints": {"retentionTime": "PT1H"}, "dependsOn": {"taskIds": ["a"]}},
    )
    assert body["constraints"] == {
        "maxWallClockTime": "PT0S",
        "retentionTime": "PT1H",
        "maxTaskRetryCount": -1,
    }
    assert body["resourceFiles"] == [{"httpUrl": "https://h/in?sig=s", "filePath": "näme"}]
    assert body["outputFiles"] == [
        {
            "filePattern": "*.txt",
            "destination": {"container": {"containerUrl": "https://h/out?sig=s", "path": "t/"}},
            "uploadOptions": {"uploadCondition": "tasksuccess"},
        }
    ]
    assert body["dependsOn"] == {"taskIds": ["a"]}
    assert json.loads(encode(body)) == body


@pytest.mark.parametrize("both", [True, False])
def test_a_resource_file_has_exactly_one_address(both: bool) -> None:
    url = "https://h/c" if both else None
    with pytest.raises(ValueError, match="either"):
        resource_file_body(http_url=url, storage_container_url=url)


def test_settings_keep_their_order() -> None:
    assert environment_settings({"B": "2", "A": SecretText("1")}) == [
        {"name": "B", "value": "2"},
        {"name": "A", "value": "1"},
    ]
