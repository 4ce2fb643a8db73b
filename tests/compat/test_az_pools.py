from __future__ import annotations

import pytest

from tests.compat.az import IMAGE, Az

pytestmark = [pytest.mark.compat, pytest.mark.timeout(300)]


def test_the_settings_in_the_environment_are_all_the_login_it_needs(az: Az) -> None:
    assert isinstance(az("pool", "list"), list)


def test_a_key_on_the_command_line_is_a_login_too(az: Az, settings: dict[str, str]) -> None:
    done = az.run(
        *("pool", "list", "--account-name", settings["AZURE_BATCH_ACCOUNT"]),
        *("--account-key", settings["AZURE_BATCH_ACCESS_KEY"]),
        *("--account-endpoint", settings["AZURE_BATCH_ENDPOINT"]),
        **dict.fromkeys(settings),
    )
    assert (done.returncode, done.stdout[:1]) == (0, "["), done.stderr


def test_a_wrong_key_is_refused_as_such(az: Az) -> None:
    done = az.run("pool", "list", AZURE_BATCH_ACCESS_KEY="d3Jvbmc=")
    assert done.returncode == 1
    assert "AuthenticationFailed" in done.stderr


def test_a_pool_is_created_and_shown_as_it_was_asked_for(az: Az) -> None:
    created = az(
        *("pool", "create", "--id", "asked", "--vm-size", "Standard_D2s_v3", *IMAGE),
        *("--target-dedicated-nodes", "2", "--target-low-priority-nodes", "0"),  # az sends them as strings
        *("--task-slots-per-node", "4", "--metadata", "color=blue"),
    )
    assert created is None
    shown = az("pool", "show", "--pool-id", "asked")
    machine = shown["virtualMachineConfiguration"]
    assert {name: shown[name] for name in ("id", "state", "vmSize", "targetDedicatedNodes")} == {
        "id": "asked",
        "state": "active",
        "vmSize": "standard_d2s_v3",
        "targetDedicatedNodes": 2,
    }
    assert (shown["taskSlotsPerNode"], shown["metadata"]) == (4, [{"name": "color", "value": "blue"}])
    assert (shown["targetLowPriorityNodes"], shown["resizeTimeout"]) == (0, "PT15M")
    assert machine["imageReference"]["offer"] == "ubuntu-24_04-lts"
    assert machine["nodeAgentSkuId"] == "batch.node.ubuntu 24.04"


def test_pools_are_listed(az: Az, pool: str) -> None:
    assert [one["state"] for one in az("pool", "list") if one["id"] == pool] == ["active"]


def test_a_pool_that_is_not_there_is_said_so(az: Az) -> None:
    done = az.run("pool", "show", "--pool-id", "nowhere")
    assert done.returncode == 3
    assert "PoolNotFound" in done.stderr


def test_the_nodes_of_a_pool_are_listed(az: Az, pool: str) -> None:
    (node,) = az.until(
        lambda nodes: [one["state"] for one in nodes] == ["idle"], "node", "list", "--pool-id", pool
    )
    assert (node["isDedicated"], node["schedulingState"]) == (True, "enabled")
    assert node["vmSize"] == "standard_d2s_v3"
    assert node["url"].endswith(f"/pools/{pool}/nodes/{node['id']}")


def test_a_pool_is_resized_and_has_the_nodes_that_were_asked_for(az: Az) -> None:
    create = ("pool", "create", "--id", "resized", "--vm-size", "Standard_D2s_v3", *IMAGE)
    az(*create, "--target-dedicated-nodes", 2)
    az.until(lambda one: one["allocationState"] == "steady", "pool", "show", "--pool-id", "resized")
    assert az("pool", "resize", "--pool-id", "resized", "--target-dedicated-nodes", 1) is None
    shown = az.until(lambda one: one["allocationState"] == "steady", "pool", "show", "--pool-id", "resized")
    assert (shown["targetDedicatedNodes"], shown["currentDedicatedNodes"]) == (1, 1)
    assert len(az("node", "list", "--pool-id", "resized")) == 1


def test_a_pool_is_deleted_and_no_longer_there(az: Az) -> None:
    create = ("pool", "create", "--id", "deleted", "--vm-size", "Standard_D2s_v3", *IMAGE)
    az(*create, "--target-dedicated-nodes", 1)
    assert az("pool", "delete", "--pool-id", "deleted", "--yes") is None
    az.until_refused("PoolNotFound", "pool", "show", "--pool-id", "deleted")
    assert "deleted" not in [one["id"] for one in az("pool", "list")]
