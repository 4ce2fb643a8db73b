"""Handlers of nodes."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.local.batch.account import Account
from orchestrator.local.batch.errors import (
    node_already_scheduled_so,
    node_being,
    node_state_unusable,
    operation_invalid_now,
    operation_not_valid_on_node,
)
from orchestrator.local.batch.filters import NODE_FILTERS
from orchestrator.local.batch.pages import list_page
from orchestrator.local.batch.runtime import Machine
from orchestrator.local.batch.store.pool_bodies import (
    deallocate_body,
    disable_scheduling_body,
    reboot_body,
    reimage_body,
)
from orchestrator.local.batch.store.records import NodeRecord
from orchestrator.local.batch.store.states import NodeState
from orchestrator.local.batch.store.views import NODE_MEMBERS, node_wire
from orchestrator.local.batch.versions import reimages_machines
from orchestrator.local.wire import times
from orchestrator.local.wire.call import Call, Reply, done, element
from orchestrator.local.wire.paging import Selection

_REBOOTS_FROM: Final = frozenset(
    {
        NodeState.IDLE,
        NodeState.RUNNING,
        NodeState.OFFLINE,
        NodeState.START_TASK_FAILED,
        NodeState.UNUSABLE,
    }
)
_BUSY: Final = {
    NodeState.CREATING: "Created",
    NodeState.STARTING: "Started",
    NodeState.WAITING_FOR_START_TASK: "Started",
    NodeState.REBOOTING: "Rebooted",
    NodeState.REIMAGING: "Reimaged",
}
_NO_CLOUD_SERVICE: Final = (
    "Operation reimage can be invoked only on pools created with cloudServiceConfiguration"
)
"""Recorded."""


def _machine(account: Account, call: Call) -> Machine:
    return account.machine(call.parameters["poolId"], call.parameters["nodeId"])


def _show(machine: Machine, account_url: str) -> dict[str, Any]:
    return node_wire(machine.record, machine.pool.record, account_url, machine.running)


async def list_all(account: Account, call: Call) -> Reply:
    """GET /pools/{poolId}/nodes."""
    pool = account.pool(call.parameters["poolId"])

    def show(node: NodeRecord) -> dict[str, Any]:
        return _show(pool.machines[node.id], call.account_url)

    return list_page(call, "nodes", pool.record.nodes.after, show, fields=NODE_FILTERS, members=NODE_MEMBERS)


async def get(account: Account, call: Call) -> Reply:
    """GET /pools/{poolId}/nodes/{nodeId}."""
    selection = Selection(call.query.get("$select"), NODE_MEMBERS)
    machine = _machine(account, call)
    return element(call, "nodes/@Element", selection.apply(_show(machine, call.account_url)))


async def reboot(account: Account, call: Call) -> Reply:
    """POST /pools/{poolId}/nodes/{nodeId}/reboot."""
    option = reboot_body(call.json(), "")["nodeRebootOption"]
    machine = _at_rest(account, call)
    account.allocation.reboot(machine, option)
    return done(202, service_id=call.url)


def _at_rest(account: Account, call: Call) -> Machine:
    machine = _machine(account, call)
    state = machine.record.state
    if state not in _REBOOTS_FROM:
        raise node_being(_BUSY[state]) if state in _BUSY else node_state_unusable()
    return machine


async def reimage(account: Account, call: Call) -> Reply:
    """POST /pools/{poolId}/nodes/{nodeId}/reimage."""
    option = reimage_body(call.json(), "")["nodeReimageOption"]
    _machine(account, call)  # what is not there comes first
    if not reimages_machines(call.api_version):
        raise operation_not_valid_on_node(_NO_CLOUD_SERVICE)
    account.renewal.reimage(_at_rest(account, call), option)
    return done(202, service_id=call.url)


async def deallocate(account: Account, call: Call) -> Reply:
    """POST /pools/{poolId}/nodes/{nodeId}/deallocate."""
    option = deallocate_body(call.json(), "")["nodeDeallocateOption"]
    account.renewal.deallocate(_at_rest(account, call), option)
    return done(202, service_id=call.url)


async def start(account: Account, call: Call) -> Reply:
    """POST /pools/{poolId}/nodes/{nodeId}/start."""
    machine = _machine(account, call)
    if machine.record.state is not NodeState.DEALLOCATED:
        raise operation_invalid_now("Only a deallocated node can be started")
    account.renewal.start(machine)
    return done(202, service_id=call.url)


async def disable_scheduling(account: Account, call: Call) -> Reply:
    """POST /pools/{poolId}/nodes/{nodeId}/disablescheduling."""
    option = disable_scheduling_body(call.json(), "")["nodeDisableSchedulingOption"]
    machine = _machine(account, call)
    if not machine.record.scheduling:
        raise node_already_scheduled_so()
    machine.record.scheduling = False
    machine.pool.slots.close(machine.key)
    account.allocation.stop_tasks(machine, option)
    if machine.record.state is NodeState.IDLE:
        machine.record.move(NodeState.OFFLINE, times.now())
    return done(200, service_id=call.url)


async def enable_scheduling(account: Account, call: Call) -> Reply:
    """POST /pools/{poolId}/nodes/{nodeId}/enablescheduling."""
    machine = _machine(account, call)
    if machine.record.scheduling:
        raise node_already_scheduled_so()
    machine.record.scheduling = True
    if machine.record.state is NodeState.OFFLINE:
        machine.record.move(NodeState.IDLE, times.now())
    if machine.record.state in (NodeState.IDLE, NodeState.RUNNING):
        machine.pool.slots.open(machine.key)
        account.dispatch.schedule(machine.pool.key)
    return done(200, service_id=call.url)
