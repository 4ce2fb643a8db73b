"""Handlers of pools."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.local.batch.account import Account
from orchestrator.local.batch.errors import (
    node_not_found,
    operation_invalid_now,
    pool_being_deleted,
    pool_being_resized,
    pool_exists,
    pool_scales_itself,
)
from orchestrator.local.batch.filters import POOL_FILTERS
from orchestrator.local.batch.pages import check_expand, list_page, select
from orchestrator.local.batch.runtime import PoolRuntime
from orchestrator.local.batch.scheduler import Fill
from orchestrator.local.batch.store.creation import make_pool
from orchestrator.local.batch.store.pool_bodies import (
    ONLY_WHILE_EMPTY,
    TARGETS,
    pool_patch,
    pool_properties,
    remove_nodes_body,
    resize_body,
)
from orchestrator.local.batch.store.records import PoolRecord
from orchestrator.local.batch.store.states import AllocationState, PoolState
from orchestrator.local.batch.store.views import POOL_MEMBERS, pool_wire
from orchestrator.local.wire import times
from orchestrator.local.wire.call import Call, Reply, created, done, element
from orchestrator.local.wire.conditions import check_conditions

_ORDER: Final = (
    "displayName",
    "vmSize",
    "resizeTimeout",
    "targetDedicatedNodes",
    "targetLowPriorityNodes",
    "enableAutoScale",
    "autoScaleFormula",
    "autoScaleEvaluationInterval",
    "enableInterNodeCommunication",
    "startTask",
    "userAccounts",
    "certificateReferences",
    "metadata",
    "taskSlotsPerNode",
    "taskSchedulingPolicy",
    "virtualMachineConfiguration",
    "networkConfiguration",
    "targetNodeCommunicationMode",
)


def _pool(account: Account, call: Call) -> PoolRuntime:
    return account.pool(call.parameters["poolId"])


def _for_write(account: Account, call: Call) -> PoolRuntime:
    pool = _pool(account, call)
    check_conditions(call.headers, modified=pool.record.modified, reading=False)
    if pool.record.state is PoolState.DELETING:
        raise pool_being_deleted()
    return pool


def _show(pool: PoolRecord, call: Call) -> dict[str, Any]:
    return pool_wire(pool, call.account_url)


async def create(account: Account, call: Call) -> Reply:
    """POST /pools."""
    record = make_pool(call.json(), times.now())
    account.autoscaling.check_interval(record.spec)
    existing = account.has_pool(record.id)
    if existing is not None:
        raise pool_being_deleted() if existing.record.state is PoolState.DELETING else pool_exists()
    account.check_pool_quota()
    account.pool_lives.begin(record)
    return created(f"{call.account_url}/pools/{record.id}", record.modified)


async def list_all(account: Account, call: Call) -> Reply:
    """GET /pools."""
    return list_page(
        call,
        "pools",
        account.pool_records.after,
        lambda pool: _show(pool, call),
        fields=POOL_FILTERS,
        members=POOL_MEMBERS,
    )


async def get(account: Account, call: Call) -> Reply:
    """GET /pools/{poolId}."""
    selection = select(call, "pools", POOL_MEMBERS)
    check_expand(call)
    pool = _pool(account, call).record
    check_conditions(call.headers, modified=pool.modified, reading=True)
    return element(call, "pools/@Element", selection.apply(_show(pool, call)), pool.modified)


async def exists(account: Account, call: Call) -> Reply:
    """HEAD /pools/{poolId}."""
    pool = _pool(account, call).record
    check_conditions(call.headers, modified=pool.modified, reading=True)
    return done(200, modified=pool.modified)


async def delete(account: Account, call: Call) -> Reply:
    """DELETE /pools/{poolId}."""
    pool = _for_write(account, call)
    account.pool_lives.end(pool, times.now())
    return done(202)


async def patch(account: Account, call: Call) -> Reply:
    """PATCH /pools/{poolId}: a member that is given replaces the old one whole."""
    change = pool_patch(call.json(), "")
    pool = _for_write(account, call)
    fixed = ONLY_WHILE_EMPTY & change.keys()
    if fixed and len(pool.record.nodes):
        raise operation_invalid_now(f"{', '.join(sorted(fixed))} can be changed only while the pool is empty")
    _replace(pool, {**pool.record.spec, **change})
    return done(200, service_id=call.url, modified=pool.record.modified)


async def replace_properties(account: Account, call: Call) -> Reply:
    """POST /pools/{poolId}/updateproperties: what is left out goes."""
    change = pool_properties(call.json(), "")
    pool = _for_write(account, call)
    kept = {name: value for name, value in pool.record.spec.items() if name not in ("startTask", "metadata")}
    empty = {name for name, value in change.items() if value == [] and name != "certificateReferences"}
    change = {name: value for name, value in change.items() if name not in empty}
    _replace(pool, {**kept, **change})
    return done(204, service_id=call.url, modified=pool.record.modified)


def _replace(pool: PoolRuntime, spec: dict[str, Any]) -> None:
    order = (*_ORDER, *(name for name in spec if name not in _ORDER))
    pool.record.spec = {name: spec[name] for name in order if name in spec}
    pool.record.modified = times.now()
    pool.slots.fill = Fill(spec["taskSchedulingPolicy"]["nodeFillType"])


def _begin_resize(pool: PoolRuntime, targets: dict[str, Any]) -> None:
    at = times.now()
    pool.record.spec = {**pool.record.spec, **targets}
    pool.record.allocate(AllocationState.RESIZING, at)
    pool.record.modified = at
    pool.record.resize_errors = []


async def resize(account: Account, call: Call) -> Reply:
    """POST /pools/{poolId}/resize."""
    body = resize_body(call.json())
    pool = _for_write(account, call)
    if pool.record.spec["enableAutoScale"]:
        raise pool_scales_itself()
    if pool.record.allocation is not AllocationState.STEADY:
        raise pool_being_resized()
    option = body.pop("nodeDeallocationOption")
    _begin_resize(pool, body)
    account.allocation.begin_resize(pool, option)
    return done(202, service_id=call.url, modified=pool.record.modified)


async def stop_resize(account: Account, call: Call) -> Reply:
    """POST /pools/{poolId}/stopresize: the ETag does not move (recorded)."""
    pool = _for_write(account, call)
    if pool.record.allocation is not AllocationState.RESIZING:
        raise operation_invalid_now("The pool is not being resized")
    pool.record.allocate(AllocationState.STOPPING, times.now())
    if pool.resize is not None:
        pool.resize.cancel()
    return done(202, service_id=call.url, modified=pool.record.modified)


async def remove_nodes(account: Account, call: Call) -> Reply:
    """POST /pools/{poolId}/removenodes."""
    body = remove_nodes_body(call.json(), "")
    pool = _for_write(account, call)
    if pool.record.allocation is not AllocationState.STEADY:
        raise pool_being_resized()
    names = dict.fromkeys(name.lower() for name in body["nodeList"])
    if any(name not in pool.machines for name in names):
        raise node_not_found()
    victims = [pool.machines[name] for name in names]
    targets: dict[str, Any] = {"resizeTimeout": body["resizeTimeout"]}
    for target, dedicated in zip(TARGETS, (True, False), strict=True):
        gone = sum(machine.record.dedicated is dedicated for machine in victims)
        targets[target] = max(0, pool.record.spec[target] - gone)
    _begin_resize(pool, targets)
    account.allocation.begin_resize(pool, body["nodeDeallocationOption"], victims)
    return done(202, service_id=call.url, modified=pool.record.modified)
