"""Handlers of automatic scaling.

Source of facts: recorded (a formula that fails is answered with 200; whose ETag moves when).
"""

from __future__ import annotations

from typing import Any

from orchestrator.local.batch.account import Account
from orchestrator.local.batch.autoscaling import run_wire
from orchestrator.local.batch.errors import (
    auto_scale_not_enabled,
    pool_being_deleted,
    pool_being_resized,
)
from orchestrator.local.batch.runtime import PoolRuntime
from orchestrator.local.batch.store.pool_bodies import (
    DEFAULT_INTERVAL,
    auto_scale_body,
    auto_scale_evaluation_body,
)
from orchestrator.local.batch.store.states import AllocationState, PoolState
from orchestrator.local.wire import times
from orchestrator.local.wire.api_error import missing_property
from orchestrator.local.wire.call import Call, Reply, done, element
from orchestrator.local.wire.conditions import check_conditions

_AFTER = "enableAutoScale"


def _for_write(account: Account, call: Call) -> PoolRuntime:
    pool = account.pool(call.parameters["poolId"])
    check_conditions(call.headers, modified=pool.record.modified, reading=False)
    if pool.record.state is PoolState.DELETING:
        raise pool_being_deleted()
    return pool


async def enable(account: Account, call: Call) -> Reply:
    """POST /pools/{poolId}/enableautoscale: what is left out stays as it is, if there is something."""
    body = auto_scale_body(call.json(), "")
    account.autoscaling.check_interval(body)
    pool = _for_write(account, call)
    spec = pool.record.spec
    if pool.record.allocation is not AllocationState.STEADY:
        raise pool_being_resized()
    formula = body.get("autoScaleFormula") or spec.get("autoScaleFormula")
    if formula is None:
        raise missing_property("autoScaleFormula")
    interval = body.get("autoScaleEvaluationInterval") or spec.get("autoScaleEvaluationInterval")
    scaled = {"autoScaleFormula": formula, "autoScaleEvaluationInterval": interval or DEFAULT_INTERVAL}
    at = times.now()
    account.autoscaling.enable(pool, _placed({**spec, _AFTER: True}, scaled), at)
    return done(200, service_id=call.url, modified=pool.record.modified)


def _placed(spec: dict[str, Any], scaled: dict[str, Any]) -> dict[str, Any]:
    placed: dict[str, Any] = {}
    for name, value in spec.items():
        if name not in scaled:
            placed[name] = value
        if name == _AFTER:
            placed |= scaled
    return placed


async def disable(account: Account, call: Call) -> Reply:
    """POST /pools/{poolId}/disableautoscale."""
    pool = _for_write(account, call)
    account.autoscaling.disable(pool, times.now())
    return done(200, service_id=call.url, modified=pool.record.modified)


async def evaluate(account: Account, call: Call) -> Reply:
    """POST /pools/{poolId}/evaluateautoscale."""
    formula = auto_scale_evaluation_body(call.json(), "")["autoScaleFormula"]
    pool = _for_write(account, call)
    if not pool.record.spec["enableAutoScale"]:
        raise auto_scale_not_enabled()
    result = account.autoscaling.evaluate(pool, formula)
    return element(
        call,
        "Microsoft.Azure.Batch.Protocol.Entities.AutoScaleRun",
        run_wire(result, times.now()),
        service_id=call.url,
    )
